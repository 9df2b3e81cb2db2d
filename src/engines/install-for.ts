/** Installs what given engines need, beside what every platform has. */
import { BLUEPRINTS } from "./blueprints.ts";
import type { EngineName } from "./home.ts";
import { type Installation, type InstallConfig, installEngines } from "./install.ts";
import { installJarSets } from "./jar-sets.ts";
import type { Progress } from "./progress.ts";

/** Installs what is missing; touches no network when everything is there. Throws PREREQUISITE_MISSING or DOWNLOAD_FAILED. */
export async function installFor(
  config: InstallConfig,
  names: readonly EngineName[],
  progress: Progress,
): Promise<Installation> {
  const installation = await installEngines(config, progress);
  const sets = new Set(names.flatMap((name) => BLUEPRINTS[name].jarSets));
  await installJarSets(config, [...sets], installation, progress);
  return installation;
}
