/** qflow's own processes of one platform: scheduler, worker, api. */
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../../config.ts";
import { QflowError } from "../../errors.ts";
import { type Supervised, supervise } from "../supervisor.ts";
import { smallNode } from "./small-node.ts";

const CLI = resolve(import.meta.dirname, "../../cli.ts");
/** Node processes on a machine that is busy with other things take their time. */
const READY_TIMEOUT_MS = 120_000;
/** A worker lets its tasks end before it goes; the others have nothing to wait for. */
const GRACE_MS = { scheduler: 5_000, worker: 20_000, api: 5_000 };

/** The three processes, kept alive. */
export interface Processes {
  readonly baseUrl: string;
  /** Process ids by name; null between two lives. */
  pids(): Record<string, number | null>;
  stop(): Promise<void>;
}

/** Starts them with `env`; resolves when the API answers. Throws PORT_TAKEN, ENGINE_FAILED. */
export async function startProcesses(
  config: Config,
  env: Record<string, string>,
  say: (text: string) => void,
): Promise<Processes> {
  const start = (name: keyof typeof GRACE_MS): Supervised =>
    supervise(
      {
        name,
        command: process.execPath,
        ...smallNode([CLI, name], env),
        logFile: join(config.home, "log", `${name}.log`),
      },
      say,
    );
  const baseUrl = `http://${config.host}:${config.port}`;
  const running = { api: start("api"), scheduler: start("scheduler"), worker: start("worker") };
  const stop = async () => {
    // The worker goes first, so that what it finishes is still scheduled on and shown.
    await running.worker.stop(GRACE_MS.worker);
    await Promise.all([running.scheduler.stop(GRACE_MS.scheduler), running.api.stop(GRACE_MS.api)]);
  };
  try {
    await untilHealthy(baseUrl, join(config.home, "log", "api.log"));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    baseUrl,
    pids: () => Object.fromEntries(Object.values(running).map((one) => [one.name, one.pid()])),
    stop,
  };
}

async function untilHealthy(baseUrl: string, logFile: string): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const answer = await fetch(`${baseUrl}/health`).catch(() => null);
    if (answer?.ok) return;
    await sleep(50);
  }
  throw new QflowError("ENGINE_FAILED", `the API did not answer within ${READY_TIMEOUT_MS / 1000} s`, {
    remedy: `Read ${logFile}.`,
  });
}

/** The port to listen on: the one configured, which must be free, or for 0 a free one. Throws PORT_TAKEN. */
export function settleApiPort(config: Config): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", () =>
      fail(
        new QflowError("PORT_TAKEN", `port ${config.port} of ${config.host}, where the web UI listens, is in use`, {
          remedy: "End what listens there, or set QFLOW_PORT to another port.",
        }),
      ),
    );
    probe.listen(config.port, config.host, () => {
      const address = probe.address();
      const port = address !== null && typeof address === "object" ? address.port : config.port;
      probe.close(() => done(port));
    });
  });
}
