/** Frame of a DAG's tabs: name, what its schedule says, pause, trigger; and the side panel of a task instance. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, Outlet } from "@tanstack/react-router";
import { useState } from "react";
import type { DagDetails } from "../../../../src/api/contract.ts";
import { ErrorNote } from "../../components/feedback.tsx";
import { Icon } from "../../components/icon.tsx";
import { Ago } from "../../components/time.tsx";
import { dagQuery } from "../../lib/queries.ts";
import { scheduleInWords } from "../../lib/schedule.ts";
import { PanelFrame } from "../../task-panel/panel-frame.tsx";
import { PauseSwitch } from "./pause-switch.tsx";
import { TriggerDialog } from "./trigger-dialog.tsx";
import "../../components/tabs.css";
import "./dag-page.css";

const route = getRouteApi("/dags/$dagId");

const TABS = [
  { to: "/dags/$dagId", word: "Grid" },
  { to: "/dags/$dagId/graph", word: "Graph" },
  { to: "/dags/$dagId/runs", word: "Runs" },
  { to: "/dags/$dagId/code", word: "Code" },
  { to: "/dags/$dagId/details", word: "Details" },
] as const;

export function DagPage() {
  const { dagId } = route.useParams();
  const search = route.useSearch();
  const dag = useQuery(dagQuery(dagId));
  return (
    <PanelFrame dagId={dagId} search={search} runId={search.run}>
      <div className="page page-full dag-page">
        {dag.isError && <ErrorNote error={dag.error} onRetry={() => void dag.refetch()} />}
        <DagHead dagId={dagId} dag={dag.data ?? null} />
        <nav className="tabs" aria-label="Views of the DAG">
          {TABS.map(({ to, word }) => (
            <Link
              key={to}
              to={to}
              params={{ dagId }}
              search={search.run ? { run: search.run } : {}}
              className="tab"
              activeOptions={{ exact: true, includeSearch: false }}
            >
              {word}
            </Link>
          ))}
        </nav>
        <Outlet />
      </div>
    </PanelFrame>
  );
}

function DagHead({ dagId, dag }: { dagId: string; dag: DagDetails | null }) {
  const [isTriggering, setTriggering] = useState(false);
  return (
    <header className="page-head dag-head">
      <h1>{dagId}</h1>
      {dag && <PauseSwitch dagId={dagId} state={dag.is_paused ? "paused" : "active"} />}
      {dag && <Facts dag={dag} />}
      {!dag && <span className="grow" />}
      <button type="button" className="button primary" onClick={() => setTriggering(true)}>
        <Icon name="play" size={14} />
        Trigger
      </button>
      {isTriggering && <TriggerDialog dagId={dagId} onClose={() => setTriggering(false)} />}
    </header>
  );
}

function Facts({ dag }: { dag: DagDetails }) {
  return (
    <span className="muted dag-facts">
      <span title={dag.timetable_summary ?? ""}>{scheduleInWords(dag)}</span>
      {dag.next_dagrun_run_after && !dag.is_paused && (
        <span>
          next <Ago at={dag.next_dagrun_run_after} />
        </span>
      )}
      {dag.has_import_errors && (
        <span className="dag-import-error">The file has an import error: the last good version runs</span>
      )}
    </span>
  );
}
