/** `qflow engines install|start|stop|status`. */
import type { Command } from "commander";
import {
  CORE_ENGINES,
  ENGINE_GROUPS,
  type EngineStatus,
  engineStatus,
  enginesFor,
  installFor,
  progressOn,
  startEngines,
  stopEngines,
} from "../../engines/index.ts";
import { type Column, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption } from "../program.ts";
import { untilSignal } from "../signals.ts";

const COLUMNS: Column<EngineStatus>[] = [
  { heading: "engine", cell: (engine) => engine.name },
  { heading: "state", cell: (engine) => engine.state },
  { heading: "pid", cell: (engine) => engine.pid },
  { heading: "address", cell: (engine) => engine.address },
  { heading: "log", cell: (engine) => engine.log },
];

const GROUPS = Object.keys(ENGINE_GROUPS).join(", ");

/** Registers the commands. */
export function engineCommands(program: Command, context: () => CommandContext): void {
  const engines = program
    .command("engines")
    .description(
      "the embedded PostgreSQL, Spark, Hive metastore, HiveServer2 and FTP server; Kafka, HDFS and YARN when named",
    );
  engines
    .command("install [engines...]")
    .description(`fetch what is missing into the cache; also ${GROUPS} when named`)
    .action(async (names: string[]) => {
      const { config } = context();
      await installFor(config, enginesFor(config, names), progressOn(process.stderr));
      say("The engines are installed.");
    });
  engines
    .command("start [engines...]")
    .description(`run the engines of this QFLOW_HOME, or only those named (also ${GROUPS}), until Ctrl-C`)
    .action(async (names: string[]) => {
      const running = await startEngines(context().config, {
        names: names.length === 0 ? CORE_ENGINES : enginesFor(context().config, names),
        progress: progressOn(process.stderr),
        onEvent: (event) => say(`${event.engine}: ${event.kind}${event.detail ? ` (${event.detail})` : ""}`),
      });
      printStatus(await engineStatus(context().config).then((status) => status.engines), "table");
      await untilSignal();
      await running.stop();
    });
  engines
    .command("stop")
    .description("stop everything that runs for this QFLOW_HOME")
    .action(async () => {
      say((await stopEngines(context().config)) ? "Stopped." : "Nothing was running.");
    });
  engines
    .command("status")
    .description("what runs, and where it can be reached")
    .addOption(outputOption())
    .action(async (options: ListOptions) => {
      printStatus((await engineStatus(context().config)).engines, options.output);
    });
}

function printStatus(engines: readonly EngineStatus[], format: ListOptions["output"]): void {
  printRows(engines, COLUMNS, { format, empty: "No engines." });
}
