/** Everything that can be looked at to tell whether a database is fit: for `qflow db check`, never for a loop. */
import { messageOf } from "../errors.ts";
import type { Sql } from "./database.ts";
import { readInstallation } from "./installation.ts";
import { findViolations, INVARIANTS } from "./invariants.ts";
import { checkSchema } from "./migrate.ts";
import type { Keyring } from "./secrets/keyring.ts";

/** What one check found; `warning` = it works, and may not for long. */
export interface Finding {
  readonly check: string;
  readonly verdict: "ok" | "warning" | "broken";
  readonly detail: string;
}

/** A check that is one query: a row of `problem` for each thing that is wrong. */
interface QueryCheck {
  readonly check: string;
  readonly verdict: "warning" | "broken";
  /** What is told where nothing is wrong. */
  readonly fine: string;
  readonly sql: string;
}

const CHECKS: readonly QueryCheck[] = [
  {
    check: "partitions",
    verdict: "broken",
    fine: "this month and the next have their partitions",
    sql: `select format('%s has no partition for %s', t, to_char(m, 'YYYY-MM')) as problem
      from unnest(array['task_event', 'log_chunk']) t,
        generate_series(date_trunc('month', now() at time zone 'UTC'), date_trunc('month', now() at time zone 'UTC') + interval '1 month', '1 month') m
      where to_regclass(t || '_' || to_char(m, 'YYYY_MM')) is null`,
  },
  {
    check: "default partitions",
    verdict: "warning",
    fine: "every row is in the partition of its month",
    sql: `select format('%s has rows, which retention cannot drop whole', name) as problem from (
        select 'task_event_default' as name where exists (select from task_event_default)
        union all select 'log_chunk_default' where exists (select from log_chunk_default)) d`,
  },
  {
    check: "orphans",
    verdict: "warning",
    fine: "nothing belongs to what is not there",
    sql: `select format('dag run %s has no task instances', r.id) as problem from dag_run r
        where r.unfinished > 0 and not exists (select from task_instance t where t.dag_run_id = r.id)
      union all
      select format('attempt %s is of no task instance', a.attempt_id) from task_attempt a
        where not exists (select from task_instance t where t.id = a.task_instance_id)
      union all
      (select format('%s values of over 64 KB are used by nothing, and are removed within an hour or two', count(*)) from xcom_blob b
        where b.used_at < now() - interval '3 hours' and not exists (select from xcom x where x.blob_hash = b.hash) having count(*) > 0)
      union all
      (select format('%s events of DAG runs that are gone', count(*)) from task_event e
        where not exists (select from dag_run r where r.id = e.dag_run_id) and e.at > now() - interval '7 days' having count(*) > 0)`,
  },
  {
    check: "retention",
    verdict: "warning",
    fine: "old history is removed every hour, or the database is young",
    sql: `select format('the last round ended %s ago: is a scheduler running?', date_trunc('second', now() - coalesce(r.at, m.at))) as problem
      from (select min(migration_time) as at from schema_migration) m
      left join (select (value ->> 'at')::timestamptz as at from setting where key = 'retention') r on true
      where coalesce(r.at, m.at) < now() - interval '1 day'`,
  },
  {
    check: "durability",
    verdict: "broken",
    fine: "fsync, full_page_writes and synchronous_commit are on",
    sql: `select format('%s is %s: a crash of the server can lose or damage what was committed', name, setting) as problem from pg_settings
      where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'`,
  },
  {
    check: "server",
    verdict: "broken",
    fine: "PostgreSQL 18 or newer, UTF-8",
    sql: `select format('PostgreSQL is %s; 18 or newer is needed', current_setting('server_version')) as problem
        where current_setting('server_version_num')::integer < 180000
      union all
      select format('the database is encoded in %s, not in UTF8', current_setting('server_encoding')) where current_setting('server_encoding') <> 'UTF8'`,
  },
  {
    check: "vacuum",
    verdict: "warning",
    fine: "autovacuum is on, hot tables have their settings, dead rows are few, no transaction is old",
    sql: `select format('%s is off', name) as problem from pg_settings where name in ('autovacuum', 'track_counts') and setting = 'off'
      union all
      select format('table %s has lost its autovacuum settings', c.relname) from pg_class c
        where c.oid in ('task_instance'::regclass, 'task_attempt'::regclass, 'dag_run'::regclass, 'worker'::regclass)
          and not exists (select from unnest(c.reloptions) o where o like 'autovacuum_vacuum_scale_factor=%')
      union all
      select format('table %s has %s dead rows beside %s live ones', relname, n_dead_tup, n_live_tup) from pg_stat_user_tables
        where n_dead_tup > 20000 and n_dead_tup > 3 * n_live_tup
      union all
      select format('a transaction of %s is open for %s: no table can be cleaned up since', coalesce(nullif(application_name, ''), usename), date_trunc('second', now() - xact_start))
        from pg_stat_activity where xact_start < now() - interval '1 hour' and backend_xmin is not null and datname = current_database()`,
  },
  {
    check: "connections",
    verdict: "warning",
    fine: "there is room for more processes",
    sql: `select format('%s of %s connections are taken', n, m) as problem from (
        select count(*) as n, current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as m
        from pg_stat_activity where backend_type = 'client backend') c where n > 0.8 * m`,
  },
];

/** Looks at everything. A check that cannot be made is broken, and the others are made all the same. */
export async function checkDatabase(sql: Sql, keyring: Keyring): Promise<Finding[]> {
  const findings = [await attempt("schema", () => schema(sql))];
  // Without the tables nothing else can be asked.
  if (findings[0]?.verdict === "broken") return findings;
  findings.push(
    await attempt("installation", () => installation(sql)),
    await attempt("keys", () => keys(sql, keyring)),
  );
  for (const check of CHECKS) findings.push(await attempt(check.check, () => query(sql, check)));
  findings.push(await attempt("invariants", () => invariants(sql)));
  return findings;
}

async function attempt(check: string, look: () => Promise<Omit<Finding, "check">>): Promise<Finding> {
  try {
    return { check, ...(await look()) };
  } catch (error) {
    return { check, verdict: "broken", detail: messageOf(error) };
  }
}

async function schema(sql: Sql): Promise<Omit<Finding, "check">> {
  await checkSchema(sql);
  return { verdict: "ok", detail: "tables and functions are those of this installation" };
}

async function installation(sql: Sql): Promise<Omit<Finding, "check">> {
  const { instance, epoch, contract } = await readInstallation(sql);
  return { verdict: "ok", detail: `instance ${instance}, epoch ${epoch}, contract ${contract}` };
}

async function keys(sql: Sql, keyring: Keyring): Promise<Omit<Finding, "check">> {
  const rows = await sql.query<{ key_id: string; n: string }>(
    "select key_id, count(*) as n from (select key_id from connection union all select key_id from variable) s group by key_id",
  );
  const closed = rows.rows.filter(({ key_id }) => !keyring.find(key_id));
  if (closed.length > 0) {
    const detail = closed.map(
      ({ key_id, n }) => `${n} are sealed with key ${key_id}, which this machine does not have`,
    );
    return { verdict: "broken", detail: detail.join("; ") };
  }
  const old = rows.rows.filter(({ key_id }) => key_id !== keyring.active?.id);
  if (old.length === 0)
    return { verdict: "ok", detail: "every connection and variable is sealed with the present key" };
  return { verdict: "warning", detail: "some are sealed with an old key: qflow connections rotate-key" };
}

async function query(sql: Sql, { verdict, fine, sql: text }: QueryCheck): Promise<Omit<Finding, "check">> {
  const rows = await sql.query<{ problem: string }>(`select problem from (${text}) found limit 20`);
  if (rows.rows.length === 0) return { verdict: "ok", detail: fine };
  return { verdict, detail: rows.rows.map(({ problem }) => problem).join("; ") };
}

async function invariants(sql: Sql): Promise<Omit<Finding, "check">> {
  const violations = await findViolations(sql);
  if (violations.length === 0) return { verdict: "ok", detail: `all ${INVARIANTS.length} hold` };
  const detail = violations.map(({ invariant, problem, subject }) => `${invariant}: ${problem}: ${subject}`);
  return { verdict: "broken", detail: detail.join("; ") };
}
