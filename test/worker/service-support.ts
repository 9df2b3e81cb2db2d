/** Services for tests: programs that need nothing but this Node. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { type ServiceOptions, service } from "../../src/dag/service.ts";
import type { ServiceSpec } from "../../src/dag/service-spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { resumeService } from "../../src/metadata/services/actions.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { program } from "../../src/operators/index.ts";

/**
 * A program that counts in its checkpoint as a sink would: it reads the count, adds one every 50 ms, and appends `token count` to a
 * journal, by which two writers, lost and repeated counts show. Told to end, it ends after the count in hand.
 */
export const COUNTER = `
  const { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
  const { QFLOW_CHECKPOINT, QFLOW_FENCING_TOKEN, QFLOW_DRAIN, JOURNAL } = process.env;
  const file = QFLOW_CHECKPOINT + "/count";
  const say = (message) => console.log("::qflow:: " + JSON.stringify(message));
  let count = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  process.on("SIGTERM", () => {});
  console.log("starts at " + count);
  say({ type: "ready" });
  setInterval(() => {
    if (existsSync(QFLOW_DRAIN)) { console.log("ends at " + count); process.exit(0); }
    count++;
    appendFileSync(JOURNAL, QFLOW_FENCING_TOKEN + " " + count + " " + process.pid + "\\n");
    say({ type: "event", dataset: "counts", rows: 1 });
    writeFileSync(file + ".tmp", String(count));
    renameSync(file + ".tmp", file);
    say({ type: "progress", batch: count, rows: 1, batchMs: 50, lag: 3 });
  }, 50);`;

/** A service of a Node program. */
export function nodeService(code: string, options: ServiceOptions = {}, env: Record<string, string> = {}): ServiceSpec {
  return service(
    "counter",
    { emits: ["counts"], ...options },
    program({ command: [process.execPath, "-e", code], env }),
  ).spec;
}

/** Deploys these services, and no others, and resumes them. */
export async function deployServices(db: Database, ...services: ServiceSpec[]): Promise<void> {
  const bundle = { hash: "services", code: "c", source: "s" };
  await storeVersions(db, [{ file: "services.ts", bundle, dags: [], services }]);
  for (const { serviceId } of services) await resumeService(db, serviceId);
}

/** An attempt as the database has it. */
export interface AttemptRow {
  readonly number: number;
  readonly state: string;
  readonly reason: string | null;
  readonly pid: number | null;
  readonly error: { code: string; message: string } | null;
  readonly batches: number;
}

/** The attempts of all services, oldest first. */
export async function attemptRows(db: Database): Promise<AttemptRow[]> {
  const text = "select number, state, reason, pid, error, batches::int from service_attempt order by number";
  return (await db.query<AttemptRow>(text)).rows;
}

/** A worker as a process of its own; ended with the test. */
export function workerProcess(t: ExecutionContext, db: Database, home: string, ...settings: string[]): ChildProcess {
  const script = join(import.meta.dirname, "worker-process.ts");
  const worker = spawn(process.execPath, [script, db.url, home, ...settings], { stdio: ["ignore", "inherit", "pipe"] });
  worker.stderr?.on("data", (text: Buffer) => {
    if (process.env.QFLOW_TEST_VERBOSE) appendFileSync(2, text);
  });
  t.teardown(async () => {
    if (worker.exitCode !== null || worker.signalCode !== null) return;
    worker.kill("SIGCONT");
    worker.kill("SIGTERM");
    worker.kill("SIGTERM");
    await new Promise((gone) => worker.once("exit", gone));
  });
  return worker;
}
