/** Pools: made, resized, deleted; and which deployed tasks no pool can ever take. */
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import { wakeWith } from "./wake.ts";

/** Pools that are always there, with the slots of a fresh installation: tasks of every installation name them. */
export const BUILT_IN_POOLS: ReadonlyMap<string, number> = new Map([
  ["default_pool", 128],
  ["spark", 1],
]);

/** A pool as it is to be. */
export interface PoolDraft {
  readonly name: string;
  /** At least 0; with 0 nothing of it starts. */
  readonly slots: number;
  readonly description: string;
}

/** What of a pool is to change. Fewer slots than are in use end nothing: no more starts until there is room. */
export interface PoolChange {
  readonly slots?: number;
  readonly description?: string;
}

/** Makes a pool. Throws CONFLICT (there is one of that name), USAGE. */
export async function createPool(sql: Sql, pool: PoolDraft): Promise<void> {
  const made = await insertPool(sql, pool);
  if (!made) throw new QflowError("CONFLICT", `there is a pool ${pool.name} already`);
}

/** Makes a pool or changes the one of that name. Throws USAGE. */
export async function setPool(sql: Sql, pool: PoolDraft): Promise<"created" | "changed"> {
  if (await insertPool(sql, pool)) return "created";
  await changePool(sql, pool.name, pool);
  return "changed";
}

async function insertPool(sql: Sql, { name, slots, description }: PoolDraft): Promise<boolean> {
  if (!/^[^\p{Cc}\s](?:[^\p{Cc}]{0,254}[^\p{Cc}\s])?$/u.test(name))
    throw new QflowError("USAGE", `"${name}" is no name for a pool`, { remedy: "Use 1 to 256 printable characters." });
  checkSlots(slots);
  const result = await sql.query(
    "insert into pool (name, slots, description) values ($1, $2, $3) on conflict do nothing",
    [name, slots, description],
  );
  // Tasks may have waited for it.
  if (result.rowCount === 1) await wakeWith(sql, "qflow_work");
  return result.rowCount === 1;
}

/** Throws NOT_FOUND, USAGE. */
export async function changePool(sql: Sql, name: string, change: PoolChange): Promise<void> {
  if (change.slots !== undefined) checkSlots(change.slots);
  const result = await sql.query(
    "update pool set slots = coalesce($2, slots), description = coalesce($3, description) where name = $1",
    [name, change.slots ?? null, change.description ?? null],
  );
  if (result.rowCount === 0) throw new QflowError("NOT_FOUND", `The Pool with name: \`${name}\` was not found`);
  await wakeWith(sql, "qflow_work");
}

/** Throws NOT_FOUND, CONFLICT (built in, or tasks name it). */
export async function deletePool(sql: Sql, name: string): Promise<void> {
  if (BUILT_IN_POOLS.has(name)) throw new QflowError("CONFLICT", `pool ${name} is built in`);
  const found = await sql.query("select from pool where name = $1 for update", [name]);
  if (found.rowCount === 0) throw new QflowError("NOT_FOUND", `The Pool with name: \`${name}\` was not found`);
  const users = await sql.query<{ dag_id: string }>(
    `select d.dag_id from dag d where d.active and exists (
       select from task_def t where t.version_id = d.version_id and t.pool = $1)
     union
     select r.dag_id from dag_run r where r.state in ('queued', 'running') and exists (
       select from task_instance i where i.dag_run_id = r.id and i.pool = $1)
     order by 1 limit 5`,
    [name],
  );
  if (users.rows.length > 0) {
    const dags = users.rows.map((row) => row.dag_id).join(", ");
    const remedy = "Let their tasks name another pool first, or set its slots to 0.";
    throw new QflowError("CONFLICT", `tasks of ${dags} use pool ${name}`, { remedy });
  }
  await sql.query("delete from pool where name = $1", [name]);
}

/** A deployed task that waits for ever. */
export interface PoolWarning {
  readonly dagId: string;
  readonly taskId: string;
  readonly pool: string;
  /** Slots that the task takes. */
  readonly poolSlots: number;
  /** Slots of the pool; null where there is no such pool. */
  readonly slots: number | null;
  /** When the DAG was last deployed. */
  readonly at: Date;
}

/** Tasks of active DAGs (of those given, where given) that no pool can take: theirs is not there, or smaller than what they take. */
export async function poolWarnings(sql: Sql, dagIds: readonly string[] | null): Promise<PoolWarning[]> {
  const result = await sql.query<PoolWarning>(
    `select d.dag_id as "dagId", t.task_id as "taskId", t.pool, t.pool_slots as "poolSlots", p.slots, d.updated_at as at
     from dag d join task_def t on t.version_id = d.version_id left join pool p on p.name = t.pool
     where d.active and ($1::text[] is null or d.dag_id = any ($1)) and t.lane <> 'wait' and (p.name is null or t.pool_slots > p.slots)
     order by d.dag_id, t.task_index`,
    [dagIds],
  );
  return result.rows;
}

/** What is wrong, in a sentence with what to do. */
export function poolWarningText({ taskId, pool, slots, poolSlots }: Omit<PoolWarning, "at" | "dagId">): string {
  if (slots === null)
    return `task ${taskId} waits for ever: there is no pool ${pool}; make it with \`qflow pools set ${pool} SLOTS\``;
  return `task ${taskId} waits for ever: it takes ${poolSlots} slots of pool ${pool}, which has ${slots}`;
}

function checkSlots(slots: number): void {
  if (Number.isSafeInteger(slots) && slots >= 0 && slots <= 1_000_000) return;
  throw new QflowError("USAGE", `${slots} is no number of slots`, { remedy: "Use a whole number from 0 to 1000000." });
}
