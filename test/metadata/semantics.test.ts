import test from "ava";
import fc from "fast-check";
import { TEARDOWN_RULE, TRIGGER_RULES } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { type AttemptOutcome, type ClaimedTask, finishAndClaim } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, FAILED, statesOf, success, type TaskGiven, type Ending as Told, worker } from "./fixtures.ts";
import { type Ending, type NaiveTask, naiveStates } from "./naive-model.ts";

const ending = fc.constantFrom<Ending>("success", "success", "success", "fail", "skip");

const drawnTask = fc.record({
  kind: fc.constantFrom("function", "function", "branch", "shortCircuit", "map", "map"),
  role: fc.constantFrom("work", "work", "work", "setup", "teardown"),
  rule: fc.oneof(fc.constant("all_success" as const), fc.constantFrom(...TRIGGER_RULES)),
  upstream: fc.array(fc.nat(20), { maxLength: 3 }),
  endings: fc.array(ending, { maxLength: 3 }),
  choice: fc.nat(20),
  proceeds: fc.boolean(),
});

const drawnDag = fc.array(drawnTask, { minLength: 3, maxLength: 9 }).map((drawn): NaiveTask[] => {
  const tasks = drawn.map((one, i): NaiveTask => {
    const upstream = [...new Set(i === 0 ? [] : one.upstream.map((up) => `t${up % i}`))];
    const kind = (one.kind === "map" && upstream.length === 0 ? "function" : one.kind) as NaiveTask["kind"];
    const endings: Ending[] = kind === "map" ? one.endings : [one.endings[0] ?? "success"];
    // Branches, short circuits and maps are work; teardowns have something above them.
    const isPlain = kind === "function" && (one.role === "setup" || upstream.length > 0);
    return {
      ...one,
      id: `t${i}`,
      kind,
      role: (isPlain ? one.role : "work") as NaiveTask["role"],
      upstream,
      endings,
      chooses: [],
      over: kind === "map" ? (upstream[0] as string) : null,
    };
  });
  return tasks.map((task, i) => {
    const below = tasks.filter((other) => other.upstream.includes(task.id)).map(({ id }) => id);
    const chosen = below.length === 0 ? undefined : below[(drawn[i]?.choice ?? 0) % below.length];
    // A map over a map has as many endings as that has items; without one it could not end its items.
    const over = tasks.find(({ id }) => id === task.over);
    const endings: readonly Ending[] = over?.kind === "map" && task.endings.length === 0 ? ["success"] : task.endings;
    return { ...task, endings, chooses: task.kind === "branch" && chosen !== undefined ? [chosen] : [] };
  });
});

/** What is mapped over is the length of the array: everybody returns one, as a map's length is its own. */
function specOf(dagId: string, tasks: readonly NaiveTask[]) {
  return dagSpec(
    dagId,
    tasks.map(({ id, upstream, rule, kind, over, role }): TaskGiven => {
      const given: TaskGiven = { id, upstream: [...upstream], rule, kind, mapOver: over };
      if (role === "teardown") return { ...given, role, rule: TEARDOWN_RULE, onFailure: "ignore" };
      return role === "setup" ? { ...given, role } : given;
    }),
  );
}

function told(task: NaiveTask, tasks: readonly NaiveTask[], { mapIndex }: ClaimedTask): Told {
  const how = task.endings[Math.max(mapIndex, 0) % task.endings.length];
  if (how === "fail") return FAILED;
  if (how === "skip") return { state: "skipped", reason: "asked to" };
  if (task.kind === "branch") return { state: "success", value: null, branch: [...task.chooses] };
  if (task.kind === "shortCircuit") return { state: "success", value: task.proceeds, proceed: task.proceeds };
  const mapper = tasks.find(({ over }) => over === task.id);
  return success(mapper === undefined ? null : mapper.endings.map((_, i) => i));
}

/** Runs a DAG, at each step ending some of what runs; `pick` draws a number below its argument. */
async function runRandomly(db: Database, dagId: string, tasks: readonly NaiveTask[], pick: (n: number) => number) {
  const run = await createRun(db, { dagId, by: "test" });
  const workerId = await worker(db);
  const running: ClaimedTask[] = [];
  let outcomes: AttemptOutcome[] = [];
  for (;;) {
    const reply = await finishAndClaim(db, workerId, outcomes, { functions: 1 + pick(6), operators: 0 });
    running.push(...reply.claimed);
    if (running.length === 0) return statesOf(db, run.id);
    outcomes = [];
    for (let n = 1 + pick(3); n > 0 && running.length > 0; n--) {
      const [ended] = running.splice(pick(running.length), 1) as [ClaimedTask];
      const task = tasks.find(({ id }) => id === ended.taskId) as NaiveTask;
      outcomes.push({ attemptId: ended.attemptId, token: ended.token, ...told(task, tasks, ended) });
    }
  }
}

/** States by task: those of its items, or the one it has; what was left out has one state whether it was expanded before or not. */
function byTask(states: Record<string, string>): Record<string, string> {
  const all = Object.entries(states).map(([name, state]): [string, string] => [name.replace(/\[.*/, ""), state]);
  return Object.fromEntries(
    [...Map.groupBy(all, ([id]) => id)].map(([id, found]) => {
      const list = found.map(([, state]) => state);
      return [id, list.every((state) => state === "skipped") ? "skipped" : list.join(" ")];
    }),
  );
}

/** A map whose mapped-over task maps also for another map would need an array of two lengths. */
function isFair(tasks: readonly NaiveTask[]): boolean {
  const over = tasks.flatMap((task) => (task.over === null ? [] : [task.over]));
  const kinds = new Map(tasks.map((task) => [task.id, task.kind]));
  const plain = over.filter((id) => kinds.get(id) !== "map");
  return new Set(plain).size === plain.length && plain.every((id) => kinds.get(id) === "function");
}

test("every DAG ends as Airflow's rules say, in whatever order its tasks end", async (t) => {
  t.timeout(240_000);
  const db = await testDatabase(t);
  const dags = fc.sample(drawnDag.filter(isFair), {
    numRuns: Number(process.env.QFLOW_TEST_DAGS ?? 30),
    seed: 20261123,
  });
  const numbers = fc.sample(fc.nat(1_000_000), { numRuns: 5000, seed: 7 });
  let drawn = 0;
  const pick = (n: number) => (numbers[drawn++ % numbers.length] as number) % n;
  for (const [i, tasks] of dags.entries()) {
    const dagId = `d${i}`;
    await deploy(db, specOf(dagId, tasks));
    const expected: Record<string, string> = {};
    for (const [id, { states }] of naiveStates(tasks)) expected[id] = states.join(" ");
    for (let order = 0; order < 3; order++) {
      const { run, tasks: states } = await runRandomly(db, dagId, tasks, pick);
      const got = byTask(states);
      const wanted = Object.fromEntries(
        Object.entries(expected).map(([id, list]) => [id, /^(skipped ?)+$/.test(list) ? "skipped" : list]),
      );
      t.deepEqual(got, wanted, `${dagId}, order ${order}: ${JSON.stringify(tasks)}`);
      const counting = tasks.filter(({ role }) => role !== "teardown");
      const leaves = counting.filter((task) => !counting.some((other) => other.upstream.includes(task.id)));
      t.is(run, leaves.some(({ id }) => /failed/.test(expected[id] as string)) ? "failed" : "success", dagId);
    }
  }
});
