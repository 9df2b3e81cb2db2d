import test from "ava";
import { ensurePartitions } from "../../src/metadata/partitions.ts";
import { testDatabase } from "../support/database.ts";

test("history has partitions for this month and the next, however often they are asked for", async (t) => {
  const db = await testDatabase(t);
  await Promise.all([ensurePartitions(db), ensurePartitions(db)]);
  for (const table of ["task_event", "log_chunk"]) {
    const parts = await db.query("select from pg_inherits where inhparent = $1::regclass", [table]);
    t.is(parts.rowCount, 3, table);
  }
});

test("a month whose rows are in the default partition stays there, and nothing stops", async (t) => {
  const db = await testDatabase(t);
  const month = await db.query<{ name: string }>(
    "select 'task_event_' || to_char(now() at time zone 'UTC', 'YYYY_MM') as name",
  );
  const name = month.rows[0]?.name as string;
  await db.query(`drop table ${name}`);
  await db.query(
    "insert into task_event (task_instance_id, dag_run_id, from_state, to_state) values (1, 1, 'none', 'queued')",
  );
  await t.notThrowsAsync(ensurePartitions(db));
  t.is((await db.query("select to_regclass($1) as found", [name])).rows[0]?.found, null);
});

test("a line written now lands in this month's partition", async (t) => {
  const db = await testDatabase(t);
  await db.query("insert into log_chunk values (uuidv7(), 1, 1, 2, 'plain', '[]')");
  const place = await db.query(
    "select tableoid::regclass::text as name, 'log_chunk_' || to_char(now() at time zone 'UTC', 'YYYY_MM') as month from log_chunk",
  );
  t.is(place.rows[0]?.name, place.rows[0]?.month);
});
