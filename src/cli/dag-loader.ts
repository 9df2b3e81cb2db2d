/** DAG files → versions in the database; used by the scheduler process and by commands that need the DAGs of the folder. */
import { type LoadedFile, loadDags } from "../dag/load-dags.ts";
import { type DagWatch, watchDags } from "../dag/watch-dags.ts";
import type { Database } from "../metadata/database.ts";
import { type LoadedDagFile, type StoreReport, storeVersions } from "../metadata/versions.ts";

/** Loads a folder once and stores what it holds. */
export async function storeDags(database: Database, dagsDir: string): Promise<StoreReport> {
  const { files } = await loadDags(dagsDir);
  return storeVersions(database, files.map(storable));
}

/** Keeps the database up to a folder: loads it, then again whenever a file is saved. */
export function keepDagsStored(database: Database, dagsDir: string, say: (message: string) => void): Promise<DagWatch> {
  return watchDags(dagsDir, {
    onLoad: async ({ files }) => {
      const report = await storeVersions(database, files.map(storable));
      for (const dagId of report.changed) say(`new version of ${dagId}`);
      for (const dagId of report.deactivated) say(`${dagId} is in no file any more`);
      for (const file of report.broken) say(`import error in ${file}`);
    },
    onError: say,
  });
}

function storable(file: LoadedFile): LoadedDagFile {
  if (file.error) return { file: file.path, error: file.error };
  if (file.bundle) return { file: file.path, bundle: file.bundle, dags: file.dags };
  throw new Error(`${file.path} has neither a bundle nor an error`);
}
