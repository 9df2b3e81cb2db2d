/** `qflow dags next | pause | unpause`: which runs are to come, and whether they come. */
import type { Command } from "commander";
import { scheduleDescription } from "../../dag/schedule-text.ts";
import type { TimetableRun } from "../../dag/timetable.ts";
import { audited } from "../../metadata/audited.ts";
import type { Database } from "../../metadata/database.ts";
import { readDueDags } from "../../metadata/due-dags.ts";
import { pauseDag, unpauseDag } from "../../metadata/runs.ts";
import { getDag } from "../../metadata/views/dag-views.ts";
import { comingRuns, previewUnpause, timingOf, type UnpausePreview } from "../../scheduler/index.ts";
import { type Column, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { instant, missedText } from "../text.ts";
import { withDags } from "../with-dags.ts";

/** Runs that are listed unless `--count` says otherwise: of one DAG, and of all. */
const LISTED = { one: 5, all: 20 };

/** Adds the commands to `qflow dags`. */
export function addScheduleCommands(dags: Command, context: () => CommandContext): void {
  dags
    .command("next [dag]")
    .description("coming runs of a DAG, or of all that are not paused")
    .option("-n, --count <n>", "how many", wholeNumber("--count"))
    .addOption(outputOption())
    .action((dagId: string | undefined, options: ListOptions & { count?: number }) =>
      withDags(context(), (database) => next(database, dagId, options)),
    );
  dags
    .command("pause <dag>")
    .description("start no new runs")
    .action((dagId: string) =>
      withDags(context(), (database) =>
        audited(database, { actor: "cli", action: "dag.pause", dagId }, (db) => pauseDag(db, dagId)),
      ),
    );
  dags
    .command("unpause <dag>")
    .description("start runs again, and say which are due")
    .option("--dry-run", "only say which are due")
    .addOption(outputOption())
    .action((dagId: string, options: ListOptions & { dryRun?: boolean }) =>
      withDags(context(), async (database) => {
        const preview = await previewUnpause(database, dagId);
        if (!options.dryRun) {
          await audited(database, { actor: "cli", action: "dag.unpause", dagId }, (db) => unpauseDag(db, dagId));
        }
        printPreview(preview, options);
      }),
    );
}

type ComingRun = TimetableRun & { readonly dagId: string };

const RUN_COLUMNS: Column<TimetableRun>[] = [
  { heading: "run after", cell: (run) => instant(run.runAfter) },
  { heading: "logical date", cell: (run) => instant(run.logicalDate) },
  { heading: "interval start", cell: (run) => instant(run.interval.start) },
  { heading: "interval end", cell: (run) => instant(run.interval.end) },
];

const FLEET_COLUMNS: Column<ComingRun>[] = [{ heading: "dag", cell: (run) => run.dagId }, ...RUN_COLUMNS];

async function next(
  database: Database,
  dagId: string | undefined,
  { output, count }: ListOptions & { count?: number },
): Promise<void> {
  if (dagId !== undefined) return nextOf(database, dagId, { output, count: count ?? LISTED.one });
  const most = count ?? LISTED.all;
  const dags = (await readDueDags(database)).filter((dag) => !dag.paused);
  const runs = dags
    .flatMap((dag) => comingRuns(timingOf(dag), most).map((run): ComingRun => ({ dagId: dag.dagId, ...run })))
    .sort((a, b) => a.runAfter.getTime() - b.runAfter.getTime())
    .slice(0, most);
  printRows(runs, FLEET_COLUMNS, { format: output, empty: "No DAG that is not paused has coming runs by the clock." });
}

async function nextOf(
  database: Database,
  dagId: string,
  { output, count }: ListOptions & { count: number },
): Promise<void> {
  const { schedule, paused } = await getDag(database, dagId);
  const [dag] = await readDueDags(database, [dagId]);
  const runs = dag === undefined ? [] : comingRuns(timingOf(dag), count);
  const known =
    schedule === null || ["datasets", "messages", "continuous"].includes(schedule.kind)
      ? "no time is known"
      : "no more runs";
  printRows(runs, RUN_COLUMNS, { format: output, empty: `${dagId} runs ${scheduleDescription(schedule)}; ${known}.` });
  if (runs.length > 0 && paused) say(`${dagId} is paused: none of them is made until it is un-paused.`);
}

function printPreview(preview: UnpausePreview, { output }: ListOptions): void {
  if (output === "json") {
    printFields({ ...preview }, "json");
    return;
  }
  const { dagId, created, queued, skipped, runs, next: following } = preview;
  say(`${dagId}: ${dueText(preview)}.`);
  if (runs.length > 0) printRows(runs, RUN_COLUMNS, { format: "table", empty: "" });
  if (runs.length > 0 && created > runs.length) say(`… and ${created - runs.length} more`);
  if (queued > 0) say(`${queued} queued ${queued === 1 ? "run starts" : "runs start"}.`);
  if (skipped > 0) say(`${missedText(skipped)} (catchup).`);
  if (following !== null) say(`Then the next run: ${instant(following.runAfter)}.`);
}

function dueText({ created, runs }: UnpausePreview): string {
  if (created === 0) return "un-pausing creates no run";
  if (runs.length === 0) return `un-pausing creates ${created} ${created === 1 ? "run" : "runs"} of what waits for it`;
  return created === 1 ? "un-pausing creates this run" : `un-pausing creates these ${created} runs`;
}
