/** Real processes that are killed and stopped: no second writer, nothing lost, nothing left. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import pg from "pg";
import type { Database } from "../../src/metadata/database.ts";
import { hostId } from "../../src/metadata/host-identity.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { tendServices } from "../../src/metadata/services/work.ts";
import { signalProcess } from "../../src/processes/ending.ts";
import { findMarked } from "../../src/processes/table.ts";
import { LostWorkerSearch } from "../../src/scheduler/lost-workers.ts";
import { monotonicMs } from "../../src/worker/services/guard-protocol.ts";
import { testDatabase } from "../support/database.ts";
import { attemptRows, COUNTER, deployServices, nodeService, workerProcess } from "./service-support.ts";
import { isProcessAlive, testHome, until } from "./support.ts";

const LONG_MS = 90_000;

interface Place {
  readonly db: Database;
  readonly home: string;
  readonly journal: string;
}

async function place(t: ExecutionContext): Promise<Place> {
  const db = await testDatabase(t);
  const home = await testHome(t);
  const journal = join(home, "journal");
  const restart = { delay: "50ms", max: "50ms" } as const;
  await deployServices(db, nodeService(COUNTER, { restart }, { JOURNAL: journal }));
  return { db, home, journal };
}

/** What was written, as `[token, count, pid]`. */
function written(journal: string): [number, number, number][] {
  if (!existsSync(journal)) return [];
  const lines = readFileSync(journal, "utf8").trim().split("\n");
  return lines.map((line) => line.split(" ").map(Number) as [number, number, number]);
}

async function writes(journal: string, token: number): Promise<number> {
  await until(() => written(journal).some(([by]) => by === token), LONG_MS);
  return written(journal).find(([by]) => by === token)?.[2] ?? 0;
}

/** A killed writer may have written a count without keeping it: the next one writes it again, and none is left out. */
function assertOneAfterTheOther(t: ExecutionContext, journal: string): void {
  let [lastToken, lastCount] = [0, 0];
  for (const [token, count] of written(journal)) {
    t.true(token >= lastToken, `token ${token} wrote after ${lastToken}`);
    t.true(count === lastCount + 1 || (token > lastToken && count === lastCount), `${count} came after ${lastCount}`);
    [lastToken, lastCount] = [token, count];
  }
}

/** What schedulers do, until the test ends. */
function tend(t: ExecutionContext, { db }: Place): void {
  let over = false;
  const loop = (async () => {
    const search = new LostWorkerSearch(await hostId());
    while (!over) {
      await search.look(db, performance.now());
      await tendServices(db);
      await new Promise((next) => setTimeout(next, 200));
    }
  })();
  t.teardown(async () => {
    over = true;
    await loop.catch(() => {});
  });
}

async function guardOf(program: number): Promise<number> {
  const stat = readFileSync(`/proc/${program}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function gone(worker: ChildProcess): Promise<unknown> {
  return new Promise((exited) => worker.once("exit", exited));
}

test.serial("kill -9 of a worker ends its service at once; another worker goes on where it was", async (t) => {
  const here = await place(t);
  tend(t, here);
  const first = workerProcess(t, here.db, here.home);
  const program = await writes(here.journal, 1);
  const died = gone(first);
  first.kill("SIGKILL");
  await died;
  // Long before its lease is over.
  await until(() => !isProcessAlive(program), 10_000);
  workerProcess(t, here.db, here.home);
  await writes(here.journal, 2);
  t.is((await attemptRows(here.db))[0]?.state, "lost");
  assertOneAfterTheOther(t, here.journal);
  t.deepEqual(await findViolations(here.db), []);
});

test.serial("a program or a guard that is killed is replaced, and the count goes on", async (t) => {
  const here = await place(t);
  workerProcess(t, here.db, here.home);
  const first = await writes(here.journal, 1);
  signalProcess(first, "SIGKILL");
  const second = await writes(here.journal, 2);
  signalProcess(await guardOf(second), "SIGKILL");
  await writes(here.journal, 3);
  t.false(isProcessAlive(second));
  assertOneAfterTheOther(t, here.journal);
  const states = (await attemptRows(here.db)).map(({ state, error }) => [state, error?.code]);
  t.deepEqual(states.slice(0, 2), [
    ["failed", "SERVICE_ENDED"],
    ["failed", "SERVICE_ENDED"],
  ]);
});

test.serial("of a worker that hangs while another has its service, nothing writes any more", async (t) => {
  const here = await place(t);
  tend(t, here);
  const zombie = workerProcess(t, here.db, here.home);
  const program = await writes(here.journal, 1);
  zombie.kill("SIGSTOP");
  // As if its lease had run out: the other one is on the same host, and ends what it finds there.
  await here.db.query("update worker set lease_expires_at = now() - interval '1 s'");
  await here.db.query("update worker set state = 'lost', ended_at = now()");
  workerProcess(t, here.db, here.home);
  await writes(here.journal, 2);
  t.false(isProcessAlive(program));
  zombie.kill("SIGCONT");
  const before = written(here.journal).length;
  await until(() => written(here.journal).length > before + 20, LONG_MS);
  assertOneAfterTheOther(t, here.journal);
  t.deepEqual(await findViolations(here.db), []);
});

test.serial(
  "a guard ends its program, and what left the group, when it is not trusted any more or its worker is gone",
  async (t) => {
    const home = await testHome(t);
    const guard = join(import.meta.dirname, "../../src/worker/services/guard-main.ts");
    const code = `
    const { fork } = require("node:child_process");
    const guard = fork(${JSON.stringify(guard)}, [], { detached: true });
    guard.send(JSON.parse(process.argv[1]));
    process.on("message", (message) => guard.send(message));`;
    const start = async (file: string) => {
      const pids = join(home, file);
      const script = `setsid sleep 1000 & echo $$ $! > ${pids}; sleep 1000`;
      const marker = { name: "QFLOW_ATTEMPT", value: `test-${home}-${file}` };
      const env = { PATH: process.env.PATH, [marker.name]: marker.value };
      const what = { type: "start", file: "bash", args: ["-c", script], env, cwd: home, marker };
      const message = JSON.stringify({ ...what, trustedUntil: monotonicMs() + 1_000_000 });
      const worker = spawn(process.execPath, ["-e", code, message], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
      t.teardown(() => worker.kill("SIGKILL"));
      await until(() => existsSync(pids) && readFileSync(pids, "utf8").trim().split(" ").length === 2, LONG_MS);
      return {
        worker,
        left: async () =>
          (await findMarked("QFLOW_ATTEMPT")).filter((one) => one.environment.get("QFLOW_ATTEMPT") === marker.value),
      };
    };
    const distrusted = await start("distrusted");
    const orphaned = await start("orphaned");
    for (const { left } of [distrusted, orphaned]) t.true((await left()).length >= 2);
    distrusted.worker.send({ type: "trust", trustedUntil: monotonicMs() - 1 });
    orphaned.worker.kill("SIGKILL");
    await until(async () => (await orphaned.left()).length === 0);
    await until(async () => (await distrusted.left()).length === 0);
  },
);

/** Until a process is gone that is told to end, and told again: what is told twice at once is heard once. */
async function endsWhenToldAgain(worker: ChildProcess): Promise<void> {
  const telling = setInterval(() => worker.kill("SIGTERM"), 1_000);
  worker.kill("SIGTERM");
  await gone(worker);
  clearInterval(telling);
}

test.serial(
  "a worker that is told to end twice ends, whatever its service does and whether the database answers or not",
  async (t) => {
    t.timeout(240_000);
    const here = await place(t);
    const stubborn = COUNTER.replace("process.exit(0)", "void 0");
    await deployServices(here.db, nodeService(stubborn, {}, { JOURNAL: here.journal }));
    const first = workerProcess(t, here.db, here.home, "QFLOW_DRAIN=3600");
    const program = await writes(here.journal, 1);
    await endsWhenToldAgain(first);
    t.false(isProcessAlive(program));

    const second = workerProcess(t, here.db, here.home, "QFLOW_DRAIN=3600");
    const next = await writes(here.journal, 2);
    await lockOut(here.db);
    await endsWhenToldAgain(second);
    t.false(isProcessAlive(next));
  },
);

/** From now on nobody gets into the database; who is in it is thrown out. */
async function lockOut(db: Database): Promise<void> {
  const url = new URL(db.url);
  const name = url.pathname.slice(1);
  url.pathname = "/postgres";
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  await admin.query(`alter database "${name}" allow_connections false`);
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [name]);
  await admin.end();
}
