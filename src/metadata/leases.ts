/** Leases: of N processes exactly one does what only one may do, and another takes over when it is gone. */
import type { Sql } from "./database.ts";

/** What is done by one process at a time. */
export type Singleton = "retention";

/** Takes the lease, or renews it, for `seconds` from now; the row stays locked until the transaction of `sql` ends. False where another has it. */
export async function holdLease(sql: Sql, name: Singleton, holder: string, seconds: number): Promise<boolean> {
  const held = await sql.query(
    `insert into leader_lease as l (name, holder, expires_at) values ($1, $2, now() + make_interval(secs => $3))
     on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at,
       elected_at = case when l.holder = excluded.holder then l.elected_at else now() end
     where l.holder = excluded.holder or l.expires_at < now()`,
    [name, holder, seconds],
  );
  return held.rowCount === 1;
}

/** Gives a lease back, so that the next one need not wait for its end. */
export async function releaseLease(sql: Sql, name: Singleton, holder: string): Promise<void> {
  await sql.query("delete from leader_lease where name = $1 and holder = $2", [name, holder]);
}
