/** Asks a HiveServer2 the smallest question there is. */
import { setTimeout as sleep } from "node:timers/promises";
import hiveDriver from "hive-driver";

const { TCLIService, TCLIService_types: types } = hiveDriver.thrift;
const ANSWER_TIMEOUT_MS = 30_000;
const FINISHED = (types.TOperationState as Record<string, number>).FINISHED_STATE;

/** Whether a new session on 127.0.0.1 answers `SELECT 1`. Never rejects. */
export async function hiveAnswers(port: number): Promise<boolean> {
  const client = new hiveDriver.HiveClient(TCLIService, types);
  const over = new AbortController();
  const lost = new Promise<boolean>((settle) => {
    client.on("error", () => settle(false));
    client.on("close", () => settle(false));
  });
  const late = sleep(ANSWER_TIMEOUT_MS, false, { signal: over.signal }).catch(() => false);
  try {
    return await Promise.race([ask(client, port), lost, late]);
  } catch {
    return false;
  } finally {
    over.abort();
    close(client);
  }
}

async function ask(client: InstanceType<typeof hiveDriver.HiveClient>, port: number): Promise<boolean> {
  await client.connect(
    { host: "127.0.0.1", port },
    new hiveDriver.connections.TcpConnection(),
    new hiveDriver.auth.PlainTcpAuthentication({ username: "qflow", password: "-" }),
  );
  const session = await client.openSession({
    client_protocol: types.TProtocolVersion.HIVE_CLI_SERVICE_PROTOCOL_V10,
  });
  // Not asynchronous: the call returns when the statement has ended.
  const operation = await session.executeStatement("SELECT 1", { runAsync: false });
  const status = await operation.status(false);
  await operation.close();
  await session.close();
  return status.operationState === FINISHED;
}

function close(client: InstanceType<typeof hiveDriver.HiveClient>): void {
  try {
    client.close();
  } catch {
    // Never connected: nothing to close.
  }
}
