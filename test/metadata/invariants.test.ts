import test from "ava";
import type { Database, Sql } from "../../src/metadata/database.ts";
import { findViolations, INVARIANTS } from "../../src/metadata/invariants.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { appendLog, type ClaimedTask, finishAndClaim } from "../../src/metadata/work.ts";
import { createDatasetRuns } from "../../src/scheduler/dataset-runs.ts";
import { createDueRuns } from "../../src/scheduler/due-runs.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, success, work, worker } from "./fixtures.ts";
import { serviceWithHistory } from "./service-fixture.ts";

/** What breaks a healthy database, by the invariant and the problem that must be found. */
const PLANTED: readonly (readonly [string, string, string])[] = [
  [
    "I1",
    "two scheduled runs of one tick",
    `drop index dag_run_tick; insert into dag_run (dag_id, run_id, version_id, kind, logical_date, triggered_by, state)
     select dag_id, 'again', version_id, kind, logical_date, 'test', 'success' from dag_run where kind = 'scheduled' limit 1`,
  ],
  [
    "I1",
    "a scheduled run of a tick that is not settled",
    "update dag set scheduled_until = scheduled_until - interval '1 day' where dag_id = 'ticks'",
  ],
  [
    "I1",
    "the next tick is settled already",
    "update dag set next_logical_date = scheduled_until where dag_id = 'ticks'",
  ],
  [
    "I1",
    "an event started two runs of one consumer",
    `insert into dag_run_event (dag_run_id, event_id) select max(r.id), min(e.event_id) from dag_run r, dag_run_event e
     where r.dag_id = 'consumer'`,
  ],
  [
    "I1",
    "a consumer passed over an event",
    "delete from dag_run_event where event_id = (select max(event_id) from dag_run_event)",
  ],
  ["I2", "attempts are not numbered without gaps", "update task_attempt set try_number = 7 where state = 'success'"],
  ["I2", "tries without attempts", "update task_instance set try_number = 1 where state = 'none'"],
  [
    "I2",
    "two running attempts",
    `insert into task_attempt (task_instance_id, dag_run_id, try_number, worker_id, claim_id)
     select task_instance_id, dag_run_id, 2, worker_id, claim_id from task_attempt where state = 'running'`,
  ],
  [
    "I2",
    "a running attempt of an instance that does not run it",
    "update task_instance set attempt_id = null where state = 'running'",
  ],
  [
    "I2",
    "an instance runs without a running attempt",
    "update task_attempt set state = 'failed' where state = 'running'",
  ],
  [
    "I3",
    "a success of an attempt that did not succeed",
    "update task_attempt set state = 'failed' where state = 'success'",
  ],
  ["I3", "a fenced attempt that succeeded", "update task_attempt set fenced = true where state = 'success'"],
  [
    "I3",
    "an event of an attempt that did not succeed",
    "update task_attempt set fenced = true where state = 'success'",
  ],
  [
    "I3",
    "a value of an instance that did not succeed",
    "insert into xcom (task_instance_id, value, size) select id, '1', 1 from task_instance where state = 'running'",
  ],
  [
    "I4",
    "the same content is loaded twice",
    `insert into file_manifest (connection, path, version, feed, state, bytes, sha256, rows_read, rows_loaded, rows_duplicate, rows_quarantined)
     select 'c', 'p' || n, 1, 'f', 'loaded', 1, 'x', 1, 1, 0, 0 from generate_series(1, 2) n`,
  ],
  [
    "I4",
    "rows of a loaded file are missing",
    `alter table file_manifest drop constraint counts_balance;
     insert into file_manifest (connection, path, version, feed, state, bytes, sha256, rows_read, rows_loaded, rows_duplicate, rows_quarantined)
     values ('c', 'p', 1, 'f', 'loaded', 1, 'x', 5, 1, 0, 0)`,
  ],
  ["I5", "a pool is overrun", "update pool set slots = 0 where name = 'default_pool'"],
  ["I5", "a pool was overrun", "update pool set slots = 0 where name = 'spark'"],
  ["I5", "too many running runs", "update dag set max_active_runs = 1 where dag_id = 'chain'"],
  [
    "I5",
    "too many running runs of a backfill",
    "insert into backfill (dag_id, reprocess, max_active_runs, created_by) values ('chain', 'all', 1, 'test'); update dag_run set backfill_id = (select id from backfill) where state = 'running'",
  ],
  [
    "I5",
    "too many running runs of a key",
    "update dag_run set concurrency_key = 'k', concurrency_limit = 1 where state = 'running'",
  ],
  [
    "I5",
    "too many running tasks of a key",
    "update task_instance set concurrency_key = 'k', concurrency_limit = 0 where state = 'running'",
  ],
  [
    "I5",
    "too many running tasks of a run",
    "alter table dag_version disable trigger all; alter table dag_version drop constraint dag_version_max_active_tasks_check; update dag_version set max_active_tasks = 0",
  ],
  ["I5", "too many running instances of a task", "update task_instance set max_active = 0 where state = 'running'"],
  [
    "I6",
    "an illegal move from queued to success",
    "update task_event set to_state = 'success' where from_state = 'queued'",
  ],
  [
    "I6",
    "a move from running after one to none",
    "update task_event set to_state = 'none' where from_state = 'queued'",
  ],
  [
    "I6",
    "is failed, its history ends with success",
    "update task_instance set state = 'failed' where state = 'success'",
  ],
  [
    "I7",
    "queued against rule all_success",
    "update task_event set at = '2000-01-01' where from_state = 'none' and task_instance_id = (select id from task_instance where task_id = 'b' and state = 'success' limit 1)",
  ],
  ["I8", "an attempt without a live worker", "update worker set lease_expires_at = now() - interval '10 minutes'"],
  ["I8", "a retry that is long due", "update task_instance set state = 'up_for_retry' where state = 'running'"],
  [
    "I8",
    "a run that is over and has not ended",
    "update task_instance set state = 'success' where state not in ('success', 'failed')",
  ],
  ["I8", "a run in which nothing can move", "update task_instance set state = 'failed' where state = 'running'"],
  ["I8", "an ended run with instances that have not", "update dag_run set state = 'success'"],
  ["I8", "a task that could start in a run that has not started", "update dag_run set state = 'queued'"],
  [
    "I8",
    "a queued run with room to start",
    "update dag_run set state = 'queued', run_after = now() - interval '1 hour', queued_at = now() - interval '1 hour', ended_at = null",
  ],
  ["I9", "lines are missing or there twice", "update log_chunk set first_line = first_line + 1"],
  ["I16", "a success attempt with 0 starts and 1 ends", "delete from task_event where to_state = 'running'"],
  ["I16", "a success attempt with 1 starts and 0 ends", "delete from task_event where from_state = 'running'"],
  ["I16", "unfinished instances are miscounted", "update dag_run set unfinished = unfinished + 1"],
  [
    "I16",
    "upstreams of an undecided instance are miscounted",
    "update task_instance set up_success = 9 where state = 'none'",
  ],
  [
    "I17",
    "two living attempts of a service",
    "drop index service_attempt_live; update service_attempt set state = 'running' where state = 'stopped'",
  ],
  ["I17", "a living attempt that the service does not name", "update service set attempt_id = null"],
  [
    "I17",
    "an attempt began before the one before it had ended",
    "update service_attempt set ended_at = now() + interval '1 hour' where state = 'stopped'",
  ],
  [
    "I17",
    "a living attempt without a live worker",
    "update worker set lease_expires_at = now() - interval '10 minutes'",
  ],
];

/** A database with a bit of everything: finished and running work, a clock, a consumer of events, a pool in use, a log. */
async function healthy(db: Database): Promise<void> {
  const clock = { kind: "cron", expression: "0 0 * * *", timezone: "UTC" } as const;
  const events = { kind: "datasets", condition: { dataset: "x" }, consume: "each" } as const;
  const chain = [
    { id: "a", pool: "spark" },
    { id: "b", upstream: ["a"] },
    { id: "c", upstream: ["b"] },
  ];
  await deploy(
    db,
    dagSpec("chain", chain),
    dagSpec("ticks", [{ id: "t" }], { schedule: clock, start: "2026-01-01T00:00:00Z" }),
    dagSpec("consumer", [{ id: "take" }], { schedule: events }),
  );
  await createRun(db, { dagId: "chain", by: "test" });
  await createDueRuns(db);
  const emitting = (task: ClaimedTask) => ({
    ...success(1),
    events: [{ dataset: "x", key: `${task.taskId}${task.dagId}` }],
  });
  await work(db, (task) => (task.dagId === "chain" && task.taskId !== "c" ? emitting(task) : success(1)));
  await createDatasetRuns(db);
  await work(db, () => success());
  for (let i = 0; i < 2; i++) await createRun(db, { dagId: "chain", by: "test" });
  const id = await worker(db);
  const [claimed] = (await finishAndClaim(db, id, [], { functions: 1, operators: 0 })).claimed as [ClaimedTask];
  const { attemptId, token } = claimed;
  await finishAndClaim(db, id, [{ attemptId, token, ...success(2) }], { functions: 0, operators: 0 });
  const [b] = (await finishAndClaim(db, id, [], { functions: 1, operators: 0 })).claimed as [ClaimedTask];
  const at = new Date().toISOString();
  await appendLog(db, [
    { attemptId: b.attemptId, token: b.token, firstLine: 1, lines: [{ at, level: "info", text: "line" }] },
  ]);
  await serviceWithHistory(db);
}

/** What is found while `statements` are in force; they are taken back. */
async function foundWith(db: Database, statements: string) {
  const undone = new Error("undone");
  let found: Awaited<ReturnType<typeof findViolations>> = [];
  await db
    .transaction(async (sql: Sql) => {
      await sql.query("set local session_replication_role = replica");
      await sql.query(statements);
      found = await findViolations(sql);
      throw undone;
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error;
    });
  return found;
}

test("every invariant holds in a healthy database and finds what breaks it", async (t) => {
  const db = await testDatabase(t);
  await healthy(db);
  t.deepEqual(await findViolations(db), []);
  for (const [name, problem, statements] of PLANTED) {
    const found = await foundWith(db, statements);
    t.true(
      found.some((violation) => violation.invariant === name && violation.problem === problem),
      `${name} ${problem}: ${JSON.stringify(found)}`,
    );
  }
  t.deepEqual(await findViolations(db), []);
});

test("every problem that an invariant knows is planted", (t) => {
  const known = INVARIANTS.flatMap(({ name, sql }) => {
    const queries = sql.split("union all").length;
    return [[name, queries] as const];
  });
  const planted = new Map<string, Set<string>>();
  for (const [name, problem] of PLANTED) planted.set(name, (planted.get(name) ?? new Set()).add(problem));
  for (const [name, queries] of known) t.true((planted.get(name)?.size ?? 0) >= queries, name);
});
