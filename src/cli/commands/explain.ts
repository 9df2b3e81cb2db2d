/** `qflow dags explain` and `qflow runs explain`: why something has not started, and when it will. */
import type { Command } from "commander";
import { explainDag, explainRun, type TaskExplanation } from "../../scheduler/index.ts";
import { printFields } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { withDags } from "../with-dags.ts";
import { withDatabase } from "../with-database.ts";

type Reasons = Awaited<ReturnType<typeof explainDag>>["reasons"];

/** Registers `explain` beneath `qflow dags`. */
export function dagExplain(dags: Command, context: () => CommandContext): void {
  dags
    .command("explain <dag>")
    .description("why its next run is not there, and when it comes")
    .addOption(outputOption())
    .action((dagId: string, { output }: ListOptions) =>
      withDags(context(), async (db) => {
        const explained = await explainDag(db, dagId);
        if (output === "json") printFields({ ...explained }, "json");
        else process.stdout.write(`${dagId}\n${bullets(explained.reasons, "  ")}`);
      }),
    );
}

/** Registers `explain` beneath `qflow runs`. */
export function runExplain(runs: Command, context: () => CommandContext): void {
  runs
    .command("explain <dag> <run> [task]")
    .description("why a run or a task has not started, and when it will")
    .option("--map-index <n>", "which item of a mapped task", wholeNumber("--map-index"))
    .addOption(outputOption())
    .action((dagId: string, runId: string, taskId: string | undefined, options: ListOptions & { mapIndex?: number }) =>
      withDatabase(context(), async (db) => {
        const task = taskId === undefined ? undefined : { taskId, mapIndex: options.mapIndex };
        const explained = await explainRun(db, dagId, runId, task);
        if (options.output === "json") {
          printFields({ ...explained }, "json");
          return;
        }
        process.stdout.write(`${dagId} ${runId}: ${explained.state}\n${bullets(explained.reasons, "  ")}`);
        for (const one of explained.tasks) process.stdout.write(taskText(one));
      }),
    );
}

function taskText({ task_id: taskId, map_index: mapIndex, state, count, reasons }: TaskExplanation): string {
  const item = mapIndex < 0 ? "" : `[${mapIndex}]`;
  const more = count > 1 ? ` and ${count - 1} more` : "";
  return `  ${taskId}${item}${more}: ${state}\n${bullets(reasons, "    ")}`;
}

function bullets(reasons: Reasons, indent: string): string {
  return reasons.map(({ code, message }) => `${indent}- ${message}  (${code})\n`).join("");
}
