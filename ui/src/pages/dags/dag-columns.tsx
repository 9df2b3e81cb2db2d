/** The columns of the DAG list. */
import { Link } from "@tanstack/react-router";
import type { Dag } from "../../../../src/api/contract.ts";
import type { Column } from "../../components/data-table.tsx";
import { Icon } from "../../components/icon.tsx";
import { Ago } from "../../components/time.tsx";
import { scheduleInWords } from "../../lib/schedule.ts";
import { PauseSwitch } from "../dag/pause-switch.tsx";
import { RunBars } from "./run-bars.tsx";

export function dagColumns({ onTrigger }: { onTrigger: (dag: Dag) => void }): Column<Dag>[] {
  return [
    {
      id: "paused",
      title: "Active",
      width: "72px",
      cell: (dag) => <PauseSwitch dagId={dag.dag_id} state={dag.is_paused ? "paused" : "active"} />,
    },
    {
      id: "name",
      title: "DAG",
      width: "minmax(220px, 3fr)",
      sortBy: (dag) => dag.dag_id,
      cell: (dag) => <DagName dag={dag} />,
    },
    {
      id: "runs",
      title: "Last runs",
      width: "190px",
      cell: (dag) => <RunBars dagId={dag.dag_id} runs={dag.latest_runs} />,
    },
    { id: "active", title: "Now", width: "120px", cell: (dag) => <ActiveCounts dag={dag} /> },
    {
      id: "schedule",
      title: "Schedule",
      width: "minmax(140px, 1.6fr)",
      sortBy: (dag) => dag.timetable_summary ?? "",
      cell: (dag) => (
        <span className={dag.timetable_summary ? "" : "faint"} title={dag.timetable_summary ?? ""}>
          {scheduleInWords(dag)}
        </span>
      ),
    },
    {
      id: "next",
      title: "Next run",
      width: "100px",
      sortBy: (dag) => dag.next_dagrun_run_after ?? "9",
      cell: (dag) => (dag.is_paused ? <span className="faint">paused</span> : <Ago at={dag.next_dagrun_run_after} />),
    },
    {
      id: "trigger",
      title: "",
      width: "52px",
      cell: (dag) => (
        <button
          type="button"
          className="button quiet icon"
          aria-label={`Trigger ${dag.dag_id}`}
          title="Trigger a run"
          onClick={() => onTrigger(dag)}
        >
          <Icon name="play" />
        </button>
      ),
    },
  ];
}

function DagName({ dag }: { dag: Dag }) {
  return (
    <div className="dag-name">
      <div className="row">
        <Link to="/dags/$dagId" params={{ dagId: dag.dag_id }} className="ellipsis">
          {dag.dag_id}
        </Link>
        {dag.has_import_errors && <span className="pill danger-pill">import error</span>}
        {dag.is_stale && <span className="pill">file is gone</span>}
        {dag.tags.map((tag) => (
          <span key={tag.name} className="pill">
            {tag.name}
          </span>
        ))}
      </div>
      {dag.description && <div className="small muted ellipsis">{dag.description}</div>}
    </div>
  );
}

function ActiveCounts({ dag }: { dag: Dag }) {
  const { running, queued } = dag.run_counts;
  if (running + queued === 0) return <span className="faint">–</span>;
  return (
    <span className="muted">
      {[running > 0 && `${running} running`, queued > 0 && `${queued} queued`].filter(Boolean).join(", ")}
    </span>
  );
}
