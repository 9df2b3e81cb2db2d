/** Stores what DAG files declare of services: immutable versions, and which of them are wanted. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../../dag/canonical-json.ts";
import type { ServiceSpec } from "../../dag/service-spec.ts";
import type { Json } from "../../dag/spec.ts";
import type { Sql } from "../database.ts";

/** A service id that an active service of another file has, or null. */
export async function serviceElsewhere(
  sql: Sql,
  file: string,
  services: readonly ServiceSpec[],
): Promise<{ serviceId: string; file: string } | null> {
  const found = await sql.query<{ serviceId: string; file: string }>(
    `select service_id as "serviceId", file from service where active and file <> $1 and service_id = any ($2) limit 1`,
    [file, services.map(({ serviceId }) => serviceId)],
  );
  return found.rows[0] ?? null;
}

/** Services of other files than those are not wanted any more. Returns their ids. */
export async function dropServices(sql: Sql, present: readonly string[]): Promise<string[]> {
  const gone = await sql.query<{ service_id: string }>(
    "update service set active = false, updated_at = now() where active and file <> all ($1) returning service_id",
    [present],
  );
  return gone.rows.map((row) => row.service_id);
}

/** Stores the services of a file. Returns the ids of those that are other than before, and of those it declares no more. */
export async function storeServices(
  sql: Sql,
  file: string,
  services: readonly ServiceSpec[],
  bundleHash: string,
): Promise<{ changed: string[]; removed: string[] }> {
  const changed: string[] = [];
  for (const spec of services) if (await storeService(sql, file, spec, bundleHash)) changed.push(spec.serviceId);
  const gone = await sql.query<{ service_id: string }>(
    `update service set active = false, updated_at = now() where active and file = $1 and service_id <> all ($2)
     returning service_id`,
    [file, services.map(({ serviceId }) => serviceId)],
  );
  return { changed, removed: gone.rows.map((row) => row.service_id) };
}

async function storeService(sql: Sql, file: string, spec: ServiceSpec, bundleHash: string): Promise<boolean> {
  const { serviceId, queue, owner, doc, tags, program } = spec;
  // Only what makes it another program replaces the one that runs; other settings hold at once.
  const programHash = hashOf({ program, queue });
  const before = await sql.query<{ version_id: string | null }>(
    `insert into service as s (service_id, file, queue, owner, doc, tags, program_hash) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (service_id) do update set file = $2, queue = $3, owner = $4, doc = $5, tags = $6, active = true, updated_at = now(),
       program_hash = $7, failures = case when s.program_hash = $7 then s.failures else 0 end,
       -- What made the old one fail says nothing about this one.
       restart_at = case when s.program_hash = $7 then s.restart_at end
     returning case when old.active then new.version_id end::text as version_id`,
    [serviceId, file, queue, owner, doc, tags, programHash],
  );
  const stored = await sql.query<{ id: string }>(
    `insert into service_version (service_id, number, spec, spec_hash, bundle_hash)
     select $1, coalesce(max(number), 0) + 1, $2, $3, $4 from service_version where service_id = $1
     on conflict (service_id, spec_hash) do update set bundle_hash = excluded.bundle_hash returning id::text`,
    [serviceId, JSON.stringify(spec), hashOf(spec as unknown as Json), bundleHash],
  );
  const versionId = stored.rows[0]?.id ?? null;
  await sql.query("update service set version_id = $2 where service_id = $1 and version_id is distinct from $2", [
    serviceId,
    versionId,
  ]);
  return versionId !== before.rows[0]?.version_id;
}

function hashOf(value: Json): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
