/** `qflow runs clear|rerun|mark|cancel|note` and `qflow tasks cancel`: what people do to runs. Each leaves an audit row. */
import { type Command, Option } from "commander";
import { QflowError } from "../../errors.ts";
import type { AuditEntry } from "../../metadata/access.ts";
import type { AffectedInstance, Relatives, TaskPick } from "../../metadata/affected.ts";
import { audited } from "../../metadata/audited.ts";
import { type ClearReport, type ClearRequest, clearTasks, previewClear } from "../../metadata/clear.ts";
import type { Database } from "../../metadata/database.ts";
import { cancelTask, MARKED_STATES, type MarkedState, markRun, markTasks, previewMark } from "../../metadata/mark.ts";
import { setRunNote, setTaskNote } from "../../metadata/notes.ts";
import { cancelRun } from "../../metadata/runs.ts";
import type { TaskState } from "../../metadata/task-states.ts";
import { type Column, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { withDatabase } from "../with-database.ts";

interface Choice extends ListOptions {
  task?: string[];
  mapIndex?: number;
  upstream?: boolean;
  downstream?: boolean;
  dryRun?: boolean;
}

interface ClearOptions extends Choice {
  onlyFailed?: boolean;
  running?: boolean;
  version: "pinned" | "latest";
}

interface RunAddress {
  dagId: string;
  runId: string;
}

const FAILED: readonly TaskState[] = ["failed", "upstream_failed"];

const AFFECTED: Column<AffectedInstance>[] = [
  { heading: "task", cell: (one) => (one.mapIndex < 0 ? one.taskId : `${one.taskId}[${one.mapIndex}]`) },
  { heading: "state", cell: (one) => one.state },
];

/** Registers the commands beneath `qflow runs` and `qflow tasks`. */
export function runActions(runs: Command, tasks: Command, context: () => CommandContext): void {
  addClear(runs, context);
  addMark(runs, context);
  runs
    .command("cancel <dag> <run>")
    .description("end a run: what waits is skipped, what runs is told to end")
    .action((dagId: string, runId: string) =>
      change(context(), { action: "run.cancel", dagId, runId }, async (db) => {
        const { running } = await cancelRun(db, dagId, runId);
        say(running === 0 ? "The run has ended." : `${running} running tasks are told to end.`);
      }),
    );
  runs
    .command("note <dag> <run> <text>")
    .description('write a note on a run or a task; "" removes it')
    .option("--task <id>", "on this task instead of the run")
    .option("--map-index <n>", "which item of a mapped task", wholeNumber("--map-index"))
    .action((dagId: string, runId: string, text: string, options: { task?: string; mapIndex?: number }) => {
      const { task: taskId, mapIndex = -1 } = options;
      const note = text === "" ? null : text;
      const entry = { action: "note", dagId, runId, ...(taskId ? { taskId } : {}), details: { note } };
      return change(context(), entry, (db) =>
        taskId ? setTaskNote(db, { dagId, runId, taskId, mapIndex }, note) : setRunNote(db, dagId, runId, note),
      );
    });
  tasks
    .command("cancel <dag> <run> <task>")
    .description("end one task: a running try is told to end, what waits fails at once")
    .option("--map-index <n>", "which item of a mapped task", wholeNumber("--map-index"))
    .action((dagId: string, runId: string, taskId: string, options: { mapIndex?: number }) =>
      change(context(), { action: "task.cancel", dagId, runId, taskId, details: { ...options } }, async (db) => {
        const { running } = await cancelTask(db, { dagId, runId }, pick(taskId, options.mapIndex));
        say(running === 0 ? "The task has failed: cancelled." : `${running} running tries are told to end.`);
      }),
    );
}

function addClear(runs: Command, context: () => CommandContext): void {
  const version = () =>
    new Option("--version <which>", "run on this version of the DAG").choices(["pinned", "latest"]).default("pinned");
  choosing(runs.command("clear <dag> <run>"))
    .description("do tasks of a run again; by default all, and with --task that one and what follows it")
    .option("--only-failed", "only what failed, and what follows it")
    .option("--running", "also what waits or runs: that is ended first")
    .addOption(version())
    .action((dagId: string, runId: string, options: ClearOptions) =>
      clear(context(), { dagId, runId }, options, clearRequest({ dagId, runId }, options)),
    );
  runs
    .command("rerun <dag> <run>")
    .description("do an ended run again: whole, or from what failed")
    .option("--from-failed", "only what failed, and what follows it")
    .option("--dry-run", "only list what would be done")
    .addOption(version())
    .addOption(outputOption())
    .action((dagId: string, runId: string, options: ClearOptions & { fromFailed?: boolean }) =>
      clear(context(), { dagId, runId }, options, {
        dagId,
        runId,
        version: options.version,
        ...(options.fromFailed ? { states: FAILED, relatives: "downstream" } : { relatives: "none" }),
      }),
    );
}

function choosing(command: Command): Command {
  return command
    .option("--task <id...>", "only these tasks")
    .option("--map-index <n>", "which item of the mapped task", wholeNumber("--map-index"))
    .option("--upstream", "with what comes before them")
    .option("--no-downstream", "without what follows them")
    .option("--dry-run", "only list what would be changed")
    .addOption(outputOption());
}

function addMark(runs: Command, context: () => CommandContext): void {
  runs
    .command("mark <dag> <run> <state>")
    .description("declare how a run (success, failed) or tasks of it (success, failed, skipped) ended")
    .option("--task <id...>", "these tasks instead of the run")
    .option("--map-index <n>", "which item of the mapped task", wholeNumber("--map-index"))
    .option("--upstream", "with what comes before them")
    .option("--downstream", "with what follows them")
    .option("--dry-run", "only list what would be changed")
    .addOption(outputOption())
    .action((dagId: string, runId: string, state: string, options: Choice) =>
      mark(context(), { dagId, runId }, markedState(state), options),
    );
}

/** Runs a change of the command line with its audit row. */
function change(context: CommandContext, entry: Omit<AuditEntry, "actor">, work: (db: Database) => Promise<void>) {
  return withDatabase(context, (database) => audited(database, { ...entry, actor: "cli" }, work));
}

function pick(taskId: string, mapIndex: number | undefined): TaskPick {
  return mapIndex === undefined ? { taskId } : { taskId, mapIndex };
}

function picks({ task, mapIndex }: Choice): { tasks?: TaskPick[] } {
  if (task === undefined && mapIndex !== undefined) throw new QflowError("USAGE", "--map-index needs --task");
  return task ? { tasks: task.map((id) => pick(id, mapIndex)) } : {};
}

function relatives({ upstream, downstream }: Choice): Relatives {
  if (upstream) return downstream ? "both" : "upstream";
  return downstream ? "downstream" : "none";
}

function clearRequest(run: RunAddress, options: ClearOptions): ClearRequest {
  return {
    ...run,
    ...picks(options),
    relatives: relatives(options),
    unended: options.running ? "cancel" : "refuse",
    version: options.version,
    ...(options.onlyFailed ? { states: FAILED } : {}),
  };
}

async function clear(
  context: CommandContext,
  { dagId, runId }: RunAddress,
  options: ClearOptions,
  request: ClearRequest,
): Promise<void> {
  await withDatabase(context, async (database) => {
    if (options.dryRun) return printClear(await previewClear(database, request), options);
    const { dagId: _dag, runId: _run, ...details } = request;
    const entry = { actor: "cli", action: "tasks.clear", dagId, runId, details };
    printClear(await audited(database, entry, (db) => clearTasks(db, request)), options);
  });
}

function printClear({ affected, diff }: ClearReport, { output, dryRun }: Choice): void {
  if (output === "json") {
    printFields({ affected, version_change: diff }, "json");
    return;
  }
  if (diff) {
    say(`Version ${diff.from} → ${diff.to}`);
    for (const [sign, tasks] of [
      ["+", diff.added],
      ["-", diff.removed],
      ["~", diff.changed],
    ] as const) {
      for (const task of tasks) say(`  ${sign} ${task}`);
    }
  }
  printRows(affected, AFFECTED, { format: "table", empty: "Nothing here to clear." });
  if (affected.length > 0) say(dryRun ? `${affected.length} would run again.` : `${affected.length} run again.`);
}

function markedState(text: string): MarkedState {
  const state = MARKED_STATES.find((one) => one === text);
  if (state) return state;
  throw new QflowError("USAGE", `"${text}" is not one of ${MARKED_STATES.join(", ")}`);
}

async function mark(
  context: CommandContext,
  { dagId, runId }: RunAddress,
  state: MarkedState,
  options: Choice,
): Promise<void> {
  const chosen = picks(options);
  if (!chosen.tasks) {
    if (state === "skipped") throw new QflowError("USAGE", "a run is marked success or failed; name a --task to skip");
    if (options.dryRun) throw new QflowError("USAGE", "--dry-run needs --task");
    return change(context, { action: "run.mark", dagId, runId, details: { state } }, (db) =>
      markRun(db, { dagId, runId }, state),
    );
  }
  const request = { dagId, runId, ...chosen, relatives: relatives(options), state };
  await withDatabase(context, async (database) => {
    const entry = { actor: "cli", action: "tasks.mark", dagId, runId, details: { ...request } };
    const affected = options.dryRun
      ? await previewMark(database, request)
      : await audited(database, entry, (db) => markTasks(db, request));
    printRows(affected, AFFECTED, { format: options.output, empty: `Everything named is ${state} already.` });
  });
}
