/** Faults of processes and of the database, as the matrix of docs/reliability.md numbers them: what is injected, what must follow. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { cancelRun, createRun } from "../../src/metadata/runs.ts";
import { findMarked } from "../../src/processes/table.ts";
import { allEnded, Late, MINUTE, ready, type Scenario, scenario } from "./scenario.ts";
import { exitOf, type World } from "./world.ts";

/** Processes that run task functions. */
async function runnerPids(world: World): Promise<number[]> {
  const found = await findMarked("QFLOW_WORKER");
  const own = found.filter(({ environment }) => environment.get("QFLOW_INSTANCE") === `test-${world.home}`);
  return own
    .map(({ pid }) => pid)
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("runner-main"));
}

/** Schedulers, workers, runners, PostgreSQL, people. */
export const PROCESS_SCENARIOS: readonly Scenario[] = [
  scenario(
    "F1",
    "a scheduler is killed: another goes on within 2 s, one that is started again within 5 s",
    async (world) => {
      const [first, second] = [world.scheduler(), world.scheduler()];
      world.worker();
      await ready(world);
      // A retry is queued by a scheduler and by nobody else.
      const usual = await world.runEnded(await world.run("again"), MINUTE);
      await world.kill(first);
      const otherScheduler = await world.runEnded(await world.run("again"), MINUTE);
      await world.kill(second);
      const run = await world.run("again");
      world.scheduler();
      const startedAgain = await world.runEnded(run, MINUTE);
      const figures = { usual, otherScheduler, startedAgain };
      if (otherScheduler > usual + 2_000 || startedAgain > usual + 5_000) throw new Late(figures);
      return figures;
    },
  ),
  scenario("F2", "five schedulers do what one does", async (world) => {
    for (let i = 0; i < 5; i++) world.scheduler();
    world.worker();
    const runs = await Promise.all(Array.from({ length: 6 }, () => world.run("mixed")));
    return { sixRuns: await allEnded(world, runs, MINUTE) };
  }),
  scenario("F3", "a scheduler that is suspended and goes on doubles nothing", async (world) => {
    const first = world.scheduler();
    world.scheduler();
    world.worker();
    await ready(world);
    first.child.kill("SIGSTOP");
    const runs = await Promise.all(Array.from({ length: 4 }, () => world.run("mixed")));
    await sleep(1_000);
    first.child.kill("SIGCONT");
    return { fourRuns: await allEnded(world, runs, MINUTE) };
  }),
  scenario(
    "F4",
    "with no wake-up heard, a task still starts within the poll of 1 s and half a second",
    async (world) => {
      world.scheduler();
      world.worker();
      await ready(world);
      const waits: number[] = [];
      for (let i = 0; i < 5; i++) {
        const made = await world.db.transaction(async (sql) => {
          // A run that is made without NOTIFY, as if every wake-up were lost.
          const found = await sql.query<{ id: string; version: string }>(
            "select version_id as version from dag where dag_id = 'quick'",
          );
          const run = await sql.query<{ id: number }>(
            "select create_run('quick', $1, $2, 'manual', null, null, null, null, '{}', '{}', 'chaos')::float8 as id",
            [`silent-${i}`, found.rows[0]?.version],
          );
          await sql.query("select start_runs('quick')");
          return run.rows[0]?.id as number;
        });
        waits.push(await world.runEnded(made, 10_000));
      }
      if (Math.max(...waits) > 2_500) throw new Error(`a task ended ${Math.max(...waits)} ms after it was queued`);
      return { slowestOfFive: Math.max(...waits) };
    },
  ),
  scenario(
    "F5",
    "a worker is killed: its task runs again within 5 s on the same host, 25 s on another; its processes are gone",
    async (world) => {
      world.scheduler();
      const here = world.worker();
      let run = await world.run("long");
      await world.tryRuns(run, 1, MINUTE);
      await world.kill(here);
      const second = world.worker("elsewhere");
      const sameHost = await world.tryStarted(run, 2, 20_000);
      await world.runEnded(run, MINUTE);
      run = await world.run("long");
      await world.tryRuns(run, 1, MINUTE);
      await world.kill(second);
      world.worker();
      const otherHost = await world.runEnded(run, 40_000);
      if (sameHost > 5_000 || otherHost > 26_000) throw new Late({ sameHost, otherHost });
      return { sameHost, otherHost };
    },
  ),
  scenario(
    "F6",
    "a worker suspended past its lease changes nothing and ends what it ran within 5 s of waking",
    async (world) => {
      world.scheduler();
      const zombie = world.worker("elsewhere");
      const run = await world.run("long");
      await world.tryRuns(run, 1, MINUTE);
      zombie.child.kill("SIGSTOP");
      world.worker();
      const takenOver = await world.runEnded(run, 40_000);
      const woken = performance.now();
      zombie.child.kill("SIGCONT");
      await world.until(
        "select from worker where host_id = 'elsewhere' and state = 'active' and started_at > now() - interval '20 s'",
        [],
        10_000,
      );
      const renewed = Math.round(performance.now() - woken);
      await sleep(4_000);
      return { takenOver, renewed };
    },
  ),
  scenario("F7", "TERM lets tasks end and takes no more; a second one hands them back uncounted", async (world) => {
    world.scheduler();
    const first = world.worker();
    const run = await world.run("long");
    await world.tryRuns(run, 1, MINUTE);
    first.child.kill("SIGTERM");
    await sleep(500);
    const asked = performance.now();
    first.child.kill("SIGTERM");
    await exitOf(first.child);
    const gone = Math.round(performance.now() - asked);
    world.worker();
    await world.runEnded(run, MINUTE);
    const counted = await world.db.query(
      "select from task_instance where dag_run_id = $1 and try_number - uncounted_tries > 1",
      [run],
    );
    if ((counted.rowCount ?? 0) > 0) throw new Error("the hand-over was counted as a try");
    return { handedBack: gone };
  }),
  scenario("F10", "a runner is killed: its attempt is tried again, the worker lives", async (world) => {
    world.scheduler();
    const worker = world.worker();
    const run = await world.run("long");
    await world.tryRuns(run, 1, MINUTE);
    const runners = await runnerPids(world);
    if (runners.length === 0) throw new Error("there is no runner");
    for (const pid of runners) process.kill(pid, "SIGKILL");
    const again = await world.runEnded(run, MINUTE);
    if (worker.child.exitCode !== null || worker.child.signalCode !== null) throw new Error("the worker ended");
    return { again };
  }),
  scenario(
    "F12",
    "PostgreSQL crashes: everything goes on within 5 s of its return, no task fails for it",
    async (world) => {
      world.scheduler();
      world.worker();
      await ready(world);
      const runs = await Promise.all(Array.from({ length: 3 }, () => world.run("mixed")));
      await sleep(300);
      const answered = await world.restartPostgres();
      const run = await world.run("quick");
      await world.runEnded(run, MINUTE);
      const resumed = Math.round(performance.now() - answered);
      await allEnded(world, runs, MINUTE);
      if (resumed > 6_000) throw new Late({ resumed });
      return { resumed };
    },
  ),
  scenario("F13", "every connection is ended once a second: no task fails, nothing runs twice", async (world) => {
    world.scheduler();
    world.worker();
    await ready(world);
    const runs = await Promise.all(Array.from({ length: 4 }, () => world.run("mixed")));
    for (let i = 0; i < 10; i++) {
      await world.terminateBackends();
      await sleep(1_000);
    }
    const ended = await allEnded(world, runs, MINUTE);
    const tries = await world.db.query<{ most: number }>(
      "select max(try_number) as most from task_instance where dag_id = 'mixed'",
    );
    if (tries.rows[0]?.most !== 1) throw new Error(`a task was tried ${tries.rows[0]?.most} times`);
    return { afterTheLast: ended };
  }),
  scenario("F14", "the answer to a commit is lost: what was done is known, nothing is done twice", async (world) => {
    world.scheduler();
    world.worker("", "proxy");
    await ready(world);
    const runs = await Promise.all(Array.from({ length: 4 }, () => world.run("mixed")));
    for (let i = 0; i < 8; i++) {
      world.proxy.mode = { loseAnswerOf: "finish_and_claim" };
      await sleep(400);
    }
    world.proxy.mode = {};
    const ended = await allEnded(world, runs, MINUTE);
    const tries = await world.db.query<{ most: number }>(
      "select max(try_number) as most from task_instance where dag_id = 'mixed'",
    );
    if (tries.rows[0]?.most !== 1) throw new Error(`a task was tried ${tries.rows[0]?.most} times`);
    return { answersLost: world.proxy.lost, afterTheLast: ended };
  }),
  scenario(
    "F15",
    "somebody holds the locks of the runs for 5 s: everything goes on when they are free",
    async (world) => {
      world.scheduler();
      world.worker();
      await ready(world);
      const runs = await Promise.all(Array.from({ length: 3 }, () => world.run("mixed")));
      await world.db.transaction(async (sql) => {
        await sql.query("select from dag_run for update");
        await sleep(5_000);
      });
      return { afterTheLocks: await allEnded(world, runs, MINUTE) };
    },
  ),
  scenario("F37", "two people at once: one of two wins, no run is stuck", async (world) => {
    world.scheduler();
    world.worker();
    await ready(world);
    const twice = await Promise.allSettled(
      [1, 2].map(() => createRun(world.db, { dagId: "quick", runId: "same", by: "chaos" })),
    );
    const run = await world.run("long");
    await world.tryRuns(run, 1, MINUTE);
    const found = await world.db.query<{ run_id: string }>("select run_id from dag_run where id = $1", [run]);
    await Promise.allSettled([1, 2].map(() => cancelRun(world.db, "long", found.rows[0]?.run_id ?? "")));
    const cancelled = await world.runEnded(run, 30_000);
    await world.forget(run);
    const won = twice.filter(({ status }) => status === "fulfilled").length;
    if (won !== 1) throw new Error(`${won} of two runs of one id were made`);
    return { cancelled };
  }),
];
