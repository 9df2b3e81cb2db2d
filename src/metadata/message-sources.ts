/** Topics whose messages start DAGs: who reads them, and how far they have been read. */
import type { DagSpec, MessageSchedule } from "../dag/spec.ts";
import type { Sql } from "./database.ts";

/** Messages of one DAG that may wait for runs here; the rest waits in its topic. */
export const READ_AHEAD = 1_000;

/** A topic that this scheduler reads for a DAG. */
export interface MessageSource {
  readonly dagId: string;
  readonly schedule: MessageSchedule;
  /** Id of the topic that the cursors are of; null = it was not looked for yet, {@link ABSENT} = it was not there. */
  readonly topicId: string | null;
  readonly epoch: number;
  readonly problem: string | null;
  /** How many messages may be taken in now. */
  readonly room: number;
  readonly cursors: readonly MessageCursor[];
}

/** How far a partition has been read. */
export interface MessageCursor {
  readonly partition: number;
  readonly next: number;
  readonly end: number;
  /** Messages that the broker had removed before they were read. */
  readonly missed: number;
}

/** Keeps the source of a DAG as its schedule has it. Another connection or topic begins anew. */
export async function placeSource(sql: Sql, { dagId, schedule }: Pick<DagSpec, "dagId" | "schedule">): Promise<void> {
  if (schedule?.kind !== "messages") {
    const gone = await sql.query("delete from message_source where dag_id = $1", [dagId]);
    // What was read and has no run yet would never get one.
    if (gone.rowCount === 1) {
      await sql.query("delete from message_inbox where dag_id = $1 and taken_at is null", [dagId]);
    }
    return;
  }
  const { connection, topic } = schedule;
  const moved = await sql.query(
    `insert into message_source as s (dag_id, connection, topic) values ($1, $2, $3)
     on conflict (dag_id) do update set connection = $2, topic = $3, topic_id = null, epoch = 0, lease = null,
       leased_until = '-infinity', problem = null
     where (s.connection, s.topic) <> ($2, $3)`,
    [dagId, connection, topic],
  );
  if (moved.rowCount === 1) await sql.query("delete from message_cursor where dag_id = $1", [dagId]);
}

/**
 * The sources that this scheduler reads: those it holds, and those that nobody does. A lease is for `seconds` and is renewed from its
 * half on.
 */
export async function leaseSources(sql: Sql, lease: string, seconds: number): Promise<MessageSource[]> {
  const held = await sql.query<{ dag_id: string; stale: boolean }>(
    `select s.dag_id, s.leased_until < now() + make_interval(secs => $2) / 2 as stale
     from message_source s join dag d using (dag_id) where d.active and (s.lease = $1 or s.leased_until < now())`,
    [lease, seconds],
  );
  const stale = held.rows.flatMap((row) => (row.stale ? [row.dag_id] : []));
  if (stale.length > 0) {
    // guard: message-lease
    await sql.query(
      `with mine as (
         select dag_id from message_source where dag_id = any ($1) and (lease = $2 or leased_until < now())
         order by dag_id for update skip locked)
       update message_source s set lease = $2, leased_until = now() + make_interval(secs => $3) from mine where s.dag_id = mine.dag_id`,
      [stale, lease, seconds],
    );
  }
  if (held.rows.length === 0) return [];
  const result = await sql.query<MessageSource>(
    `select s.dag_id as "dagId", d.schedule, s.topic_id as "topicId", s.epoch, s.problem,
       greatest(0, $2 - (select count(*) from (
         select from message_inbox m where m.dag_id = s.dag_id and m.taken_at is null limit $2) w))::integer as room,
       (select coalesce(jsonb_agg(jsonb_build_object('partition', c.partition, 'next', c.next_offset, 'end', c.end_offset,
         'missed', c.missed) order by c.partition), '[]') from message_cursor c where c.dag_id = s.dag_id) as cursors
     from message_source s join dag d using (dag_id)
     where s.lease = $1 and s.leased_until > now() and d.active and d.schedule ->> 'kind' = 'messages' order by s.dag_id`,
    [lease, READ_AHEAD],
  );
  return result.rows;
}

/** Gives all leases back, so that another scheduler goes on at once. */
export async function releaseSources(sql: Sql, lease: string): Promise<void> {
  await sql.query("update message_source set lease = null, leased_until = '-infinity' where lease = $1", [lease]);
}

/** Records what is wrong with a source; null = nothing is. */
export async function tellProblem(sql: Sql, dagId: string, problem: string | null): Promise<void> {
  await sql.query("update message_source set problem = $2, looked_at = now() where dag_id = $1", [dagId, problem]);
}

/** Id of a topic that was found not to be there: all that it will hold comes after the DAG is known. */
export const ABSENT = "";

/** Records that the topic of a source is not there. One that was there keeps its id, so that another of its name is told apart. */
export async function tellAbsent(sql: Sql, dagId: string, problem: string): Promise<void> {
  await sql.query(
    "update message_source set problem = $2, topic_id = coalesce(topic_id, $3), looked_at = now() where dag_id = $1",
    [dagId, problem, ABSENT],
  );
}

/** How many messages wait for a DAG: in its topic, and taken in. */
export interface MessageBacklog {
  readonly dagId: string;
  readonly topic: string;
  /** In the topic, as it was looked at last. */
  readonly lag: number;
  readonly waiting: number;
  readonly missed: number;
  readonly problem: string | null;
}

/** The backlogs of DAGs that messages start: of one, or of all. */
export async function messageBacklogs(sql: Sql, dagId: string | null = null): Promise<MessageBacklog[]> {
  const result = await sql.query<MessageBacklog>(
    `select s.dag_id as "dagId", s.topic, s.problem, c.lag, c.missed,
       (select count(*) from message_inbox m where m.dag_id = s.dag_id and m.taken_at is null)::integer as waiting
     from message_source s cross join lateral (
       select coalesce(sum(greatest(0, end_offset - next_offset)), 0)::float8 as lag, coalesce(sum(missed), 0)::float8 as missed
       from message_cursor c where c.dag_id = s.dag_id) c
     where $1::text is null or s.dag_id = $1 order by s.dag_id`,
    [dagId],
  );
  return result.rows;
}
