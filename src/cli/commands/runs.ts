/** `qflow runs …`, `qflow tasks …`: what ran, and why it ended as it did. */
import type { Command } from "commander";
import type { Database } from "../../metadata/database.ts";
import { getRun, listRuns } from "../../metadata/views/run-views.ts";
import { findAttempt, listTaskInstances } from "../../metadata/views/task-views.ts";
import { readLog } from "../../metadata/work.ts";
import { type Column, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { duration, instant, shortened } from "../text.ts";
import { withDatabase } from "../with-database.ts";
import { runExplain } from "./explain.ts";
import { runActions } from "./run-actions.ts";

type RunRow = Awaited<ReturnType<typeof getRun>>;
type TaskRow = Awaited<ReturnType<typeof listTaskInstances>>["rows"][number];

const RUN_COLUMNS: Column<RunRow>[] = [
  { heading: "dag", cell: (run) => run.dag_id },
  { heading: "run", cell: (run) => run.run_id },
  { heading: "state", cell: (run) => run.state },
  { heading: "conf", cell: (run) => shortened(JSON.stringify(run.conf)) },
  { heading: "started", cell: (run) => instant(run.started_at) },
  { heading: "took", cell: (run) => duration(run.duration) },
];

const TASK_COLUMNS: Column<TaskRow>[] = [
  { heading: "task", cell: (task) => (task.map_index < 0 ? task.task_id : `${task.task_id}[${task.map_index}]`) },
  { heading: "state", cell: (task) => task.state },
  { heading: "try", cell: (task) => task.try_number },
  { heading: "operator", cell: (task) => task.operator },
  { heading: "started", cell: (task) => instant(task.started_at) },
  { heading: "took", cell: (task) => duration(task.duration) },
  {
    heading: "why",
    cell: (task) => (task.error ? `${task.error.code}: ${task.error.message}`.slice(0, 120) : task.reason),
  },
];

/** Registers the commands. */
export function runCommands(program: Command, context: () => CommandContext): void {
  const runs = program.command("runs").description("runs of DAGs");
  runs
    .command("list [dag]")
    .description("newest first")
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 25)
    .addOption(outputOption())
    .action((dagId: string | undefined, options: ListOptions & { limit: number }) =>
      withDatabase(context(), async (database) => {
        const page = await listRuns(database, { dagId }, { limit: options.limit, offset: 0, orderBy: ["-id"] });
        printRows(page.rows, RUN_COLUMNS, {
          format: options.output,
          empty: "No runs yet. Start one: qflow dags trigger DAG",
        });
      }),
    );
  runs
    .command("show <dag> <run>")
    .description("a run and its tasks")
    .addOption(outputOption())
    .action((dagId: string, runId: string, options: ListOptions) =>
      withDatabase(context(), (database) => showRun(database, dagId, runId, options)),
    );

  const tasks = program.command("tasks").description("task instances");
  tasks
    .command("logs <dag> <run> <task>")
    .description("the log of an attempt, by default the last one")
    .option("--try <n>", "which attempt", wholeNumber("--try"))
    .option("--map-index <n>", "which item of a mapped task", wholeNumber("--map-index"))
    .action((dagId: string, runId: string, taskId: string, options: { try?: number; mapIndex?: number }) =>
      withDatabase(context(), (database) => printLog(database, { dagId, runId, taskId, ...options })),
    );
  runExplain(runs, context);
  runActions(runs, tasks, context);
}

async function showRun(database: Database, dagId: string, runId: string, options: ListOptions): Promise<void> {
  const run = await getRun(database, dagId, runId);
  const tasks = await listTaskInstances(database, { dagId, runId }, { limit: 10_000, offset: 0, orderBy: [] });
  if (options.output === "json") {
    process.stdout.write(`${JSON.stringify({ ...run, tasks: tasks.rows }, null, 2)}\n`);
    return;
  }
  printRows([run], RUN_COLUMNS, { format: "table", empty: "" });
  process.stdout.write("\n");
  printRows(tasks.rows, TASK_COLUMNS, { format: "table", empty: "The run has no tasks." });
}

interface LogRequest {
  dagId: string;
  runId: string;
  taskId: string;
  try?: number;
  mapIndex?: number;
}

const LOG_PAGE = 5_000;

async function printLog(database: Database, wanted: LogRequest): Promise<void> {
  const key = { dagId: wanted.dagId, runId: wanted.runId, taskId: wanted.taskId, mapIndex: wanted.mapIndex ?? -1 };
  const [instance] = (await listTaskInstances(database, key, { limit: 1, offset: 0, orderBy: [] })).rows;
  const attemptId = await findAttempt(database, key, wanted.try ?? instance?.try_number ?? 1);
  let next = 1;
  let complete = false;
  while (!complete) {
    const page = await readLog(database, attemptId, next, LOG_PAGE);
    for (const line of page.lines) process.stdout.write(`${line.at} ${line.level.padEnd(6)} ${line.text}\n`);
    complete = page.lines.length === 0 || page.complete;
    next = page.nextLine;
  }
  if (next === 1) say("The log is empty.");
}
