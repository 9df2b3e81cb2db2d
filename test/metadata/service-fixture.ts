/** A service for tests, without a worker's process. */
import { type ServiceOptions, service } from "../../src/dag/service.ts";
import type { ServiceSpec } from "../../src/dag/service-spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { resumeService } from "../../src/metadata/services/actions.ts";
import type { ClaimedService } from "../../src/metadata/services/types.ts";
import { claimServices, endService, reportService } from "../../src/metadata/services/work.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { registerWorker } from "../../src/metadata/work.ts";
import { program } from "../../src/operators/index.ts";

/** The service `s` with that command. */
export function serviceSpec(command = "a", options: ServiceOptions = {}): ServiceSpec {
  return service("s", options, program({ command: [command] })).spec;
}

/** Makes these the services of the one file that there is. */
export async function deployServices(db: Database, ...services: ServiceSpec[]) {
  const bundle = { hash: "h", code: "c", source: "s" };
  const others = await db.query<{ file: string }>("select distinct file from dag");
  const present = ["f.ts", ...others.rows.map(({ file }) => file)];
  return storeVersions(db, [{ file: "f.ts", bundle, dags: [], services }], present);
}

/** A worker's session on a host. */
export async function serviceWorker(db: Database, host = "here", queues = ["default"]): Promise<string> {
  const identity = { hostId: host, pid: 1, pidStartedAt: "1", marker: "m", queues };
  return (await registerWorker(db, identity)).workerId;
}

/** Claims the one service that can be claimed. */
export async function claimOne(db: Database, workerId: string): Promise<ClaimedService> {
  const [claimed] = await claimServices(db, workerId, 5);
  if (!claimed) throw new Error("nothing was claimed");
  return claimed;
}

/** The service `s` with an attempt that has ended and one that lives and has done a batch. */
export async function serviceWithHistory(db: Database): Promise<ClaimedService> {
  await deployServices(db, serviceSpec());
  await resumeService(db, "s");
  const workerId = await serviceWorker(db);
  await endService(db, await claimOne(db, workerId), { state: "stopped", reason: "restart" });
  const claimed = await claimOne(db, workerId);
  const batches = [{ batch: 1, rows: 120, batchMs: 40, lag: 9, eventTime: "2026-11-22T10:00:00Z" }];
  await reportService(db, claimed, { number: 1, seen: true, pid: 7, batches, events: [], fields: [] });
  return claimed;
}
