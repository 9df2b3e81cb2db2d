import test from "ava";
import type { QflowError } from "../../../src/errors.ts";
import { createRun } from "../../../src/metadata/runs.ts";
import { listDags } from "../../../src/metadata/views/dag-views.ts";
import { listRuns } from "../../../src/metadata/views/run-views.ts";
import { listTaskInstances } from "../../../src/metadata/views/task-views.ts";
import { totalOf } from "../../../src/metadata/views/total.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy } from "../fixtures.ts";

test("a page of runs is in the order asked for, whatever order its rows are put together in", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("one", [{ id: "a" }]), dagSpec("two", [{ id: "a" }]));
  const made: number[] = [];
  for (let i = 0; i < 6; i++) made.push((await createRun(db, { dagId: i % 2 ? "two" : "one", by: "test" })).id);
  const page = await listRuns(db, {}, { limit: 3, offset: 1, orderBy: ["-id"] });
  t.deepEqual(
    page.rows.map((row) => Number(row.id)),
    made.toReversed().slice(1, 4),
  );
  t.is(page.total, 6);
  const ended = await listRuns(db, { dagId: "two" }, { limit: 9, offset: 0, orderBy: ["-end_date", "id"] });
  t.deepEqual(
    ended.rows.map((row) => Number(row.id)),
    made.filter((_, i) => i % 2 === 1),
  );
});

test("pages in the order of a time follow each other without a gap, what has no time at their end, in both directions", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("one", [{ id: "a" }], { maxActiveRuns: 1 }));
  for (let i = 0; i < 7; i++) await createRun(db, { dagId: "one", by: "test" });
  const at = (minute: number) => `2026-01-01T00:0${minute}:00Z`;
  const dates = [at(3), null, at(1), at(3), null, at(2), null];
  await db.transaction(async (sql) => {
    await sql.query("set local session_replication_role = replica");
    for (const [i, date] of dates.entries())
      await sql.query(
        `update dag_run set logical_date = $2, ended_at = $2
         where id = (select id from dag_run order by id offset $1 limit 1)`,
        [i, date],
      );
  });
  const all = (await listRuns(db, {}, { limit: 9, offset: 0, orderBy: ["id"] })).rows.map(({ id }) => id);
  const ids = (numbers: number[]) => numbers.map((i) => all[i]);
  const wanted = { logical_date: ids([2, 5, 0, 3, 1, 4, 6]), "-end_date": ids([0, 3, 5, 2, 1, 4, 6]) };
  for (const [name, order] of Object.entries(wanted)) {
    for (const limit of [1, 2, 3, 9]) {
      const read: string[] = [];
      for (let offset = 0; offset < 9; offset += limit)
        read.push(...(await listRuns(db, {}, { limit, offset, orderBy: [name] })).rows.map(({ id }) => id));
      t.deepEqual(read, order, `${name}, ${limit} a page`);
    }
  }
});

test("each DAG is listed with its own newest runs, newest first", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("one", [{ id: "a" }]), dagSpec("two", [{ id: "a" }]));
  const runs: string[] = [];
  for (let i = 0; i < 3; i++) runs.push((await createRun(db, { dagId: "one", by: "test" })).runId);
  const { rows } = await listDags(db, {}, { limit: 9, offset: 0, orderBy: [] });
  t.deepEqual(
    rows.map(({ dag_id, latest_runs }) => [dag_id, latest_runs.map((run) => run.run_id)]),
    [
      ["one", runs.toReversed()],
      ["two", []],
    ],
  );
});

test("many rows are listed in orders that an index serves only", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("one", [{ id: "a" }]));
  await createRun(db, { dagId: "one", by: "test" });
  await db.transaction(async (sql) => {
    await sql.query("set local session_replication_role = replica");
    await sql.query(
      `insert into dag_run (dag_id, version_id, run_id, kind, state, run_after, triggered_by)
       select dag_id, version_id, 'r' || n, kind, 'success', run_after, triggered_by from dag_run, generate_series(1, 10000) n`,
    );
  });
  const first = (orderBy: string, runId?: string) =>
    listRuns(db, { runId }, { limit: 1, offset: 0, orderBy: [orderBy] });
  for (const order of ["-queued_at", "queued_at", "start_date", "-end_date", "logical_date", "run_after", "-id"])
    t.is((await first(order)).rows.length, 1, order);
  t.is((await first("state", "r7")).rows[0]?.run_id, "r7");
  const refused = await t.throwsAsync(() => first("-state"), { code: "REQUEST_INVALID" });
  t.regex((refused as QflowError).remedy, /queued_at/);
  await t.throwsAsync(() => first("run_id"), { code: "REQUEST_INVALID" });
  const ofDag = await listRuns(db, { dagId: "one" }, { limit: 1, offset: 0, orderBy: ["-run_id"] });
  t.is(ofDag.rows[0]?.run_id, "r9999");
});

test("many task instances of more than one run are listed in orders that an index serves only", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("one", [{ id: "a" }]), dagSpec("two", [{ id: "a" }]));
  for (const dagId of ["one", "two"]) await createRun(db, { dagId, runId: "same", by: "test" });
  await db.query(
    `insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, map_index, rule, expands, up_total, lane, pool, pool_slots, priority)
     select dag_run_id, version_id, dag_id, task_id, task_index, n, rule, false, 0, lane, pool, 1, 0 from task_instance, generate_series(0, 10000) n
      where dag_id = 'one'`,
  );
  const first = (orderBy: string, wanted: { dagId?: string; runId?: string }) =>
    listTaskInstances(db, wanted, { limit: 1, offset: 0, orderBy: [orderBy] });
  t.is((await first("-id", {})).rows.length, 1);
  t.is((await first("-map_index", { dagId: "one", runId: "same" })).rows[0]?.map_index, 10_000);
  for (const wanted of [{}, { dagId: "one" }, { runId: "same" }]) {
    await t.throwsAsync(() => first("-map_index", wanted), { code: "REQUEST_INVALID" });
  }
});

test("a total is exact up to 10,000 and never less than what was counted", async (t) => {
  const db = await testDatabase(t);
  await db.query("create table numbers as select n from generate_series(1, 30000) n");
  await db.query("analyze numbers");
  t.is(await totalOf(db, "from numbers where n <= $1", [10_000]), 10_000);
  const many = await totalOf(db, "from numbers", []);
  t.true(many > 20_000 && many < 40_000, String(many));
  t.is(await totalOf(db, "from numbers where n < 0", []), 0);
});
