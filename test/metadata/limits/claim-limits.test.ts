import test from "ava";
import fc from "fast-check";
import type { Database } from "../../../src/metadata/database.ts";
import { createRun } from "../../../src/metadata/runs.ts";
import { type ClaimedTask, finishAndClaim } from "../../../src/metadata/work.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy, success, type TaskGiven, worker } from "../fixtures.ts";

const POOLS = ["default_pool", "p1", "p2"] as const;
const QUEUES = ["default", "heavy"] as const;

/** A random world: pools, DAGs with limits of every kind, how many runs each gets, and what workers take. */
const world = fc.record({
  slots: fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 1, max: 5 })),
  dags: fc.array(
    fc.record({
      runs: fc.integer({ min: 1, max: 3 }),
      maxActiveTasks: fc.integer({ min: 1, max: 6 }),
      limit: fc.integer({ min: 1, max: 2 }),
      tasks: fc.array(
        fc.record({
          pool: fc.constantFrom(...POOLS),
          poolSlots: fc.integer({ min: 1, max: 3 }),
          priority: fc.integer({ min: 0, max: 2 }),
          maxActive: fc.option(fc.integer({ min: 1, max: 2 })),
          queue: fc.constantFrom(...QUEUES),
          isKeyed: fc.boolean(),
          isOperator: fc.boolean(),
        }),
        { minLength: 1, maxLength: 6 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  workers: fc.array(
    fc.record({
      functions: fc.integer({ min: 0, max: 4 }),
      operators: fc.integer({ min: 0, max: 6 }),
      queues: fc.constantFrom<readonly string[]>(["default"], ["heavy"], ["default", "heavy"]),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

async function build(db: Database, given: World): Promise<void> {
  for (const [i, name] of POOLS.entries())
    await db.query("insert into pool (name, slots) values ($1, $2) on conflict (name) do update set slots = $2", [
      name,
      given.slots[i],
    ]);
  const specs = given.dags.map((dag, d) =>
    dagSpec(
      `d${d}`,
      dag.tasks.map(
        ({ isKeyed, isOperator, ...task }, i): TaskGiven => ({
          ...task,
          id: `t${i}`,
          ...(isOperator ? { kind: "operator", operator: { name: "op", config: {} } } : {}),
          ...(isKeyed ? { concurrency: { key: { $param: ["k"] }, limit: dag.limit } } : {}),
        }),
      ),
      { maxActiveTasks: dag.maxActiveTasks },
    ),
  );
  await deploy(db, ...specs);
  for (const [d, dag] of given.dags.entries())
    for (let n = 0; n < dag.runs; n++) await createRun(db, { dagId: `d${d}`, conf: { k: n % 2 }, by: "test" });
}

/** What the limits allow and what there is, row by row: the plain statement of the rules. */
const BROKEN = `
  select 'pool ' || p.name as what from pool p
    where p.slots < (select coalesce(sum(pool_slots), 0) from task_instance t where t.pool = p.name and t.state = 'running')
  union all select 'run ' || r.id from dag_run r join dag_version v on v.id = r.version_id
    where v.max_active_tasks < (select count(*) from task_instance t where t.dag_run_id = r.id and t.state = 'running')
  union all select 'task ' || t.dag_id || '.' || t.task_id from task_instance t where t.state = 'running' and t.max_active < (
    select count(*) from task_instance o where o.state = 'running' and o.dag_id = t.dag_id and o.task_id = t.task_id)
  union all select 'key ' || t.dag_id || ' ' || t.concurrency_key from task_instance t where t.state = 'running' and t.concurrency_limit < (
    select count(*) from task_instance o where o.state = 'running' and o.dag_id = t.dag_id and o.concurrency_key = t.concurrency_key)`;

const CLAIMABLE = `
  select t.id, t.lane from task_instance t join dag_run r on r.id = t.dag_run_id join dag_version v on v.id = r.version_id
    join pool p on p.name = t.pool
  where t.state = 'queued' and t.queue = any ($1) and t.lane = any ($2)
    and t.pool_slots <= p.slots - (select coalesce(sum(o.pool_slots), 0) from task_instance o where o.pool = t.pool and o.state = 'running')
    and v.max_active_tasks > (select count(*) from task_instance o where o.dag_run_id = t.dag_run_id and o.state = 'running')
    and (t.max_active is null or t.max_active > (
      select count(*) from task_instance o where o.state = 'running' and o.dag_id = t.dag_id and o.task_id = t.task_id))
    and (t.concurrency_key is null or t.concurrency_limit > (
      select count(*) from task_instance o where o.state = 'running' and o.dag_id = t.dag_id and o.concurrency_key = t.concurrency_key))`;

interface Claimer {
  readonly workerId: string;
  readonly functions: number;
  readonly operators: number;
  readonly queues: readonly string[];
}

async function claimers(db: Database, given: World): Promise<Claimer[]> {
  return Promise.all(
    given.workers.map(async (one) => {
      const workerId = await worker(db);
      await db.query("update worker set queues = $2 where worker_id = $1", [workerId, one.queues]);
      return { ...one, workerId };
    }),
  );
}

function outcomesOf(claimed: readonly ClaimedTask[]) {
  return claimed.map(({ attemptId, token }) => ({ attemptId, token, ...success() }));
}

test("no claim leaves anything behind that the worker had room for and every limit allowed", async (t) => {
  const db = await testDatabase(t);
  await fc.assert(
    fc.asyncProperty(world, async (given) => {
      await db.query("delete from dag");
      await db.query("delete from claim_turn");
      await build(db, given);
      for (const one of await claimers(db, given)) {
        const { claimed } = await finishAndClaim(db, one.workerId, [], one);
        const lanes = { function: 0, operator: 0 };
        for (const task of claimed) lanes[task.operator === null ? "function" : "operator"]++;
        t.deepEqual((await db.query(BROKEN)).rows, []);
        t.true(lanes.function <= one.functions && lanes.operator <= one.operators);
        const open = [
          ...(lanes.function < one.functions ? ["function"] : []),
          ...(lanes.operator < one.operators ? ["operator"] : []),
        ];
        t.deepEqual((await db.query(CLAIMABLE, [one.queues, open])).rows, []);
        // What is left running keeps its slots from the next worker.
        await finishAndClaim(db, one.workerId, outcomesOf(claimed.slice(0, claimed.length >> 1)), {
          functions: 0,
          operators: 0,
        });
      }
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

test("workers that claim at once are never over a limit at any commit, and everything gets done", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  await fc.assert(
    fc.asyncProperty(world, async (given) => {
      await db.query("delete from dag");
      const roomy: World = { ...given, slots: [given.slots[0] + 3, given.slots[1] + 3, given.slots[2] + 3] };
      await build(db, roomy);
      const all = { functions: 2, operators: 2, queues: QUEUES };
      const workers = await claimers(db, { ...roomy, workers: [all, ...roomy.workers] });
      const seen: unknown[] = [];
      let busy = true;
      const watch = (async () => {
        while (busy) seen.push(...(await db.query(BROKEN)).rows);
      })();
      await Promise.all(workers.map((one) => workUntilDone(db, one)));
      busy = false;
      await watch;
      t.deepEqual(seen, []);
    }),
    { numRuns: 4, endOnFailure: true },
  );
});

async function workUntilDone(db: Database, one: Claimer): Promise<void> {
  let claimed: readonly ClaimedTask[] = [];
  for (;;) {
    claimed = (await finishAndClaim(db, one.workerId, outcomesOf(claimed), one)).claimed;
    if (claimed.length > 0) continue;
    const left = await db.query("select from task_instance where state in ('queued', 'running', 'none') limit 1");
    if (left.rowCount === 0) return;
  }
}
