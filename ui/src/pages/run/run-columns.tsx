/** The columns of a list of runs. */
import { Link } from "@tanstack/react-router";
import type { DagRun } from "../../../../src/api/contract.ts";
import type { Column } from "../../components/data-table.tsx";
import { StateBadge } from "../../components/state-mark.tsx";
import { Ago, At, Took } from "../../components/time.tsx";

export function runColumns(): Column<DagRun>[] {
  return [
    {
      id: "state",
      title: "State",
      width: "110px",
      sortBy: (run) => run.state,
      cell: (run) => <StateBadge state={run.state} />,
    },
    {
      id: "run",
      title: "Run",
      width: "minmax(220px, 2fr)",
      sortBy: (run) => run.dag_run_id,
      cell: (run) => (
        <Link
          to="/dags/$dagId/runs/$runId"
          params={{ dagId: run.dag_id, runId: run.dag_run_id }}
          title={run.dag_run_id}
        >
          {run.dag_run_id}
        </Link>
      ),
    },
    {
      id: "type",
      title: "Kind",
      width: "120px",
      sortBy: (run) => run.run_type,
      cell: (run) => run.run_type.replace("_", " "),
    },
    {
      id: "interval",
      title: "Interval start",
      width: "minmax(150px, 1fr)",
      sortBy: (run) => run.data_interval_start ?? "",
      cell: (run) => <At at={run.data_interval_start} />,
    },
    {
      id: "started",
      title: "Started",
      width: "100px",
      sortBy: (run) => run.start_date ?? "",
      cell: (run) => <Ago at={run.start_date} />,
    },
    {
      id: "took",
      title: "Took",
      width: "90px",
      align: "right",
      sortBy: (run) => run.duration ?? 0,
      cell: (run) => <Took start={run.start_date} end={run.end_date} />,
    },
  ];
}
