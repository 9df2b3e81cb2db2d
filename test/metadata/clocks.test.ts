import test from "ava";
import fc from "fast-check";
import type { Database } from "../../src/metadata/database.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { expireClocks, queueDueRetries } from "../../src/metadata/timers.ts";
import { finishAndClaim, heartbeat } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, FAILED, statesOf, success, work, worker } from "./fixtures.ts";

const ONE = { functions: 1, operators: 0 };

/** Moves everything that waits `ms` into the past. */
async function pass(db: Database, ms: number): Promise<void> {
  const past = `make_interval(secs => ${ms / 1000})`;
  await db.query(
    `update task_instance set queued_at = queued_at - ${past}, start_by = start_by - ${past}, wake_at = wake_at - ${past}`,
  );
  await db.query(`update dag_run set timeout_at = timeout_at - ${past}`);
}

async function reasons(db: Database): Promise<Record<string, string | null>> {
  const rows = await db.query<{ task_id: string; reason: string | null }>("select task_id, reason from task_instance");
  return Object.fromEntries(rows.rows.map(({ task_id, reason }) => [task_id, reason]));
}

test("what is queued longer than its queue timeout fails, with what follows it; each try has its own time", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 1, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" as const };
  await deploy(
    db,
    dagSpec("d", [{ id: "a", queueTimeoutMs: 60_000, retry }, { id: "b", upstream: ["a"] }, { id: "free" }]),
  );
  const { id } = await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  await pass(db, 30_000);
  t.deepEqual(await expireClocks(db), { runs: 0, instances: 0 });
  const [a] = (await finishAndClaim(db, workerId, [], ONE)).claimed;
  t.is(a?.taskId, "a");
  await pass(db, 31_000);
  t.is((await expireClocks(db)).instances, 0);
  await finishAndClaim(db, workerId, [{ attemptId: a?.attemptId as string, token: a?.token as string, ...FAILED }], {
    functions: 0,
    operators: 0,
  });
  await queueDueRetries(db);
  t.is((await expireClocks(db)).instances, 0);
  await pass(db, 61_000);
  t.is((await expireClocks(db)).instances, 1);
  t.deepEqual((await statesOf(db, id)).tasks, { a: "failed", b: "upstream_failed", free: "queued" });
  t.is((await reasons(db)).a, "queue timeout");
});

test("what has not started in time fails, undecided or queued, and a map as a whole; what has started is left alone", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [
      { id: "slow" },
      { id: "early", startTimeoutMs: 60_000 },
      { id: "late", upstream: ["slow"], startTimeoutMs: 60_000 },
      { id: "map", kind: "map", mapOver: "slow", upstream: ["slow"], startTimeoutMs: 60_000 },
      { id: "after", upstream: ["late"], rule: "all_failed" },
    ]),
  );
  const { id } = await createRun(db, { dagId: "d", by: "test" });
  await finishAndClaim(db, await worker(db), [], { functions: 2, operators: 0 });
  await pass(db, 61_000);
  t.is((await expireClocks(db)).instances, 2);
  t.deepEqual((await statesOf(db, id)).tasks, {
    slow: "running",
    early: "running",
    late: "failed",
    map: "failed",
    after: "queued",
  });
  t.is((await reasons(db)).late, "start timeout");
});

test("a run past its timeout ends failed: what waits is skipped, what runs is revoked, teardowns still run", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec(
    "d",
    [
      { id: "make", role: "setup" },
      { id: "use", upstream: ["make"], retry: { retries: 5, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } },
      { id: "next", upstream: ["use"] },
      { id: "take", role: "teardown", rule: "all_done_setup_success", onFailure: "ignore", upstream: ["make", "next"] },
    ],
    { timeoutMs: 60_000 },
  );
  await deploy(db, spec);
  const { id } = await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const [make] = (await finishAndClaim(db, workerId, [], ONE)).claimed;
  const ended = { attemptId: make?.attemptId as string, token: make?.token as string, ...success() };
  const [use] = (await finishAndClaim(db, workerId, [ended], ONE)).claimed;
  await pass(db, 61_000);
  t.is((await expireClocks(db)).runs, 1);
  t.is((await expireClocks(db)).runs, 0);
  t.deepEqual((await heartbeat(db, workerId)).revoked, [{ attemptId: use?.attemptId as string, reason: "cancelled" }]);
  await finishAndClaim(
    db,
    workerId,
    [{ attemptId: use?.attemptId as string, token: use?.token as string, ...FAILED }],
    { functions: 0, operators: 0 },
  );
  await work(db, () => success(), { workerId });
  t.deepEqual(await statesOf(db, id), {
    run: "failed",
    tasks: { make: "success", use: "failed", next: "skipped", take: "success" },
  });
  t.is((await reasons(db)).next, "the run timed out");
});

test("the clocks are read from their indexes", async (t) => {
  const db = await testDatabase(t, { max: 1 });
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await createRun(db, { dagId: "d", by: "test" });
  await db.query(
    `insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, map_index, rule, expands, up_total, lane, pool,
       pool_slots, priority)
     select dag_run_id, version_id, dag_id, task_id, task_index, i, rule, false, 0, lane, pool, 1, 0
     from task_instance, generate_series(1, 3000) i`,
  );
  await db.query("update task_instance set state = 'queued', queued_at = now() where state = 'none'");
  await db.query("analyze task_instance");
  await db.query("set enable_seqscan = off");
  const plan = async (query: string) =>
    (await db.query<{ "QUERY PLAN": string }>(`explain ${query}`)).rows.map((row) => row["QUERY PLAN"]).join("\n");
  t.regex(
    await plan(`select id from task_instance where state = 'queued' and queue_timeout is not null
      and (queued_at at time zone 'UTC') + queue_timeout <= (now() at time zone 'UTC')`),
    /task_instance_queue_timeout/,
  );
  t.regex(
    await plan(
      "select id from task_instance where state in ('none', 'scheduled', 'queued') and start_by is not null and start_by <= now()",
    ),
    /task_instance_start_by/,
  );
  t.regex(
    await plan(
      "select id from dag_run where state = 'running' and timeout_at <= now() and cancel_requested_at is null",
    ),
    /dag_run_timeout/,
  );
});

test("the delay before a try is exponential and capped; full jitter draws it evenly below that", async (t) => {
  const db = await testDatabase(t);
  const whole = { min: 0, max: 100_000 };
  const cases = fc.sample(
    fc.record({
      delay: fc.integer(whole),
      factor: fc.double({ min: 1, max: 4, noNaN: true }),
      max: fc.integer(whole),
      failures: fc.integer({ min: 1, max: 80 }),
    }),
    300,
  );
  const tasks = cases.flatMap(({ delay, factor, max }, i) =>
    (["none", "full"] as const).map((jitter) => ({
      id: `${jitter}_${i}`,
      retry: { retries: 1, delayMs: delay, factor, maxMs: max, jitter },
    })),
  );
  await deploy(db, dagSpec("d", tasks));
  const delays = await db.query<{ none: number; full: number }>(
    `select extract(epoch from retry_delay(v.id, (2 * i - 2)::integer, n))::float8 * 1000 as "none",
       extract(epoch from retry_delay(v.id, (2 * i - 1)::integer, n))::float8 * 1000 as "full"
     from dag_version v, unnest($1::integer[]) with ordinality c (n, i) where v.dag_id = 'd' order by i`,
    [cases.map(({ failures }) => failures)],
  );
  let share = 0;
  let drawn = 0;
  for (const [i, { delay, factor, max, failures }] of cases.entries()) {
    const { none, full } = delays.rows[i] as { none: number; full: number };
    const expected = Math.min(max, delay * factor ** (Math.min(failures, 60) - 1));
    t.true(Math.abs(none - expected) <= 1 + expected * 1e-6, JSON.stringify({ ...cases[i], none, expected }));
    t.true(full >= 0 && full <= none + 1);
    if (none > 100) {
      share += full / none;
      drawn++;
    }
  }
  t.true(Math.abs(share / drawn - 0.5) < 0.12, `the mean share of the delay is ${share / drawn}`);
});

test("a failure that says when is tried again then, and counts", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 1, delayMs: 1000, factor: 1, maxMs: 1000, jitter: "none" as const };
  await deploy(db, dagSpec("d", [{ id: "a", retry }]));
  const { id } = await createRun(db, { dagId: "d", by: "test" });
  const limited = { ...FAILED, retryAfterMs: 900_000 } as typeof FAILED;
  await work(db, () => limited);
  await pass(db, 800_000);
  t.is(await queueDueRetries(db), 0);
  await pass(db, 100_000);
  t.is(await queueDueRetries(db), 1);
  await work(db, () => limited);
  t.is((await statesOf(db, id)).tasks.a, "failed");
});
