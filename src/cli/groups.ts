/** All groups of commands. What a command needs is loaded when it is asked for: a process holds in memory what it uses. */
import type { CommandGroup } from "./program.ts";

/** A group, and the names of the commands it adds to the program. */
export interface LazyGroup {
  readonly commands: readonly string[];
  load(): Promise<CommandGroup>;
}

/** In the order in which `--help` lists them. */
export const commandGroups: readonly LazyGroup[] = [
  {
    commands: ["start", "up", "reset"],
    load: async () => (await import("./commands/platform.ts")).platformCommands,
  },
  {
    commands: ["login", "users", "tokens"],
    load: async () => (await import("./commands/access.ts")).accessCommands,
  },
  { commands: ["feed"], load: async () => (await import("./commands/feed.ts")).feedCommands },
  { commands: ["dags"], load: async () => (await import("./commands/dags.ts")).dagCommands },
  { commands: ["runs", "tasks"], load: async () => (await import("./commands/runs.ts")).runCommands },
  { commands: ["services"], load: async () => (await import("./commands/services.ts")).serviceCommands },
  { commands: ["approvals"], load: async () => (await import("./commands/approvals.ts")).approvalCommands },
  {
    commands: ["dead-messages"],
    load: async () => (await import("./commands/dead-messages.ts")).deadMessageCommands,
  },
  { commands: ["notifications"], load: async () => (await import("./commands/notifications.ts")).notificationCommands },
  { commands: ["backfills"], load: async () => (await import("./commands/backfills.ts")).backfillCommands },
  { commands: ["pools"], load: async () => (await import("./commands/pools.ts")).poolCommands },
  { commands: ["catalog"], load: async () => (await import("./commands/catalog.ts")).catalogCommands },
  { commands: ["connections"], load: async () => (await import("./commands/connections.ts")).connectionCommands },
  { commands: ["variables"], load: async () => (await import("./commands/variables.ts")).variableCommands },
  { commands: ["sql"], load: async () => (await import("./commands/sql.ts")).sqlCommand },
  { commands: ["engines"], load: async () => (await import("./commands/engines.ts")).engineCommands },
  {
    commands: ["scheduler", "worker", "api"],
    load: async () => (await import("./commands/processes.ts")).processCommands,
  },
  { commands: ["db"], load: async () => (await import("./commands/database.ts")).databaseCommands },
];

/** The group of the command that the arguments name; all groups where they name none of ours. */
export function loadGroups(args: readonly string[]): Promise<CommandGroup[]> {
  const command = args.find((argument) => !argument.startsWith("-"));
  const own = commandGroups.filter(({ commands }) => commands.some((name) => name === command));
  return Promise.all((own.length > 0 ? own : commandGroups).map((group) => group.load()));
}
