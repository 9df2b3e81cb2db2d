/** `qflow services list | show | pause | resume | restart | logs`: programs that are to run always. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { audited } from "../../metadata/audited.ts";
import type { Database } from "../../metadata/database.ts";
import { pauseService, restartService, resumeService } from "../../metadata/services/actions.ts";
import { readServiceLog } from "../../metadata/services/logs.ts";
import {
  findServiceAttempt,
  getService,
  listServiceAttempts,
  listServices,
  type ServiceAttemptRow,
  type ServiceRow,
} from "../../metadata/views/service-views.ts";
import { explainService } from "../../scheduler/explain-service.ts";
import { type Column, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { duration, instant } from "../text.ts";
import { withDags } from "../with-dags.ts";
import { withDatabase } from "../with-database.ts";

const COLUMNS: Column<ServiceRow>[] = [
  { heading: "service", cell: (one) => one.service_id },
  { heading: "state", cell: (one) => one.state },
  { heading: "since", cell: (one) => instant(one.state === "running" ? one.ready_at : null) },
  { heading: "starts/24h", cell: (one) => one.starts },
  { heading: "rows/s", cell: (one) => (one.state === "running" ? Math.round(one.rows_per_second) : "") },
  { heading: "lag", cell: (one) => one.progress?.lag ?? "" },
  {
    heading: "batch",
    cell: (one) => duration(one.progress?.batchMs === undefined ? null : one.progress.batchMs / 1000),
  },
  { heading: "why", cell: (one) => firstLine(explainService(one)) },
];

const ATTEMPT_COLUMNS: Column<ServiceAttemptRow>[] = [
  { heading: "attempt", cell: (one) => one.number },
  { heading: "version", cell: (one) => one.version },
  { heading: "state", cell: (one) => one.state },
  { heading: "started", cell: (one) => instant(one.started_at) },
  { heading: "ended", cell: (one) => instant(one.ended_at) },
  { heading: "batches", cell: (one) => one.batches },
  { heading: "rows", cell: (one) => one.rows },
  { heading: "why", cell: (one) => firstLine(one.error?.message ?? one.reason) },
];

/** Registers the commands. */
export function serviceCommands(program: Command, context: () => CommandContext): void {
  const services = program.command("services").description("programs that are to run always: streaming jobs");
  services
    .command("list", { isDefault: true })
    .description("services: what they do, and why one does not run")
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withDags(context(), async (database) => {
        const rows = await listServices(database);
        const empty = "No services: a DAG file exports service(id, options, program).";
        printRows(rows, COLUMNS, { format: options.output, empty });
      }),
    );
  services
    .command("show <service>")
    .description("one service, why it does not run, and its last starts")
    .addOption(outputOption())
    .action((serviceId: string, options: ListOptions) =>
      withDags(context(), (database) => show(database, serviceId, options)),
    );
  for (const [name, description, change] of ACTIONS) {
    services
      .command(`${name} <service>`)
      .description(description)
      .action((serviceId: string) =>
        withDags(context(), async (database) => {
          const entry = { actor: "cli", action: `service.${name}`, details: { service: serviceId } };
          await audited(database, entry, (db) => change(db, serviceId));
        }),
      );
  }
  services
    .command("logs <service>")
    .description("the end of the log of an attempt, by default the newest one")
    .option("--attempt <n>", "which attempt", wholeNumber("--attempt"))
    .option("-n, --lines <n>", "how many of the last lines", wholeNumber("--lines"))
    .option("-f, --follow", "go on with what comes, until the attempt ends")
    .action((serviceId: string, options: LogOptions) =>
      withDatabase(context(), (database) => printLog(database, serviceId, options)),
    );
}

const ACTIONS = [
  ["pause", "end it after the work in hand, and start it no more", pauseService],
  ["resume", "start it, and keep it running", resumeService],
  ["restart", "end its program after the work in hand, and start it again", restartService],
] as const;

async function show(database: Database, serviceId: string, options: ListOptions): Promise<void> {
  const service = await getService(database, serviceId);
  const attempts = await listServiceAttempts(database, serviceId, 10);
  const why = explainService(service);
  if (options.output === "json") {
    process.stdout.write(`${JSON.stringify({ ...service, why, attempts }, null, 2)}\n`);
    return;
  }
  printRows([service], COLUMNS.slice(0, -1), { format: "table", empty: "" });
  if (why !== null) process.stdout.write(`\n${why}\n`);
  process.stdout.write("\n");
  printRows(attempts, ATTEMPT_COLUMNS, { format: "table", empty: "It was never started." });
}

interface LogOptions {
  readonly attempt?: number;
  readonly lines?: number;
  readonly follow?: boolean;
}

const LINES = 200;
const PAGE = 5_000;
const FOLLOW_EVERY_MS = 1_000;

async function printLog(database: Database, serviceId: string, options: LogOptions): Promise<void> {
  const { attempt } = await getService(database, serviceId);
  if (attempt === 0) {
    say(`Service ${serviceId} was never started.`);
    return;
  }
  const attemptId = await findServiceAttempt(database, serviceId, options.attempt ?? attempt);
  for (let next = -(options.lines ?? LINES); ; ) {
    const page = await readServiceLog(database, attemptId, next, PAGE);
    for (const line of page.lines) process.stdout.write(`${line.at} ${line.level.padEnd(6)} ${line.text}\n`);
    if (page.complete || (page.lines.length < PAGE && !options.follow)) break;
    next = page.nextLine;
    if (page.lines.length < PAGE) await sleep(FOLLOW_EVERY_MS);
  }
}

function firstLine(text: string | null): string {
  return text?.split("\n", 1)[0] ?? "";
}
