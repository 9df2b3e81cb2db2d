/** `qflow approvals …`: what tasks ask people, and the answers. */
import type { Command } from "commander";
import { type ApprovalRow, answerApproval, listApprovals } from "../../metadata/approvals.ts";
import { audited } from "../../metadata/audited.ts";
import { type Column, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { instant } from "../text.ts";
import { withDatabase } from "../with-database.ts";

const COLUMNS: Column<ApprovalRow>[] = [
  { heading: "dag", cell: (row) => row.dag_id },
  { heading: "run", cell: (row) => row.run_id },
  { heading: "task", cell: (row) => (row.map_index < 0 ? row.task_id : `${row.task_id}[${row.map_index}]`) },
  { heading: "question", cell: (row) => row.subject },
  { heading: "asked", cell: (row) => instant(row.asked_at) },
  { heading: "answer", cell: (row) => row.chosen ?? (row.waiting ? "" : "not asked any more") },
  { heading: "by", cell: (row) => row.answered_by },
];

const MANY = 1_000;

/** Registers the commands. */
export function approvalCommands(program: Command, context: () => CommandContext): void {
  const approvals = program.command("approvals").description("what tasks ask people");
  approvals
    .command("list")
    .description("questions that want an answer, the latest first")
    .option("--all", "also those that are answered")
    .addOption(outputOption())
    .action((options: ListOptions & { all?: boolean }) =>
      withDatabase(context(), async (database) => {
        const filter = options.all ? {} : { waiting: "yes" as const };
        const page = await listApprovals(database, filter, { limit: MANY, offset: 0, orderBy: [] });
        printRows(page.rows, COLUMNS, { format: options.output, empty: "Nobody is asked anything." });
      }),
    );
  for (const chosen of ["approve", "reject"] as const) {
    approvals
      .command(`${chosen} <dag> <run> <task>`)
      .description(chosen === "approve" ? "let the task succeed" : "let the task be skipped, or fail if it says so")
      .option("--note <text>", "kept with the answer")
      .option("--map-index <n>", "which item of a mapped task", wholeNumber("--map-index"))
      .action((dagId: string, runId: string, taskId: string, options: AnswerOptions) =>
        answer(context(), { dagId, runId, taskId, mapIndex: options.mapIndex ?? -1 }, { chosen, note: options.note }),
      );
  }
}

interface AnswerOptions {
  note?: string;
  mapIndex?: number;
}

type Key = Parameters<typeof answerApproval>[1];

/** Whoever can use the database of this home may do everything: the command line answers as an administrator. */
function answer(
  context: CommandContext,
  key: Key,
  { chosen, note = null }: { chosen: "approve" | "reject"; note: string | null | undefined },
): Promise<void> {
  const { dagId, runId, taskId, mapIndex } = key;
  const entry = { actor: "cli", action: `approval.${chosen}`, dagId, runId, taskId, details: { mapIndex, note } };
  return withDatabase(context, async (database) => {
    await audited(database, entry, (db) => answerApproval(db, key, { chosen, by: "cli", role: "admin", note }));
    say(chosen === "approve" ? "Approved: the task goes on." : "Rejected.");
  });
}
