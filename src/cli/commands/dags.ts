/** `qflow dags …`: what is declared, and runs by hand. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { loadDags } from "../../dag/load-dags.ts";
import { scheduleDescription } from "../../dag/schedule-text.ts";
import { QflowError } from "../../errors.ts";
import type { Database } from "../../metadata/database.ts";
import { type DagRow, getDag, getDagVersion, listDags } from "../../metadata/views/dag-views.ts";
import { type Column, EXIT, printFields, printRows, say } from "../output.ts";
import { checkPools } from "../pool-check.ts";
import { type CommandContext, type ListOptions, outputOption } from "../program.ts";
import { instant } from "../text.ts";
import { withDags } from "../with-dags.ts";
import { withScratchDatabase } from "../with-database.ts";
import { addPlanCommand } from "./dag-plan.ts";
import { addPreviewCommand } from "./dag-preview.ts";
import { addRunCommands } from "./dag-runs.ts";
import { addScheduleCommands } from "./dag-schedules.ts";
import { dagExplain } from "./explain.ts";

const MANY = 100_000;

const DAG_COLUMNS: Column<DagRow>[] = [
  { heading: "dag", cell: (dag) => dag.dag_id },
  { heading: "schedule", cell: (dag) => scheduleDescription(dag.schedule) },
  { heading: "paused", cell: (dag) => (dag.paused ? "paused" : "") },
  { heading: "next run", cell: (dag) => (dag.paused ? "" : instant(dag.next_run_after)) },
  { heading: "last run", cell: (dag) => dag.latest_runs[0]?.state },
  { heading: "file", cell: (dag) => `${dag.file}${dag.has_import_error ? " (import error)" : ""}` },
];

/** Registers the commands. */
export function dagCommands(program: Command, context: () => CommandContext): void {
  const dags = program.command("dags").description("DAGs: declared, checked, triggered");
  dags
    .command("list")
    .description("all DAGs of the dags folder")
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withDags(context(), async (database) => {
        const page = await listDags(database, { active: true }, { limit: MANY, offset: 0, orderBy: ["dag_id"] });
        printRows(page.rows, DAG_COLUMNS, {
          format: options.output,
          empty: "No DAGs. Put a file into the dags folder.",
        });
      }),
    );
  dags
    .command("show <dag>")
    .description("one DAG: its schedule, tasks and edges")
    .addOption(outputOption())
    .action((dagId: string, options: ListOptions) => withDags(context(), (database) => show(database, dagId, options)));
  dags
    .command("check [folder]")
    .description("load DAG files as the scheduler would, and say what is wrong with them")
    .addOption(outputOption())
    .action((folder: string | undefined, options: ListOptions) => check(context(), folder, options));
  dags
    .command("test <file>")
    .description("run each DAG of a file once on a database of its own")
    .option("--dag <id>", "only this one")
    .addOption(outputOption())
    .action((file: string, options: ListOptions & { dag?: string }) =>
      withScratchDatabase(context(), (database) => testFile(context(), { file, database, ...options })),
    );
  addRunCommands(dags, context);
  addScheduleCommands(dags, context);
  addPlanCommand(dags, context);
  addPreviewCommand(dags, context);
  dagExplain(dags, context);
}

type TestRequest = ListOptions & { file: string; dag?: string; database: Database };

async function testFile({ config }: CommandContext, request: TestRequest): Promise<void> {
  const { file, database, dag, output } = request;
  const { testDagFile } = await import("../../worker/index.ts");
  const { testWaits } = await import("../../scheduler/index.ts");
  const options = { database, config, startWaits: testWaits, ...(dag ? { dagId: dag } : {}) };
  for await (const run of testDagFile(file, options)) {
    const line = { dag_id: run.dagId, state: run.state, tasks: run.tasks };
    if (output === "json") process.stdout.write(`${JSON.stringify(line)}\n`);
    else {
      process.stdout.write(`${run.dagId}: ${run.state}\n`);
      for (const [task, state] of Object.entries(run.tasks)) process.stdout.write(`  ${task}: ${state}\n`);
    }
    if (run.state !== "success") process.exitCode = EXIT.failed;
  }
}

async function show(database: Database, dagId: string, options: ListOptions): Promise<void> {
  const dag = await getDag(database, dagId);
  const { spec, number } = await getDagVersion(database, dagId, null);
  if (options.output === "json") {
    process.stdout.write(`${JSON.stringify({ ...spec, version: number, paused: dag.paused }, null, 2)}\n`);
    return;
  }
  printFields(
    {
      dag: dagId,
      version: number,
      file: dag.file,
      schedule: scheduleDescription(spec.schedule),
      paused: dag.paused,
      catchup: spec.catchup,
      "max active runs": spec.maxActiveRuns,
      doc: spec.doc,
    },
    "table",
  );
  process.stdout.write("\n");
  type Task = (typeof spec.tasks)[number];
  const columns: Column<Task>[] = [
    { heading: "task", cell: (task) => task.taskId },
    { heading: "kind", cell: (task) => task.operator?.name ?? task.kind },
    { heading: "after", cell: (task) => task.upstream.join(", ") },
    { heading: "rule", cell: (task) => task.rule },
    { heading: "retries", cell: (task) => task.retry.retries },
    { heading: "pool", cell: (task) => task.pool },
  ];
  printRows(spec.tasks, columns, { format: "table", empty: "The DAG has no tasks." });
}

interface Finding {
  file: string;
  dags: string[];
  error: { code: string; message: string; remedy: string; line: number | null; column: number | null } | null;
}

async function check(context: CommandContext, named: string | undefined, options: ListOptions): Promise<void> {
  const folder = named ?? context.config.dagsDir;
  if (!existsSync(folder)) throw new QflowError("USAGE", `there is no folder ${folder}`);
  const { files } = await loadDags(folder);
  const findings: Finding[] = files.map(({ path, dags, error }) => ({
    file: path,
    dags: dags.map((dag) => dag.dagId),
    error,
  }));
  const broken = findings.filter((finding) => finding.error !== null);
  const warnings = await checkPools(
    context,
    files.flatMap((file) => file.dags),
  );
  if (options.output === "json") process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
  else {
    for (const { file, dags, error } of findings) {
      const place = error?.line ? `:${error.line}:${error.column ?? 1}` : "";
      process.stdout.write(
        error
          ? `✕ ${file}${place}  ${error.code}: ${error.message}\n  → ${error.remedy}\n`
          : `● ${file}  ${dags.join(", ")}\n`,
      );
    }
    say(`${findings.length} files, ${broken.length} with errors`);
  }
  for (const warning of warnings) say(`! ${warning}`);
  if (broken.length > 0) process.exitCode = EXIT.failed;
}
