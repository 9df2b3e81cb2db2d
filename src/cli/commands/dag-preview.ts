/** `qflow dags preview`: a period of the whole fleet, simulated. */
import type { Command } from "commander";
import { type Duration, milliseconds } from "../../dag/duration.ts";
import { QflowError } from "../../errors.ts";
import type { Database } from "../../metadata/database.ts";
import { listDeployed } from "../../metadata/views/deployed-view.ts";
import { runDurations } from "../../metadata/views/run-durations-view.ts";
import {
  type FleetDagLoad,
  type FleetHour,
  loadByDag,
  loadByHour,
  type Simulation,
  simulateFleet,
} from "../../scheduler/index.ts";
import { type Column, printFields, printRows, say } from "../output.ts";
import { type CommandContext, instantArgument, type ListOptions, outputOption } from "../program.ts";
import { duration, instant } from "../text.ts";
import { withDags } from "../with-dags.ts";

const DAY_MS = 86_400_000;
/** Longest period: hours are listed one by one. */
const LONGEST_MS = 400 * DAY_MS;
/** Runs that are played at most. */
const MOST_RUNS = 200_000;

interface PreviewOptions extends ListOptions {
  readonly from?: Date;
  readonly to?: Date;
  readonly assume: string;
  readonly paused?: boolean;
}

/** Adds the command to `qflow dags`. */
export function addPreviewCommand(dags: Command, context: () => CommandContext): void {
  dags
    .command("preview")
    .description("simulate a period: runs of every DAG by clock and datasets, how many at once, what is held back")
    .option("--from <instant>", "beginning of the period (default: now)", instantArgument("--from"))
    .option("--to <instant>", "its end (default: a day after it began)", instantArgument("--to"))
    .option("--assume <duration>", "how long runs of a DAG take that has none yet", "1m")
    .option("--paused", "as if no DAG were paused")
    .addOption(outputOption())
    .action((options: PreviewOptions) => withDags(context(), (database) => preview(database, options)));
}

/** What was simulated, and what it adds up to. */
interface Preview {
  readonly from: Date;
  readonly to: Date;
  readonly hours: readonly FleetHour[];
  readonly dags: readonly DagLine[];
  readonly runs: Simulation["runs"];
  readonly cut: boolean;
}

type DagLine = FleetDagLoad & { readonly durationMs: number; readonly known: boolean };

async function preview(database: Database, options: PreviewOptions): Promise<void> {
  const { from, to } = periodOf(options);
  const assumed = assumedMs(options.assume);
  const known = await runDurations(database);
  const deployed = (await listDeployed(database)).filter((dag) => options.paused || !dag.paused);
  const dags = deployed.map(({ spec, createdAt, dagId }) => ({
    spec,
    createdAt,
    durationMs: known.get(dagId) ?? assumed,
  }));
  const simulation = simulateFleet({ dags, from, to, maxRuns: MOST_RUNS });
  const lines = loadByDag(simulation).map((line) => ({
    ...line,
    durationMs: known.get(line.dagId) ?? assumed,
    known: known.has(line.dagId),
  }));
  const hours = loadByHour(simulation.runs, from, to);
  print({ from, to, hours, dags: lines, runs: simulation.runs, cut: simulation.cut }, options);
}

function periodOf({ from, to }: PreviewOptions): { from: Date; to: Date } {
  const begin = from ?? new Date();
  const end = to ?? new Date(begin.getTime() + DAY_MS);
  const length = end.getTime() - begin.getTime();
  if (length > 0 && length <= LONGEST_MS) return { from: begin, to: end };
  throw new QflowError("USAGE", "--to must be after --from, and at most 400 days");
}

function assumedMs(text: string): number {
  try {
    return milliseconds(text as Duration, "--assume");
  } catch (error) {
    throw new QflowError("USAGE", (error as Error).message, { remedy: 'Write "30s", "5m" or "PT15M".', cause: error });
  }
}

const HOUR_COLUMNS: Column<FleetHour>[] = [
  { heading: "hour", cell: ({ hour }) => instant(hour).slice(0, 16) },
  { heading: "runs", cell: ({ started }) => started },
  { heading: "at once", cell: ({ peak }) => peak },
  { heading: "on average", cell: ({ mean }) => mean },
];

const DAG_COLUMNS: Column<DagLine>[] = [
  { heading: "dag", cell: ({ dagId }) => dagId },
  { heading: "runs", cell: ({ runs }) => runs },
  {
    heading: "each takes",
    cell: ({ durationMs, known }) => `${duration(durationMs / 1000)}${known ? "" : " (assumed)"}`,
  },
  { heading: "held back", cell: ({ waited }) => waited || "" },
  { heading: "at most", cell: ({ longestWaitMs }) => (longestWaitMs > 0 ? duration(longestWaitMs / 1000) : "") },
  { heading: "ticks lost", cell: ({ skipped }) => skipped || "" },
];

function print(made: Preview, { output }: PreviewOptions): void {
  if (made.cut) say(`Stopped after ${MOST_RUNS} runs: choose a shorter period.`);
  if (output === "json") {
    printFields({ ...made }, "json");
    return;
  }
  if (made.dags.length === 0) {
    say("No run in this period. Paused DAGs are left out unless --paused is given.");
    return;
  }
  printRows(made.dags, DAG_COLUMNS, { format: "table", empty: "" });
  process.stdout.write("\n");
  printRows(
    made.hours.filter((hour) => hour.peak > 0),
    HOUR_COLUMNS,
    { format: "table", empty: "" },
  );
  say(`${made.runs.length} runs from ${instant(made.from)} to ${instant(made.to)}`);
}
