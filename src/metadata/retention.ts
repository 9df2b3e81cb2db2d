/** Removes what is over and old: in bounded batches, under a lease, never what is active or still in use. */
import { randomUUID } from "node:crypto";
import { type Duration, milliseconds } from "../dag/duration.ts";
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";
import { holdLease, releaseLease } from "./leases.ts";
import { countMetric } from "./metrics.ts";
import { type Keeps, RETENTION_STEPS, type RetentionStep } from "./retention-steps.ts";

/** How long what is kept, in milliseconds; null = for ever. */
export interface RetentionPolicy {
  /** Ended runs with their tasks, logs and history. A DAG's own `retention` wins for its runs. */
  readonly runs: number | null;
  readonly audit: number | null;
  /** OpenLineage events as they came; what was made of them follows `runs`. */
  readonly lineage: number | null;
}

/** The same as it is written in settings: durations, or `off`. */
export type RetentionSettings = Readonly<Record<keyof RetentionPolicy, string>>;

/** Removed rows by step; `partitions` counts whole partitions of the history. */
export type PruneCounts = Readonly<Record<string, number>>;

/** How a round is done. */
export interface PruneOptions {
  /** Told after every batch: what was removed so far. */
  readonly onProgress?: (step: string, removed: number) => void;
  readonly signal?: AbortSignal;
  /** Who holds the lease between rounds; by default a holder of this round alone, who gives it back. */
  readonly holder?: string;
}

/** Rows of one statement. */
const BATCH = 5_000;
/** Task instances of the runs that one statement removes. */
const INSTANCES = 2_000;
const LEASE_SECONDS = 120;
const UNUSED_MS = 3_600_000;
const SERVICES_MS = 14 * 86_400_000;
/** Of the partitions' name space: nobody else makes or removes partitions meanwhile. */
const PARTITION_LOCK = 7_101_005;

/** Reads the settings. Throws CONFIG_INVALID naming the one that is no duration. */
export function retentionPolicy(settings: RetentionSettings): RetentionPolicy {
  const read = (name: keyof RetentionPolicy) =>
    retentionTime(settings[name], `setting QFLOW_RETENTION_${name.toUpperCase()}`);
  return { runs: read("runs"), audit: read("audit"), lineage: read("lineage") };
}

/** Milliseconds of a duration, null for `off`. Throws CONFIG_INVALID naming `what`. */
export function retentionTime(text: string, what: string): number | null {
  if (text === "off") return null;
  try {
    return milliseconds(text as Duration, what);
  } catch {
    throw new QflowError("CONFIG_INVALID", `${what}: ${text} is no duration`, {
      remedy: 'Write a duration such as "P90D", or "off" to keep everything.',
    });
  }
}

/** What a round would remove now. */
export async function previewPrune(sql: Sql, policy: RetentionPolicy): Promise<PruneCounts> {
  const counts: Record<string, number> = {};
  const runs = await sql.query<{ n: string }>(
    `select count(*) as n from run_retention(make_interval(secs => $1)) k join dag_run r using (dag_id)
     where r.ended_at < now() - k.keep and r.state in ('success', 'failed')`,
    [seconds(policy.runs)],
  );
  counts.runs = Number(runs.rows[0]?.n ?? 0);
  for (const step of RETENTION_STEPS) {
    const keep = keepOf(step.keeps, policy);
    if (keep === null) continue;
    const rows = await sql.query<{ n: string }>(`select count(*) as n from (${step.old}) old`, [seconds(keep)]);
    counts[step.name] = Number(rows.rows[0]?.n ?? 0);
  }
  const partitions = await sql.query("select from old_partitions(make_interval(secs => $1))", [seconds(policy.runs)]);
  counts.partitions = partitions.rowCount ?? 0;
  return counts;
}

/**
 * One round: everything that is old by now. Every batch is a transaction that renews the lease first, so that two never work at
 * once. Resolves to null where somebody else has the lease.
 */
export async function prune(
  database: Database,
  policy: RetentionPolicy,
  options: PruneOptions = {},
): Promise<PruneCounts | null> {
  const holder = options.holder ?? randomUUID();
  const round = new Round(database, holder, options);
  try {
    return await round.run(policy);
  } finally {
    if (options.holder === undefined) await releaseLease(database, "retention", holder).catch(() => {});
  }
}

/** The lease is somebody else's. */
class NotLeader extends Error {}

class Round {
  readonly #database: Database;
  readonly #holder: string;
  readonly #options: PruneOptions;
  readonly #counts: Record<string, number> = {};

  constructor(database: Database, holder: string, options: PruneOptions) {
    this.#database = database;
    this.#holder = holder;
    this.#options = options;
  }

  async run(policy: RetentionPolicy): Promise<PruneCounts | null> {
    try {
      await this.#repeat("runs", INSTANCES, (sql) => pruneRuns(sql, policy.runs));
      for (const step of RETENTION_STEPS) {
        const keep = keepOf(step.keeps, policy);
        if (keep !== null) await this.#repeat(step.name, BATCH, (sql) => removeBatch(sql, step, keep));
      }
      if (policy.runs !== null) await this.#partitions(policy.runs);
      await this.#batch((sql) => noteRound(sql, policy, this.#counts));
      return this.#counts;
    } catch (error) {
      if (error instanceof NotLeader) return null;
      throw error;
    }
  }

  /** Batches until one is not full. */
  async #repeat(
    step: string,
    full: number,
    remove: (sql: Sql) => Promise<{ removed: number; work: number }>,
  ): Promise<void> {
    this.#counts[step] = 0;
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const { removed, work } = await this.#batch(async (sql) => {
        const done = await remove(sql);
        await countMetric(sql, `retention_${step}`, done.removed);
        return done;
      });
      this.#counts[step] += removed;
      if (removed > 0) this.#options.onProgress?.(step, this.#counts[step]);
      if (work < full) return;
    }
  }

  /** One partition a transaction: each waits for the locks of its table alone. */
  async #partitions(keep: number): Promise<void> {
    this.#counts.partitions = 0;
    const old = await this.#database.query<{ name: string }>(
      "select name from old_partitions(make_interval(secs => $1))",
      [seconds(keep)],
    );
    for (const { name } of old.rows) {
      this.#options.signal?.throwIfAborted();
      await this.#batch(async (sql) => {
        await sql.query("select pg_advisory_xact_lock($1)", [PARTITION_LOCK]);
        const still = await sql.query("select from old_partitions(make_interval(secs => $1)) where name = $2", [
          seconds(keep),
          name,
        ]);
        if (still.rowCount === 0) return;
        await sql.query(`drop table ${name}`);
        await countMetric(sql, "retention_partitions", 1);
      });
      this.#counts.partitions++;
      this.#options.onProgress?.("partitions", this.#counts.partitions);
    }
  }

  #batch<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#database.transaction(async (sql) => {
      await sql.query("select set_config('statement_timeout', '120s', true), set_config('lock_timeout', '2s', true)");
      if (!(await holdLease(sql, "retention", this.#holder, LEASE_SECONDS))) throw new NotLeader();
      return work(sql);
    });
  }
}

async function pruneRuns(sql: Sql, keep: number | null): Promise<{ removed: number; work: number }> {
  const result = await sql.query<{ runs: number; instances: number }>(
    "select runs, instances from prune_runs(make_interval(secs => $1), $2)",
    [seconds(keep), INSTANCES],
  );
  const { runs, instances } = result.rows[0] ?? { runs: 0, instances: 0 };
  // A batch ends with the run that fills it, or with the hundredth run of each DAG.
  return { removed: runs, work: runs >= 100 ? INSTANCES : instances };
}

async function removeBatch(sql: Sql, step: RetentionStep, keep: number): Promise<{ removed: number; work: number }> {
  const result = await sql.query(
    `delete from ${step.table} where ${step.key} in (${step.old} limit ${BATCH}) ${step.still ? `and ${step.still}` : ""}`,
    [seconds(keep)],
  );
  const removed = result.rowCount ?? 0;
  return { removed, work: removed };
}

function keepOf(keeps: Keeps, policy: RetentionPolicy): number | null {
  if (keeps === "services") return SERVICES_MS;
  return keeps === "unused" ? UNUSED_MS : policy[keeps];
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

/** When the last round ended, what it removed, and before when runs may be missing. */
async function noteRound(sql: Sql, policy: RetentionPolicy, counts: PruneCounts): Promise<void> {
  await sql.query(
    `insert into setting (key, value)
     select 'retention', jsonb_build_object('at', now(), 'removed', $1::jsonb, 'before', now() - min(keep))
     from run_retention(make_interval(secs => $2))
     on conflict (key) do update set value = excluded.value, updated_at = now()`,
    [JSON.stringify(counts), seconds(policy.runs)],
  );
}

/** Milliseconds since the last round of anybody ended; null = there was none. */
export async function sinceLastRound(sql: Sql): Promise<number | null> {
  const rows = await sql.query<{ ms: number }>(
    "select (extract(epoch from now() - (value ->> 'at')::timestamptz) * 1000)::float8 as ms from setting where key = 'retention'",
  );
  return rows.rows[0]?.ms ?? null;
}
