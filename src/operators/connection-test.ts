/** Tries a connection out: connects, and logs in where the kind is known. */
import { connect } from "node:net";
import type { Connection } from "../dag/operator.ts";
import { messageOf } from "../errors.ts";
import { openDatabase } from "../metadata/database.ts";

/** What a try found out, in a sentence without secrets. */
export interface ConnectionVerdict {
  readonly ok: boolean;
  readonly message: string;
}

const TIMEOUT_MS = 10_000;

/** Kind to a try that throws when it does not work; what it did, in words. */
const TRIES: Readonly<Record<string, (connection: Connection) => Promise<string>>> = {
  ftp: async (connection) => {
    const { openFtp } = await import("./clients/ftp.ts");
    (await openFtp(connection, AbortSignal.timeout(TIMEOUT_MS))).close();
    return "logged in";
  },
  hive2: async (connection) => {
    const { openHive } = await import("./clients/hive.ts");
    await (await openHive(connection)).close();
    return "opened a session";
  },
  http: requested,
  https: requested,
  kafka: async (connection) => {
    const { withKafka } = await import("./clients/kafka.ts");
    const patience = { clientId: "qflow-test-connection", timeoutMs: TIMEOUT_MS };
    const topics = await withKafka(connection, patience, (kafka) => kafka.topics());
    return `saw ${topics.length} topics`;
  },
  postgres: queried,
  postgresql: queried,
};

/** Tries a connection; one of an unknown kind is only connected to. Never throws. */
export async function testConnection(connection: Connection): Promise<ConnectionVerdict> {
  const where = `${connection.kind} ${connection.host}${connection.port ? `:${connection.port}` : ""}`;
  try {
    return { ok: true, message: `${where}: ${await (TRIES[connection.kind] ?? reached)(connection)}` };
  } catch (error) {
    const text = messageOf(error);
    return {
      ok: false,
      message: `${where}: ${connection.password ? text.replaceAll(connection.password, "***") : text}`,
    };
  }
}

async function requested(connection: Connection): Promise<string> {
  const port = connection.port ? `:${connection.port}` : "";
  const headers = connection.user
    ? { authorization: `Basic ${Buffer.from(`${connection.user}:${connection.password}`).toString("base64")}` }
    : undefined;
  const response = await fetch(`${connection.kind}://${connection.host}${port}${connection.path}`, {
    ...(headers && { headers }),
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (response.status === 401 || response.status === 403 || response.status >= 500)
    throw new Error(`answered ${response.status}`);
  return `answered ${response.status}`;
}

async function queried(connection: Connection): Promise<string> {
  const url = new URL(`postgres://${connection.host}:${connection.port || 5432}${connection.path}`);
  url.username = encodeURIComponent(connection.user);
  url.password = encodeURIComponent(connection.password);
  const database = openDatabase(url.href, { max: 1, applicationName: "qflow-test-connection" });
  try {
    await database.query("select 1");
    return "logged in and asked for 1";
  } finally {
    await database.close();
  }
}

function reached({ host, port, kind }: Connection): Promise<string> {
  if (!port) return Promise.reject(new Error(`a connection of kind ${kind} needs a port to be tried`));
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS });
    socket.once("connect", () => resolve("somebody listens there; how to log in is not known for this kind"));
    socket.once("timeout", () => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    socket.once("error", reject);
    for (const event of ["connect", "timeout", "error"]) socket.once(event, () => socket.destroy());
  });
}
