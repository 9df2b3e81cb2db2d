/** What workers ask and tell about the services they run. Everything is guarded by the attempt's token. */
import type { ServiceSpec } from "../../dag/service-spec.ts";
import type { Database, Sql } from "../database.ts";
import type { ClaimedService, ServiceEnd, ServiceOwner, ServiceReport } from "./types.ts";

/** Starts up to `limit` attempts of services that are to run and do not. */
export async function claimServices(sql: Sql, workerId: string, limit: number): Promise<ClaimedService[]> {
  const result = await sql.query<
    Omit<ClaimedService, "secretsVersion"> & { spec: ServiceSpec; secrets: string | null }
  >(
    `select c.attempt_id as "attemptId", c.token, c.service_id as "serviceId", c.number, v.spec,
       (select value #>> '{}' from setting where key = 'instance') || '.' ||
         -- A copy of the database has its setting, and services of its own.
         (select oid from pg_database where datname = current_database()) as instance, secrets_version()::text as secrets
     from claim_services($1, $2) c join service_version v on v.id = c.version_id`,
    [workerId, limit],
  );
  return result.rows.map(({ secrets, ...row }) => ({ ...row, secretsVersion: Number(secrets ?? 0) }));
}

/** An attempt that lives according to the database. */
export interface OrderedAttempt extends ServiceOwner {
  /** Why it is to end; null = it is not. */
  readonly reason: string | null;
}

/** The living attempts of a worker by id. */
export async function serviceOrders(sql: Sql, workerId: string): Promise<Map<string, OrderedAttempt>> {
  const result = await sql.query<OrderedAttempt>(
    `select attempt_id as "attemptId", token, reason from service_orders($1)`,
    [workerId],
  );
  return new Map(result.rows.map((row) => [row.attemptId, row]));
}

/** Tells what an attempt has done. False = it is not this worker's any more. */
export async function reportService(sql: Sql, owner: ServiceOwner, report: ServiceReport): Promise<boolean> {
  const result = await sql.query<{ taken: boolean }>("select report_service($1, $2, $3) as taken", [
    owner.attemptId,
    owner.token,
    JSON.stringify(report),
  ]);
  return result.rows[0]?.taken === true;
}

/** Ends an attempt, of which nothing may live any more. False = it was not this worker's any more. */
export async function endService(sql: Sql, owner: ServiceOwner, end: ServiceEnd): Promise<boolean> {
  const result = await sql.query<{ taken: boolean }>("select end_service_attempt($1, $2, $3, $4, $5) as taken", [
    owner.attemptId,
    owner.token,
    end.state,
    end.reason,
    JSON.stringify(end.error ?? null),
  ]);
  return result.rows[0]?.taken === true;
}

/** Rows that one statement touches. */
const BATCH = 100;

/** What schedulers do for services: frees those of lost workers, tells of troubles, announces dataset events that had to wait. */
export async function tendServices(database: Database): Promise<void> {
  for (let done = BATCH; done === BATCH; ) {
    const result = await database.query<{ n: number }>(
      "select greatest(rescue_services($1), tell_services($1), flush_service_events($1)) as n",
      [BATCH],
      "tend_services",
    );
    done = result.rows[0]?.n ?? 0;
  }
}
