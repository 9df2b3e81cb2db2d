/** `qflow notifications …`: what was told to whom, what is still to be sent, and what was given up. */
import { type Command, Option } from "commander";
import { audited } from "../../metadata/audited.ts";
import {
  listNotifications,
  NOTIFICATION_STATES,
  type NotificationRow,
  type NotificationState,
  retryNotifications,
} from "../../metadata/notifications.ts";
import { type Column, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { instant } from "../text.ts";
import { withDatabase } from "../with-database.ts";

const COLUMNS: Column<NotificationRow>[] = [
  { heading: "id", cell: (one) => Number(one.id) },
  { heading: "event", cell: (one) => one.event },
  { heading: "about", cell: (one) => one.dag_id ?? `service ${one.service_id}` },
  { heading: "run", cell: (one) => textOf(one.payload.run_id) },
  { heading: "task", cell: (one) => textOf(one.payload.task_id) },
  { heading: "to", cell: (one) => one.channel },
  { heading: "state", cell: (one) => one.state },
  { heading: "attempts", cell: (one) => one.attempts },
  { heading: "next", cell: (one) => instant(one.next_at) },
  { heading: "error", cell: (one) => one.error?.slice(0, 100) },
];

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

interface Listing extends ListOptions {
  state?: NotificationState;
  dag?: string;
  limit: number;
}

/** Registers the commands. */
export function notificationCommands(program: Command, context: () => CommandContext): void {
  const notifications = program.command("notifications").description("what is told to whom, and whether it arrived");
  notifications
    .command("list", { isDefault: true })
    .description("newest first")
    .addOption(new Option("--state <state>", "only those in this state").choices(NOTIFICATION_STATES))
    .option("--dag <id>", "only those of this DAG")
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 25)
    .addOption(outputOption())
    .action((options: Listing) =>
      withDatabase(context(), async (database) => {
        const wanted = { state: options.state, dagId: options.dag };
        const page = await listNotifications(database, wanted, { limit: options.limit, offset: 0 });
        printRows(page.rows, COLUMNS, {
          format: options.output,
          empty: "Nobody was told of anything. A DAG says who is to be told of what: its option notify.",
        });
      }),
    );
  notifications
    .command("retry [id...]")
    .description("send these again; without an id all that were given up")
    .action((ids: string[]) =>
      withDatabase(context(), async (database) => {
        const numbers = ids.map(wholeNumber("the id"));
        const entry = { actor: "cli", action: "notifications.retry", details: { ids: numbers } };
        const n = await audited(database, entry, (db) =>
          retryNotifications(db, numbers.length > 0 ? numbers : undefined),
        );
        say(`${n} are sent again.`);
      }),
    );
}
