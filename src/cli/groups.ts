/** All groups of commands, in the order in which `--help` lists them. */
import { catalogCommands } from "./commands/catalog.ts";
import { dagCommands } from "./commands/dags.ts";
import { engineCommands } from "./commands/engines.ts";
import { platformCommands } from "./commands/platform.ts";
import { processCommands } from "./commands/processes.ts";
import { runCommands } from "./commands/runs.ts";
import { sqlCommand } from "./commands/sql.ts";
import type { CommandGroup } from "./program.ts";

/** See {@link CommandGroup}. */
export const commandGroups: readonly CommandGroup[] = [
  platformCommands,
  dagCommands,
  runCommands,
  catalogCommands,
  sqlCommand,
  engineCommands,
  processCommands,
];
