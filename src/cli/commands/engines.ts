/** `qflow engines install|start|stop|status`. */
import type { Command } from "commander";
import {
  type EngineStatus,
  engineStatus,
  installEngines,
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

/** Registers the commands. */
export function engineCommands(program: Command, context: () => CommandContext): void {
  const engines = program
    .command("engines")
    .description("the embedded PostgreSQL, Spark, Hive metastore, HiveServer2 and FTP server");
  engines
    .command("install")
    .description("fetch what is missing into the cache")
    .action(async () => {
      await installEngines(context().config, progressOn(process.stderr));
      say("The engines are installed.");
    });
  engines
    .command("start")
    .description("run the engines of this QFLOW_HOME until Ctrl-C")
    .action(async () => {
      const running = await startEngines(context().config, {
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
