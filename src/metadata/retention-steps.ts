/** What retention removes, step by step: of each, what is old, found by an index and removed by its key. */

/** Which setting says how long a step keeps what it removes; `unused` = an hour after its last use, `services` = two weeks. */
export type Keeps = "runs" | "audit" | "lineage" | "unused" | "services";

/** One step. `old` selects the keys of what can go, oldest first; `$1` is the time to keep, in seconds. */
export interface RetentionStep {
  readonly name: string;
  readonly keeps: Keeps;
  readonly table: string;
  readonly key: string;
  readonly old: string;
  /** Asked again of each row when it is removed: it may have come into use since it was found. */
  readonly still?: string;
}

const BEFORE = "now() - make_interval(secs => $1)";

/** In an order in which what is removed sets free what comes after it. */
export const RETENTION_STEPS: readonly RetentionStep[] = [
  {
    // Events whose key a task chose are the memory of what was announced: without them it could be announced again.
    name: "dataset_events",
    keeps: "runs",
    table: "dataset_event",
    key: "id",
    old: `select e.id from dataset_event e
      where e.at < ${BEFORE} and e.attempt_id is not null and e.key like e.attempt_id || '/%'
        and not exists (select from dataset_cursor c join dag d using (dag_id) where d.active and c.dataset = e.dataset and c.event_id < e.id)
        and not exists (select from dataset_waiting w where w.event_id = e.id)
        and not exists (select from dag_run_event r where r.event_id = e.id)
      order by e.id`,
  },
  {
    // Until then their keys keep a second message from starting anything.
    name: "messages",
    keeps: "runs",
    table: "message_inbox",
    key: "id",
    old: `select id from message_inbox where taken_at < ${BEFORE} order by taken_at`,
  },
  {
    name: "lineage_events",
    keeps: "lineage",
    table: "lineage_event",
    key: "event_id",
    old: `select event_id from lineage_event where received_at < ${BEFORE} and processed_at is not null order by received_at`,
  },
  {
    // The newest of a dataset stays: it says how fresh it is.
    name: "lineage_io",
    keeps: "runs",
    table: "lineage_io",
    key: "(run_id, dataset_id, direction)",
    old: `select o.run_id, o.dataset_id, o.direction from lineage_io o
      where o.at < ${BEFORE} and exists (
        select from lineage_io n where n.dataset_id = o.dataset_id and n.direction = o.direction and n.at > o.at)`,
  },
  {
    name: "lineage_runs",
    keeps: "runs",
    table: "lineage_run",
    key: "run_id",
    old: `select r.run_id from lineage_run r
      where r.event_at < ${BEFORE} and r.ended_at is not null and not exists (select from lineage_io o where o.run_id = r.run_id)`,
  },
  {
    name: "audit",
    keeps: "audit",
    table: "audit_log",
    key: "audit_id",
    old: `select audit_id from audit_log where at < ${BEFORE} order by at`,
  },
  {
    name: "workers",
    keeps: "runs",
    table: "worker",
    key: "worker_id",
    old: `select w.worker_id from worker w where w.ended_at < ${BEFORE} and w.state in ('ended', 'lost') order by w.ended_at`,
  },
  {
    name: "schedulers",
    keeps: "unused",
    table: "scheduler",
    key: "scheduler_id",
    old: `select scheduler_id from scheduler where looked_at < ${BEFORE}`,
  },
  {
    name: "notifications",
    keeps: "runs",
    table: "notification",
    key: "id",
    old: `select id from notification where state in ('sent', 'dead') and ended_at < ${BEFORE}`,
  },
  {
    name: "sessions",
    keeps: "unused",
    table: "access_session",
    key: "secret_hash",
    old: `select secret_hash from access_session where expires_at < ${BEFORE}`,
  },
  {
    name: "login_links",
    keeps: "unused",
    table: "access_login_link",
    key: "secret_hash",
    old: `select secret_hash from access_login_link where expires_at < ${BEFORE}`,
  },
  {
    name: "xcom_blobs",
    keeps: "unused",
    table: "xcom_blob",
    key: "hash",
    old: `select b.hash from xcom_blob b where b.used_at < ${BEFORE} and not exists (select from xcom x where x.blob_hash = b.hash)`,
    still: `used_at < ${BEFORE}`,
  },
  {
    name: "dag_versions",
    keeps: "runs",
    table: "dag_version",
    key: "id",
    old: `select v.id from dag_version v join dag d using (dag_id)
      where v.created_at < ${BEFORE} and v.id is distinct from d.version_id
        and not exists (select from dag_run r where r.version_id = v.id)`,
  },
  {
    name: "service_progress",
    keeps: "services",
    table: "service_progress",
    key: "(service_id, at, batch)",
    old: `select service_id, at, batch from service_progress where at < ${BEFORE}`,
  },
  {
    name: "service_logs",
    keeps: "services",
    table: "service_log",
    key: "(attempt_id, first_line)",
    old: `select attempt_id, first_line from service_log where at < ${BEFORE}`,
  },
  {
    // The newest one of a service stays: it says how that ended.
    name: "service_attempts",
    keeps: "services",
    table: "service_attempt",
    key: "attempt_id",
    old: `select a.attempt_id from service_attempt a join service s using (service_id)
      where a.ended_at < ${BEFORE} and a.number < s.attempt_number`,
  },
  {
    name: "service_versions",
    keeps: "services",
    table: "service_version",
    key: "id",
    old: `select v.id from service_version v join service s using (service_id)
      where v.created_at < ${BEFORE} and v.id is distinct from s.version_id
        and not exists (select from service_attempt a where a.version_id = v.id)`,
  },
  {
    name: "bundles",
    keeps: "unused",
    table: "bundle",
    key: "hash",
    old: `select b.hash from bundle b where b.used_at < ${BEFORE} and not exists (select from dag_version v where v.bundle_hash = b.hash)
      and not exists (select from service_version v where v.bundle_hash = b.hash)`,
    still: `used_at < ${BEFORE}`,
  },
];
