/** Makes an installation look as after years of work, with a few set-based statements. */
import type { Database, Sql } from "../../src/metadata/database.ts";

/** Runs that one statement copies. */
const BATCH = 1000;

/** Columns that a copy gets new values for, by table, as SQL over the copied row `o` and what the copy belongs to. */
const FRESH = {
  dag_run: {
    run_id: "o.run_id || '_' || n.n",
    logical_date: "null",
    run_after: "o.run_after - n.n * interval '1 minute'",
    started_at: "o.started_at - n.n * interval '1 minute'",
    ended_at: "o.ended_at - n.n * interval '1 minute'",
    id: null,
  },
  task_instance: { dag_run_id: "r.new_id", attempt_id: "uuidv7(interval '-1 day')", id: null },
  task_attempt: {
    attempt_id: "i.attempt_id",
    token: "gen_random_uuid()",
    claim_id: "gen_random_uuid()",
    task_instance_id: "i.id",
    dag_run_id: "i.dag_run_id",
  },
  task_event: {
    task_instance_id: "i.id",
    dag_run_id: "i.dag_run_id",
    attempt_id: "i.attempt_id",
    at: "o.at - interval '1 day'",
  },
} as const;

/** Copies an ended run with its instances, attempts and events so often that there are `instances` more; the copies are older. */
export async function growHistory(database: Database, run: number, instances: number): Promise<void> {
  const { rows } = await database.query<{ n: number }>(
    "select count(*)::int as n from task_instance where dag_run_id = $1",
    [run],
  );
  const copies = Math.ceil(instances / (rows[0]?.n ?? 1));
  for (let done = 0; done < copies; done += BATCH) {
    const count = Math.min(BATCH, copies - done);
    await database.transaction((sql) => copyRun(sql, run, { first: done + 1, last: done + count }));
  }
  // What a server does by itself after some minutes.
  await database.query("vacuum analyze");
}

async function copyRun(sql: Sql, run: number, numbers: { first: number; last: number }): Promise<void> {
  // The guards against states that come from nowhere are for the engine.
  await sql.query("set local session_replication_role = replica");
  await sql.query("set local synchronous_commit = off");
  const runColumns = await columnsOf(sql, "dag_run");
  await sql.query(
    `create temporary table new_run on commit drop as
     with made as (insert into dag_run (${runColumns.names}) select ${runColumns.values}
       from dag_run o cross join generate_series($2::int, $3::int) n (n) where o.id = $1 returning id)
     select id as new_id from made`,
    [run, numbers.first, numbers.last],
  );
  const instance = await columnsOf(sql, "task_instance");
  await sql.query(
    `create temporary table new_instance on commit drop as
     with made as (insert into task_instance (${instance.names}) select ${instance.values}
       from new_run r cross join task_instance o where o.dag_run_id = $1 returning id, dag_run_id, task_index, map_index, attempt_id)
     select * from made`,
    [run],
  );
  for (const table of ["task_attempt", "task_event"] as const) {
    const columns = await columnsOf(sql, table);
    await sql.query(
      `insert into ${table} (${columns.names}) select ${columns.values}
       from ${table} o join task_instance t on t.id = o.task_instance_id
       join new_instance i on i.task_index = t.task_index and i.map_index = t.map_index where t.dag_run_id = $1`,
      [run],
    );
  }
}

/** The columns of a copy and what each gets; those with a generated value are left out. */
async function columnsOf(sql: Sql, table: keyof typeof FRESH): Promise<{ names: string; values: string }> {
  const { rows } = await sql.query<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = current_schema() and table_name = $1 and is_generated = 'NEVER' order by ordinal_position`,
    [table],
  );
  const fresh: Readonly<Record<string, string | null>> = FRESH[table];
  const kept = rows.map(({ name }) => name).filter((name) => fresh[name] !== null);
  return { names: kept.join(", "), values: kept.map((name) => fresh[name] ?? `o.${name}`).join(", ") };
}
