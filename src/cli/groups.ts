/** All groups of commands, in the order in which `--help` lists them. */
import { approvalCommands } from "./commands/approvals.ts";
import { backfillCommands } from "./commands/backfills.ts";
import { catalogCommands } from "./commands/catalog.ts";
import { connectionCommands } from "./commands/connections.ts";
import { dagCommands } from "./commands/dags.ts";
import { databaseCommands } from "./commands/database.ts";
import { engineCommands } from "./commands/engines.ts";
import { notificationCommands } from "./commands/notifications.ts";
import { platformCommands } from "./commands/platform.ts";
import { poolCommands } from "./commands/pools.ts";
import { processCommands } from "./commands/processes.ts";
import { runCommands } from "./commands/runs.ts";
import { sqlCommand } from "./commands/sql.ts";
import { variableCommands } from "./commands/variables.ts";
import type { CommandGroup } from "./program.ts";

/** See {@link CommandGroup}. */
export const commandGroups: readonly CommandGroup[] = [
  platformCommands,
  dagCommands,
  runCommands,
  approvalCommands,
  notificationCommands,
  backfillCommands,
  poolCommands,
  catalogCommands,
  connectionCommands,
  variableCommands,
  sqlCommand,
  engineCommands,
  processCommands,
  databaseCommands,
];
