/** A link to the task in the run behind a fact. */
import { Link } from "@tanstack/react-router";
import type { RunRef } from "../../../src/api/contract.ts";

export function RunLink({ run, text }: { run: RunRef; text?: string }) {
  return (
    <Link
      to="/dags/$dagId/runs/$runId"
      params={{ dagId: run.dag_id, runId: run.dag_run_id }}
      search={run.map_index < 0 ? { task: run.task_id } : { task: run.task_id, map: run.map_index }}
      title={run.dag_run_id}
    >
      {text ?? `${run.dag_id} › ${run.task_id}`}
    </Link>
  );
}
