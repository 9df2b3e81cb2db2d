import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { hostId } from "../../src/metadata/host-identity.ts";
import { findMarked } from "../../src/processes/table.ts";
import { LostWorkerSearch } from "../../src/scheduler/lost-workers.ts";
import { testDatabase } from "../support/database.ts";
import { attempts, deploy, isProcessAlive, oneTask, runEnd, states, testHome, trigger, until } from "./support.ts";

/** A task that writes its pids, starts a child and one that leaves the group, and then does what it is told. */
function tree(file: string, rest: string): string {
  return `const child = spawn("sleep", ["1000"]);
    const other = spawn("setsid", ["sleep", "1001"], { detached: true, stdio: "ignore" });
    writeFileSync(${JSON.stringify(file)} + ctx.tryNumber, [process.pid, child.pid, other.pid].join(" "));
    if (ctx.tryNumber > 1) { child.kill(); other.kill(); return ctx.tryNumber; }
    ${rest}`;
}

async function pidsIn(file: string): Promise<number[]> {
  await until(() => existsSync(file) && readFileSync(file, "utf8").split(" ").length === 3);
  return readFileSync(file, "utf8").split(" ").map(Number);
}

function startWorker(t: ExecutionContext, db: Database, home: string, ...settings: string[]): ChildProcess {
  const script = join(import.meta.dirname, "worker-process.ts");
  const worker = spawn(process.execPath, [script, db.url, home, ...settings], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  t.teardown(async () => {
    if (worker.exitCode !== null || worker.signalCode !== null) return;
    worker.kill("SIGCONT");
    worker.kill("SIGTERM");
    worker.kill("SIGTERM");
    await exitOf(worker);
  });
  return worker;
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((gone) => child.once("exit", (code) => gone(code)));
}

/** Until the worker has heard that it is to end. */
async function draining(db: Database): Promise<void> {
  await until(async () => (await db.query("select from worker where state = 'active'")).rowCount === 0);
}

async function rescue(db: Database, search: LostWorkerSearch, now: number): Promise<void> {
  await search.look(db, now);
}

for (const [title, rest] of [
  ["waits", "await new Promise(() => setInterval(() => {}, 1000));"],
  ["never yields", "for (;;);"],
] as const) {
  test.serial(`kill -9 of a worker leaves no process of a task that ${title}; the task runs again`, async (t) => {
    const db = await testDatabase(t);
    const home = await testHome(t);
    const file = join(home, "pids");
    await deploy(db, oneTask("tree", tree(file, rest)));
    const worker = startWorker(t, db, home);
    const run = await trigger(db, "tree");
    const pids = await pidsIn(`${file}1`);
    worker.kill("SIGKILL");
    await until(() => !pids.some(isProcessAlive));
    await until(async () =>
      (await findMarked("QFLOW_INSTANCE")).every((p) => p.environment.get("QFLOW_INSTANCE") !== `test-${home}`),
    );
    startWorker(t, db, home);
    await rescue(db, new LostWorkerSearch(await hostId()), performance.now());
    t.is((await runEnd(db, run)).tasks.t, "success");
    t.deepEqual(
      (await attempts(db, run)).map((attempt) => attempt.state),
      ["failed", "success"],
    );
  });
}

test.serial("a worker that starts ends what a dead one left, and nothing of a living one", async (t) => {
  const db = await testDatabase(t);
  const home = await testHome(t);
  const environment = (worker: string) => ({
    PATH: process.env.PATH,
    QFLOW_INSTANCE: `test-${home}`,
    QFLOW_WORKER: worker,
    QFLOW_ATTEMPT: "x",
  });
  const left = spawn("sleep", ["1000"], { detached: true, stdio: "ignore", env: environment("999999:1:a") });
  const stat = readFileSync("/proc/self/stat", "utf8");
  const startedAt = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const kept = spawn("sleep", ["1000"], {
    detached: true,
    stdio: "ignore",
    env: environment(`${process.pid}:${startedAt}:b`),
  });
  t.teardown(() => kept.kill("SIGKILL"));
  startWorker(t, db, home);
  await until(() => left.signalCode !== null);
  t.is(left.signalCode, "SIGKILL");
  t.is(kept.signalCode, null);
});

test.serial("a worker that was suspended past its lease changes nothing and ends what it ran", async (t) => {
  const db = await testDatabase(t);
  const home = await testHome(t);
  const file = join(home, "pids");
  await deploy(db, oneTask("zombie", tree(file, "await new Promise(() => setInterval(() => {}, 1000));")));
  const first = startWorker(t, db, home);
  const run = await trigger(db, "zombie");
  const pids = await pidsIn(`${file}1`);
  first.kill("SIGSTOP");
  await db.query("update worker set state = 'lost', ended_at = now()");
  await rescue(db, new LostWorkerSearch(await hostId()), performance.now());
  const second = startWorker(t, db, home);
  t.is((await runEnd(db, run)).tasks.t, "success");
  t.true(pids.some(isProcessAlive));
  first.kill("SIGCONT");
  await until(() => !pids.some(isProcessAlive));
  t.is(first.exitCode, null);
  t.is(second.exitCode, null);
  t.deepEqual(
    (await attempts(db, run)).map((attempt) => attempt.state),
    ["failed", "success"],
  );
  await until(async () => (await db.query("select from worker where state = 'active'")).rowCount === 2);
});

test.serial("SIGTERM ends a worker that has nothing to do, long before its patience with tasks is over", async (t) => {
  const db = await testDatabase(t);
  const worker = startWorker(t, db, await testHome(t));
  await until(async () => (await db.query("select from worker where state = 'active'")).rowCount === 1);
  worker.kill("SIGTERM");
  await until(() => worker.exitCode !== null);
  t.is(worker.exitCode, 0);
});

test.serial("SIGTERM lets tasks end and takes no more; a second one hands them back uncounted", async (t) => {
  const db = await testDatabase(t);
  const home = await testHome(t);
  const file = join(home, "started");
  await deploy(
    db,
    oneTask(
      "short",
      `writeFileSync(${JSON.stringify(file)}, "1"); await new Promise((next) => setTimeout(next, 1500)); return 1;`,
    ),
  );
  await deploy(
    db,
    oneTask(
      "long",
      `writeFileSync(${JSON.stringify(`${file}-long`)}, "1"); if (ctx.tryNumber === 1) await new Promise(() => setInterval(() => {}, 1000)); return 1;`,
    ),
  );
  const first = startWorker(t, db, home);
  const short = await trigger(db, "short");
  await until(() => existsSync(file));
  first.kill("SIGTERM");
  await draining(db);
  const late = await trigger(db, "short");
  t.is(await exitOf(first), 0);
  t.is((await states(db, short)).tasks.t, "success");
  t.is((await states(db, late)).tasks.t, "queued");
  const second = startWorker(t, db, home);
  t.is((await runEnd(db, late)).tasks.t, "success");
  const long = await trigger(db, "long");
  await until(() => existsSync(`${file}-long`));
  second.kill("SIGTERM");
  await draining(db);
  second.kill("SIGTERM");
  t.is(await exitOf(second), 0);
  t.is((await states(db, long)).tasks.t, "queued");
  const counted = await db.query(
    "select try_number - uncounted_tries as counted from task_instance where dag_run_id = $1",
    [long],
  );
  t.deepEqual(counted.rows, [{ counted: 0 }]);
  startWorker(t, db, home);
  t.is((await runEnd(db, long)).tasks.t, "success");
});

test.serial("ending every database connection again and again fails no task and loses no line", async (t) => {
  t.timeout(120_000);
  const db = await testDatabase(t);
  const home = await testHome(t);
  await deploy(
    db,
    `import { dag } from "qflow";
export default dag("steady", {}, (t) => {
  const list = t.task("list", () => Array.from({ length: 12 }, (_, n) => n));
  t.map("work", list, async (n, ctx) => { for (let i = 0; i < 20; i++) { ctx.log.info("line " + i); await new Promise((next) => setTimeout(next, 50)); } return n; });
});`,
  );
  startWorker(t, db, home, "QFLOW_RUNNERS=3");
  const run = await trigger(db, "steady");
  const ending = new AbortController();
  const chaos = (async () => {
    while (!ending.signal.aborted) {
      await sleep(250);
      await db
        .query(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'test-worker'",
        )
        .catch(() => {});
    }
  })();
  const end = await runEnd(db, run);
  ending.abort();
  await chaos;
  t.is(end.state, "success");
  t.true(Object.values(end.tasks).every((state) => state === "success"));
  const tried = await db.query("select max(try_number) as tries from task_instance where dag_run_id = $1", [run]);
  t.deepEqual(tried.rows, [{ tries: 1 }]);
  const lines = await db.query(
    `select attempt_id, sum(line_count)::integer as lines, max(first_line + line_count - 1) as last from log_chunk
     where attempt_id in (select attempt_id from task_instance where dag_run_id = $1 and task_id = 'work') group by attempt_id`,
    [run],
  );
  t.is(lines.rowCount, 12);
  t.true(lines.rows.every((row) => row.lines === 20 && row.last === 20));
});
