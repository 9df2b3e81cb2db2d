import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { pauseService, restartService, resumeService } from "../../src/metadata/services/actions.ts";
import { readServiceLog } from "../../src/metadata/services/logs.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { attemptRows, COUNTER, deployServices, nodeService } from "./service-support.ts";
import { type Bench, bench, isProcessAlive, until } from "./support.ts";

interface Counted extends Bench {
  readonly journal: string;
}

async function counting(t: ExecutionContext, options = {}): Promise<Counted> {
  const made = await bench(t);
  const journal = join(made.home, "journal");
  await deployServices(made.db, nodeService(COUNTER, { emitEvery: "1s", ...options }, { JOURNAL: journal }));
  return { ...made, journal };
}

/** What was counted, as `[token, count]`. */
function counts(journal: string): [number, number][] {
  if (!existsSync(journal)) return [];
  const lines = readFileSync(journal, "utf8").trim().split("\n");
  return lines.map((line) => line.split(" ").map(Number) as [number, number]);
}

/** Each count once and in order, by one attempt after the other. */
function assertSingleWriter(t: ExecutionContext, journal: string): void {
  const seen = counts(journal);
  t.deepEqual(
    seen.map(([, count]) => count),
    seen.map((_, i) => i + 1),
  );
  t.deepEqual(
    seen.map(([token]) => token),
    seen.map(([token]) => token).toSorted((a, b) => a - b),
  );
}

async function stateIs(db: Database, number: number, state: string): Promise<void> {
  await until(async () => (await attemptRows(db)).some((row) => row.number === number && row.state === state));
}

test("a service runs, tells its progress and events, and drains when it is paused; resumed it goes on where it was", async (t) => {
  const { db, journal } = await counting(t);
  await until(() => counts(journal).length > 5);
  await pauseService(db, "counter");
  await stateIs(db, 1, "stopped");
  const before = counts(journal).length;
  const [first] = await attemptRows(db);
  t.like(first, { state: "stopped", reason: "paused", error: null, batches: before });
  t.false(isProcessAlive(first?.pid ?? 0));
  t.is((await db.query("select from service_progress")).rowCount, before);
  t.true(((await db.query("select from dataset_event where dataset = 'counts'")).rowCount ?? 0) >= 1);
  await resumeService(db, "counter");
  await until(() => counts(journal).length > before + 3);
  assertSingleWriter(t, journal);
  const { rows } = await db.query("select attempt_id from service_attempt where number = 1");
  const log = await readServiceLog(db, rows[0]?.attempt_id, 1, 100);
  t.deepEqual(
    log.lines.map(({ text }) => text).filter((text) => text.startsWith("starts") || text.startsWith("ends")),
    ["starts at 0", `ends at ${before}`],
  );
  t.true(log.complete);
  t.deepEqual(await findViolations(db), []);
});

test("a new version replaces the one that runs, a wished restart too; a removed file ends it", async (t) => {
  const { db, journal } = await counting(t);
  await until(() => counts(journal).length > 2);
  await deployServices(db, nodeService(`${COUNTER}\n// another version`, {}, { JOURNAL: journal }));
  await until(() => counts(journal).some(([token]) => token === 2));
  await restartService(db, "counter");
  await until(() => counts(journal).some(([token]) => token === 3));
  await storeVersions(db, []);
  await db.query("notify qflow_work");
  await stateIs(db, 3, "stopped");
  assertSingleWriter(t, journal);
  t.deepEqual(
    (await attemptRows(db)).map(({ reason }) => reason),
    ["new version", "restart", "removed"],
  );
});

test("a program that ends by itself is a failure with its last words, and starts again after a wait", async (t) => {
  const { db } = await bench(t);
  const code = "console.log('::qflow:: {\"type\":\"ready\"}'); console.error('no disk'); process.exit(3)";
  await deployServices(db, nodeService(code, { restart: { delay: "50ms", max: "50ms" } }));
  await stateIs(db, 2, "failed");
  const [first] = await attemptRows(db);
  t.is(first?.error?.code, "SERVICE_ENDED");
  t.regex(first?.error?.message ?? "", /exit code 3.*no disk/s);
});

test("a password that a program prints is in neither its log nor its failure", async (t) => {
  const { db } = await bench(t, { QFLOW_CONN_VAULT: "http://me:s3cret-Pa55@vault:1" });
  const code = "console.log(process.env.PASS); console.error('denied for ' + process.env.PASS); process.exit(1)";
  const spec = nodeService("", { restart: { delay: "1h", max: "1h" } });
  const config = { command: [process.execPath, "-e", code], passwords: { PASS: "vault" } };
  await deployServices(db, { ...spec, program: { name: "program", config } });
  await stateIs(db, 1, "failed");
  t.regex((await attemptRows(db))[0]?.error?.message ?? "", /denied for \*+/);
  const { rows } = await db.query("select attempt_id from service_attempt");
  const log = await readServiceLog(db, rows[0]?.attempt_id, 1, 100);
  t.true(log.lines.length > 2);
  t.false(JSON.stringify(log).includes("s3cret-Pa55"));
});

test("what cannot be started says why", async (t) => {
  const { db } = await bench(t);
  const spec = nodeService("");
  await deployServices(db, { ...spec, program: { name: "program", config: { command: ["no-such-program"] } } });
  await stateIs(db, 1, "failed");
  const [first] = await attemptRows(db);
  t.regex(first?.error?.message ?? "", /no-such-program|exit code 127/);
});

test("one that gives no sign of life is killed with all it started, though it will not hear", async (t) => {
  const { db, home } = await bench(t);
  const file = join(home, "pids");
  const code = `
    const { spawn } = require("node:child_process");
    process.on("SIGTERM", () => {});
    const other = spawn("setsid", ["sleep", "1000"], { detached: true, stdio: "ignore" });
    require("node:fs").writeFileSync(${JSON.stringify(file)}, process.pid + " " + other.pid);
    console.log('::qflow:: {"type":"ready"}');
    setInterval(() => {}, 1000);`;
  await deployServices(db, nodeService(code, { healthTimeout: "1s", restart: { delay: "1h", max: "1h" } }));
  await stateIs(db, 1, "failed");
  t.is((await attemptRows(db))[0]?.error?.code, "SERVICE_UNHEALTHY");
  t.deepEqual(readFileSync(file, "utf8").split(" ").map(Number).filter(isProcessAlive), []);
});

test("one that does not end in its time is killed, and that is no failure", async (t) => {
  const { db } = await bench(t);
  const code =
    "process.on('SIGTERM', () => {}); console.log('::qflow:: {\"type\":\"ready\"}'); setInterval(() => {}, 1000)";
  await deployServices(db, nodeService(code, { drain: "300ms" }));
  await stateIs(db, 1, "running");
  await pauseService(db, "counter");
  await stateIs(db, 1, "stopped");
  t.is((await attemptRows(db))[0]?.reason, "paused; killed after its time to end");
});

test("a worker that stops hands its services over in order", async (t) => {
  const { db, worker, journal } = await counting(t);
  await until(() => counts(journal).length > 2);
  await worker.stop("drain");
  t.like((await attemptRows(db))[0], { state: "stopped", reason: "its worker stops" });
  t.is((await db.query("select from service where attempt_id is null and restart_at is null")).rowCount, 1);
});
