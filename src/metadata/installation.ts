/** Which database this is, and whether a process of this version may go on with it. */
import { setTimeout as sleep } from "node:timers/promises";
import manifest from "../../package.json" with { type: "json" };
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";

/**
 * What this installation needs of the database. Raised by one whenever a change of tables or functions breaks processes of the
 * version before (removes or renames what they use); what only adds leaves it as it is.
 */
export const CONTRACT = 1;

/** Version of this installation, as in its package. */
export const VERSION: string = manifest.version;

/** How the database names and dates itself. */
export interface Installation {
  readonly instance: string;
  readonly epoch: number;
  readonly contract: number;
  /** Transactions so far: never less than before, unless the database was put back. */
  readonly transactions: number;
}

/** Reads it. */
export async function readInstallation(sql: Sql): Promise<Installation> {
  const rows = await sql.query<Installation>(
    `select coalesce(max(value #>> '{}') filter (where key = 'instance'), '') as instance,
       coalesce(max((value #>> '{}')::float8) filter (where key = 'epoch'), 1) as epoch,
       coalesce(max((value #>> '{}')::float8) filter (where key = 'contract'), 1) as contract,
       pg_snapshot_xmax(pg_current_snapshot())::text::float8 as transactions
     from setting where key in ('instance', 'epoch', 'contract')`,
  );
  return rows.rows[0] as Installation;
}

/**
 * Compares the database with what it was: a copy or a restored backup starts a new epoch, in which no lease of before counts.
 * Returns a sentence for the operator, or null.
 */
export async function checkIdentity(sql: Sql): Promise<string | null> {
  const rows = await sql.query<{ reason: string | null }>("select check_identity() as reason");
  return sentence(rows.rows[0]?.reason ?? null);
}

/** The same by wish: after a snapshot of a disk was put back, which nobody can see from inside. */
export async function declareRestored(sql: Sql): Promise<number> {
  const { epoch } = await readInstallation(sql);
  const rows = await sql.query<{ epoch: number }>("select start_epoch($1, $2)::float8 as epoch", [
    epoch,
    "somebody said that it was restored",
  ]);
  return rows.rows[0]?.epoch ?? epoch;
}

function sentence(reason: string | null): string | null {
  if (reason === null) return null;
  return `the database is not the one it was: ${reason}. All leases of before have ended; what tasks did since the backup is unknown to it and may be done again`;
}

/** Writes what processes need to know of this version, unless a later one has. Throws SCHEMA_NEWER. */
export async function claimContract(sql: Sql): Promise<void> {
  const error = tooNew((await readInstallation(sql)).contract);
  if (error) throw error;
  await sql.query(
    `insert into setting (key, value) values ('contract', to_jsonb($1::integer))
     on conflict (key) do update set value = excluded.value, updated_at = now() where setting.value <> excluded.value`,
    [CONTRACT],
  );
}

/** Why this version cannot go on with a database that needs such a contract, or null. */
export function tooNew(contract: number): QflowError | null {
  if (contract <= CONTRACT) return null;
  return new QflowError(
    "SCHEMA_NEWER",
    `the database needs contract ${contract}, this qflow ${VERSION} knows ${CONTRACT}`,
  );
}

/** What a running process hears. */
export interface InstallationEvents {
  /** The schema is too new for this process: it is to end in peace. Told once. */
  onNewer(error: QflowError): void;
  warn(message: string): void;
}

const LOOK_EVERY_MS = 30_000;

/** Watches the database of a running process. */
export class InstallationWatch {
  readonly #database: Sql;
  readonly #events: InstallationEvents;
  #last: Installation | null = null;
  #told = false;

  constructor(database: Sql, events: InstallationEvents) {
    this.#database = database;
    this.#events = events;
  }

  /** One look. */
  async look(): Promise<void> {
    const before = this.#last;
    const found = await readInstallation(this.#database);
    const reason = await this.#restored(found, before);
    if (reason !== null) this.#events.warn(reason);
    this.#last = await readInstallation(this.#database);
    const error = tooNew(found.contract);
    if (error === null || this.#told) return;
    this.#told = true;
    this.#events.onNewer(error);
  }

  async #restored(found: Installation, before: Installation | null): Promise<string | null> {
    const changed = await checkIdentity(this.#database);
    if (changed !== null || before === null) return changed;
    if (found.epoch > before.epoch) return sentence("another process has found out");
    if (found.transactions >= before.transactions) return null;
    await this.#database.query("select start_epoch($1, $2)", [found.epoch, "it went back in time"]);
    return sentence("it went back in time");
  }
}

/** Looks every half minute; a database that does not answer is looked at again. Returns what ends it. */
export function watchInstallation(database: Database, events: InstallationEvents): () => Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const watch = new InstallationWatch(database, events);
  const loop = (async () => {
    while (!signal.aborted) {
      await watch.look().catch(() => {});
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  })();
  return async () => {
    stopping.abort();
    await loop;
  };
}
