/** `qflow dags trigger` and `qflow dags backfill`: runs by hand, of now and of past dates. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import type { BackfillRange } from "../../dag/backfill-dates.ts";
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import { audited } from "../../metadata/audited.ts";
import {
  type BackfillRequest,
  createBackfill,
  type PlannedDate,
  previewBackfill,
  type Reprocess,
} from "../../metadata/backfills.ts";
import type { Database } from "../../metadata/database.ts";
import { type CreatedRun, createRun } from "../../metadata/runs.ts";
import { getDag } from "../../metadata/views/dag-views.ts";
import { getRun } from "../../metadata/views/run-views.ts";
import { type Column, EXIT, printFields, printRows, say } from "../output.ts";
import {
  type CommandContext,
  instantArgument,
  jsonObject,
  type ListOptions,
  outputOption,
  wholeNumber,
} from "../program.ts";
import { duration, instant } from "../text.ts";
import { withDags } from "../with-dags.ts";

interface TriggerOptions extends ListOptions {
  conf?: Record<string, unknown>;
  runId?: string;
  logicalDate?: Date;
  partition?: string;
  wait?: boolean;
}

interface BackfillOptions extends ListOptions {
  from?: Date;
  to?: Date;
  dates?: string;
  reprocess: Reprocess;
  maxActive: number;
  reverse?: boolean;
  conf?: Record<string, unknown>;
  dryRun?: boolean;
}

/** Adds the commands to `qflow dags`. */
export function addRunCommands(dags: Command, context: () => CommandContext): void {
  dags
    .command("trigger <dag>")
    .description("start a run by hand")
    .option("--conf <json>", "params of the run", jsonObject("--conf"))
    .option("--run-id <id>", "its id")
    .option("--logical-date <instant>", "its logical date; none unless given", instantArgument("--logical-date"))
    .option("--partition <key>", "the partition of its data that it is for")
    .option("--wait", "until it has ended; exit code 1 where it failed")
    .addOption(outputOption())
    .action((dagId: string, options: TriggerOptions) =>
      withDags(context(), (database) => trigger(database, dagId, options)),
    );
  dags
    .command("backfill <dag>")
    .description("make runs of past dates, beside and after the live ones")
    .option("--from <instant>", "first logical date", instantArgument("--from"))
    .option("--to <instant>", "last logical date; the last that is due unless given", instantArgument("--to"))
    .option("--dates <list>", "single logical dates instead, separated by commas")
    .addOption(
      new Option("--reprocess <which>", "dates that have had a run: none of them, those that failed, all")
        .choices(["missing", "failed", "all"])
        .default("missing"),
    )
    .option("--max-active <n>", "runs of it at once", wholeNumber("--max-active"), 10)
    .option("--reverse", "the newest date first")
    .option("--conf <json>", "params of its runs", jsonObject("--conf"))
    .option("--dry-run", "only say which runs it would make")
    .addOption(outputOption())
    .action((dagId: string, options: BackfillOptions) =>
      withDags(context(), (database) => backfill(database, dagId, options)),
    );
}

async function trigger(database: Database, dagId: string, options: TriggerOptions): Promise<void> {
  const conf = (options.conf ?? {}) as Json;
  const entry = { actor: "cli", action: "run.trigger", dagId, details: { conf } };
  const made = await audited(database, entry, (db) =>
    createRun(db, {
      dagId,
      conf,
      ...(options.runId ? { runId: options.runId } : {}),
      logicalDate: options.logicalDate ?? null,
      partition: options.partition ?? null,
      by: "cli",
    }),
  );
  const dag = await getDag(database, dagId);
  let run = await getRun(database, dagId, made.runId);
  if (dag.paused) say(`DAG ${dagId} is paused: the run stays queued until \`qflow dags unpause ${dagId}\`.`);
  else if (run.state === "queued") say("The run waits: as many runs as may be at once are under way.");
  if (options.wait) run = await untilEnded(database, made);
  const took = run.duration === null ? {} : { took: duration(run.duration) };
  printFields({ dag: dagId, run: made.runId, state: run.state, ...(options.wait ? took : {}) }, options.output);
  if (options.wait && run.state !== "success") process.exitCode = EXIT.failed;
}

const LOOK_EVERY_MS = 500;

async function untilEnded(database: Database, { dagId, runId }: CreatedRun) {
  say(`Waiting for run ${runId}; Ctrl-C ends the waiting, not the run.`);
  for (;;) {
    const run = await getRun(database, dagId, runId);
    if (run.state === "success" || run.state === "failed") return run;
    await sleep(LOOK_EVERY_MS);
  }
}

const DATE_COLUMNS: Column<PlannedDate>[] = [
  { heading: "logical date", cell: (date) => instant(date.logicalDate) },
  { heading: "interval end", cell: (date) => instant(date.interval.end) },
  { heading: "run", cell: (date) => OUTCOMES[date.outcome] },
];

const OUTCOMES = {
  created: "would be made",
  exists: "no: it has had one",
  in_flight: "no: one is under way",
  scheduled: "no: the schedule will make it",
} as const;

async function backfill(database: Database, dagId: string, options: BackfillOptions): Promise<void> {
  const request: BackfillRequest = {
    dagId,
    range: rangeOf(options),
    reprocess: options.reprocess,
    order: options.reverse ? "backward" : "forward",
    maxActiveRuns: options.maxActive,
    conf: (options.conf ?? {}) as Json,
    by: "cli",
  };
  if (options.dryRun) {
    const dates = await previewBackfill(database, request);
    printRows(dates, DATE_COLUMNS, { format: options.output, empty: "No dates." });
    say(`${dates.filter((date) => date.outcome === "created").length} of ${dates.length} dates would get a run.`);
    return;
  }
  const entry = { actor: "cli", action: "backfill.create", dagId, details: { ...request.range } };
  const id = await audited(database, entry, (db) => createBackfill(db, request));
  const { paused } = await getDag(database, dagId);
  if (paused) say(`DAG ${dagId} is paused: the backfill waits until \`qflow dags unpause ${dagId}\`.`);
  printFields({ backfill: id, dag: dagId }, options.output);
  if (options.output === "table") say(`See how far it is: qflow backfills show ${id}`);
}

function rangeOf({ from, to, dates }: BackfillOptions): BackfillRange {
  if (dates !== undefined) {
    if (from || to) throw new QflowError("USAGE", "name either --dates, or --from and --to");
    return { dates: dates.split(",").map((text) => instantArgument("--dates")(text.trim())) };
  }
  if (!from) throw new QflowError("USAGE", "name the period with --from and --to, or single dates with --dates");
  return { from, to: to ?? new Date() };
}
