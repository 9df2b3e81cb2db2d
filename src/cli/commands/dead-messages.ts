/** `qflow dead-messages list | show | replay`: messages of topics that could not be used, and another try for them. */
import { type Command, Option } from "commander";
import { QflowError } from "../../errors.ts";
import { audited } from "../../metadata/audited.ts";
import type { Database } from "../../metadata/database.ts";
import {
  DEAD_MESSAGE_STATES,
  type DeadMessageChoice,
  type DeadMessageRow,
  type DeadMessageState,
  getDeadMessage,
  listDeadMessages,
} from "../../metadata/dead-messages.ts";
import { textOf } from "../../operators/clients/json-text.ts";
import { replayDeadMessages } from "../../scheduler/message-replay.ts";
import { type Column, EXIT, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { instant } from "../text.ts";
import { withDatabase } from "../with-database.ts";

const COLUMNS: Column<DeadMessageRow>[] = [
  { heading: "id", cell: (one) => Number(one.id) },
  { heading: "dag", cell: (one) => one.dag_id },
  { heading: "task", cell: (one) => one.task_id },
  { heading: "topic", cell: (one) => one.topic },
  { heading: "partition", cell: (one) => one.partition },
  { heading: "offset", cell: (one) => Number(one.offset) },
  { heading: "bytes", cell: (one) => one.bytes },
  { heading: "at", cell: (one) => instant(one.at) },
  { heading: "state", cell: (one) => one.state },
  { heading: "reason", cell: (one) => one.reason.slice(0, 100) },
];

interface Listing extends ListOptions {
  dag?: string;
  state?: DeadMessageState;
  limit: number;
}

/** Registers the commands. */
export function deadMessageCommands(program: Command, context: () => CommandContext): void {
  const dead = program.command("dead-messages").description("messages of topics that could not be used");
  dead
    .command("list", { isDefault: true })
    .description("newest first")
    .option("--dag <id>", "only those of this DAG")
    .addOption(new Option("--state <state>", "only those in this state").choices(DEAD_MESSAGE_STATES))
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 25)
    .addOption(outputOption())
    .action(({ dag: dagId, state, limit, output }: Listing) =>
      withDatabase(context(), async (database) => {
        const page = await listDeadMessages(database, { dagId, state }, { limit, offset: 0 });
        printRows(page.rows, COLUMNS, { format: output, empty: "Every message could be used." });
        if (page.total > page.rows.length) say(`${page.total} in all: --limit shows more.`);
      }),
    );
  dead
    .command("show <id>")
    .description("one of them with its key and value")
    .option("--raw", "nothing but the bytes of its value")
    .addOption(outputOption())
    .action((id: string, options: ListOptions & { raw?: boolean }) =>
      withDatabase(context(), (database) => show(database, numberOf(id), options)),
    );
  dead
    .command("replay [id...]")
    .description("another try for these, or for all of a DAG that were to start a run")
    .option("--dag <id>", "all open ones of this DAG")
    .action((ids: string[], options: { dag?: string }) =>
      withDatabase(context(), (database) => replay(database, choiceOf(ids, options.dag))),
    );
}

function numberOf(id: string): number {
  if (!/^\d{1,15}$/.test(id)) throw new QflowError("USAGE", `"${id}" is no id of a dead message: those are numbers`);
  return Number(id);
}

async function show(database: Database, id: number, options: ListOptions & { raw?: boolean }): Promise<void> {
  const { key, value, ...row } = await getDeadMessage(database, id);
  if (options.raw) {
    process.stdout.write(value ?? "");
    return;
  }
  const shown = (bytes: Buffer | null) => (bytes === null ? null : (textOf(bytes) ?? bytes.toString("base64")));
  const fields = { ...row, key: shown(key), value: shown(value) };
  printFields(options.output === "json" ? fields : harmless(fields), options.output);
}

/** Whoever sent the message does not get to steer a terminal. */
function harmless(fields: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? value.replace(/[^\P{Cc}\n\t]/gu, "\ufffd") : value,
  ]);
  return Object.fromEntries(entries);
}

function choiceOf(ids: readonly string[], dagId: string | undefined): DeadMessageChoice {
  if ((ids.length === 0) === (dagId === undefined)) {
    throw new QflowError("USAGE", "say either which messages, or --dag");
  }
  return dagId === undefined ? { ids: ids.map(numberOf) } : { dagId };
}

async function replay(database: Database, choice: DeadMessageChoice): Promise<void> {
  const entry = { actor: "cli", action: "dead_messages.replay", details: { ...choice } };
  const done = await audited(database, entry, (db) => db.transaction((sql) => replayDeadMessages(sql, choice)));
  say(`${done.replayed} wait for a run now.`);
  if (done.duplicates > 0) say(`${done.duplicates} start nothing: another message of the same dedupe key was used.`);
  for (const { id, reason } of done.refused) say(`✕ ${id}: ${reason}`);
  if (done.left > 0) say(`${done.left} are left: replay again.`);
  if (done.refused.length > 0) process.exitCode = EXIT.failed;
}
