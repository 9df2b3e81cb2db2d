/** The real PostgreSQL under a simulation: connections, the database's clock, who waits for whom, a clean slate a seed. */
import pg from "pg";

/** Seeds between two vacuums. */
const VACUUM_EVERY = 25;

/** A connection with a statement under way or not. */
export interface Backend {
  readonly client: pg.Client;
  readonly pid: number;
  /** The moment it was told last. */
  moment: string;
  inTransaction: boolean;
}

/** How a statement ended. */
export type Ending = { readonly result: pg.QueryResult } | { readonly error: Error & { code?: string } };

/** A statement that was sent. */
export interface Sent {
  ending: Ending | null;
  readonly ended: Promise<void>;
}

/** Connections that all seeds of a process share. */
export class SimulatedServer {
  readonly url: string;
  readonly #watch: pg.Client;
  readonly #idle: Backend[] = [];
  readonly #all = new Set<Backend>();
  #slate = "";
  #tables: string[] = [];
  #cleaned = 0;

  private constructor(url: string, watch: pg.Client) {
    this.url = url;
    this.#watch = watch;
  }

  /** Takes over an empty, migrated database: its clock becomes the session's setting `sim.now`. */
  static async over(url: string): Promise<SimulatedServer> {
    const watch = await connected(url);
    const server = new SimulatedServer(url, watch);
    await watch.query(VIRTUAL_CLOCK);
    await server.#readSlate();
    return server;
  }

  /** An idle connection. */
  async take(): Promise<Backend> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    const client = await connected(this.url);
    // A statement is planned once a connection: planning it every time takes longer than carrying it out.
    await client.query("set search_path = sim, public, pg_catalog; set plan_cache_mode = force_generic_plan");
    await client.query("set deadlock_timeout = '20ms'; set jit = off");
    const result = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const backend = { client, pid: result.rows[0]?.pid as number, moment: "", inTransaction: false };
    this.#all.add(backend);
    return backend;
  }

  /** Tells a connection the time, and begins a transaction where asked. */
  async setMoment(backend: Backend, settings: Readonly<Record<string, string>>, begins: boolean): Promise<void> {
    const moment = Object.entries(settings)
      .map(([name, value]) => `set ${name} = '${value}'`)
      .join("; ");
    const parts = [
      ...(backend.moment === moment ? [] : [moment]),
      ...(begins ? ["begin isolation level read committed"] : []),
    ];
    backend.moment = moment;
    backend.inTransaction = begins;
    if (parts.length > 0) await backend.client.query(parts.join("; "));
  }

  /** Gives a connection back; whatever was open on it is rolled back. */
  async release(backend: Backend): Promise<void> {
    if (backend.inTransaction) {
      await backend.client.query("rollback").catch(() => {});
      // A rollback takes the settings of its transaction back.
      backend.moment = "";
    }
    backend.inTransaction = false;
    this.#idle.push(backend);
  }

  /** Sends a statement. */
  send(backend: Backend, text: string, values?: unknown[]): Sent {
    const { promise, resolve } = Promise.withResolvers<void>();
    const sent: Sent = { ending: null, ended: promise };
    backend.client.query(text, values).then(
      (result) => {
        sent.ending = { result };
        resolve();
      },
      (error: Error) => {
        sent.ending = { error };
        resolve();
      },
    );
    return sent;
  }

  /** Waits until a statement has ended or waits for a lock. Whether it has ended. */
  async settled(sent: Sent, backend: Backend): Promise<boolean> {
    for (let pause = 2; ; pause = Math.min(20, pause * 2)) {
      if (sent.ending) return true;
      await Promise.race([sent.ended, new Promise((later) => setTimeout(later, pause))]);
      if (sent.ending) return true;
      const waits = await this.#watch.query("select from unnest(pg_blocking_pids($1))", [backend.pid]);
      if ((waits.rowCount ?? 0) > 0 && !sent.ending) return false;
    }
  }

  /** Ends the statement under way with an error. */
  async cancel(backend: Backend): Promise<void> {
    await this.#watch.query("select pg_cancel_backend($1)", [backend.pid]);
  }

  /** A connection on which the simulation looks at the database itself. */
  get watch(): pg.Client {
    return this.#watch;
  }

  /** Empties every table that a run of the simulation writes to. */
  async clean(): Promise<void> {
    await this.#watch.query(this.#slate);
    // Autovacuum is off in test servers: dead rows would slow down every later seed.
    if (++this.#cleaned % VACUUM_EVERY === 0) await this.#watch.query(`vacuum ${this.#tables.join(", ")}`);
  }

  async close(): Promise<void> {
    for (const { client } of this.#all) await client.end().catch(() => {});
    await this.#watch.end();
  }

  async #readSlate(): Promise<void> {
    const tables = await this.#watch.query<{ name: string }>(
      `select format('%I', relname) as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
         and not relispartition and relname not like 'schema_migration%' and relname not in ('setting', 'pool')`,
    );
    const names = tables.rows.map((row) => row.name);
    const pools = "delete from pool where name not in ('default_pool', 'spark')";
    this.#slate = `begin; set local session_replication_role = replica; ${names.map((name) => `delete from ${name};`).join(" ")} ${pools}; commit`;
    this.#tables = names;
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/**
 * Functions of the same names that come first in the actors' search path. The production statements say `now()` and get the
 * time at which the driver began their transaction; column defaults, which are bound to the original, are bound anew.
 */
const VIRTUAL_CLOCK = `
  create schema sim;
  create function sim.now() returns timestamptz language sql stable as
    $$ select coalesce(nullif(current_setting('sim.now', true), '')::timestamptz, pg_catalog.now()) $$;
  create function sim.random() returns double precision language sql volatile as
    -- Never the same twice in a row, and the same whenever the same seed is run again.
    $$ select (hashtext(current_setting('sim.now', true))::double precision + 2147483648) / 4294967296 $$;
  create function sim.pg_postmaster_start_time() returns timestamptz language sql stable as
    $$ select coalesce(nullif(current_setting('sim.started', true), '')::timestamptz, pg_catalog.pg_postmaster_start_time()) $$;
  do $$
  declare one record;
  begin
    for one in select c.oid::regclass as relation, a.attname from pg_attrdef d
      join pg_class c on c.oid = d.adrelid and c.relnamespace = 'public'::regnamespace
      join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
      where pg_get_expr(d.adbin, d.adrelid) = 'now()'
    loop
      execute format('alter table %s alter column %I set default sim.now()', one.relation, one.attname);
    end loop;
  end $$`;
