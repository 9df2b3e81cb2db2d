/** DAG files → versions in the database; used by the scheduler process and by commands that need the DAGs of the folder. */
import type { Config } from "../config.ts";
import { type LoadedFile, loadDags } from "../dag/load-dags.ts";
import type { Sandbox } from "../dag/sandbox.ts";
import { openSandboxPool } from "../dag/sandbox-pool.ts";
import { type DagWatch, watchDags } from "../dag/watch-dags.ts";
import type { Database } from "../metadata/database.ts";
import { poolWarnings, poolWarningText } from "../metadata/pools.ts";
import { type LoadedDagFile, type StoreReport, storeVersions } from "../metadata/versions.ts";

/** Loads the dags folder once. */
export async function loadFolder(config: Config): Promise<readonly LoadedFile[]> {
  const sandbox = markedSandbox(config);
  try {
    return (await loadDags(config.dagsDir, { sandbox })).files;
  } finally {
    sandbox.close();
  }
}

/** Loads the dags folder once and stores what it holds. */
export async function storeDags(database: Database, config: Config): Promise<StoreReport> {
  const files = await loadFolder(config);
  return storeVersions(database, files.map(storable));
}

/** Keeps the database up to the dags folder: loads it, then again whenever a file is saved. */
export async function keepDagsStored(
  database: Database,
  config: Config,
  say: (message: string) => void,
): Promise<DagWatch> {
  const sandbox = markedSandbox(config);
  const watch = await watchDags(config.dagsDir, {
    sandbox,
    onLoad: async ({ files }) => {
      const report = await storeVersions(database, files.map(storable));
      for (const dagId of report.changed) say(`new version of ${dagId}`);
      for (const dagId of report.deactivated) say(`${dagId} is in no file any more`);
      for (const serviceId of report.services.changed) say(`new version of service ${serviceId}`);
      for (const serviceId of report.services.removed) say(`service ${serviceId} is in no file any more`);
      for (const file of report.broken) say(`import error in ${file}`);
      for (const one of await poolWarnings(database, report.changed)) say(`DAG ${one.dagId}: ${poolWarningText(one)}`);
    },
    onError: say,
  });
  return {
    rescan: watch.rescan,
    close: async () => {
      await watch.close();
      sandbox.close();
    },
  };
}

/** Its processes carry the marker of this QFLOW_HOME, by which a file that loops for ever is found after our death. */
function markedSandbox({ environment }: Config): Sandbox {
  const instance = environment.QFLOW_INSTANCE;
  return openSandboxPool(instance ? { env: { QFLOW_INSTANCE: instance } } : {});
}

function storable(file: LoadedFile): LoadedDagFile {
  if (file.error) return { file: file.path, error: file.error };
  if (file.bundle) return { file: file.path, bundle: file.bundle, dags: file.dags, services: file.services };
  throw new Error(`${file.path} has neither a bundle nor an error`);
}
