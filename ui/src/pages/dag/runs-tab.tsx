/** All runs of a DAG, newest first. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { DataTable } from "../../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { plural } from "../../lib/format.ts";
import { runListQuery } from "../../lib/queries.ts";
import { STATE_LOOKS } from "../../lib/states.ts";
import { useNextPage } from "../../lib/use-next-page.ts";
import { runColumns } from "../run/run-columns.tsx";

const route = getRouteApi("/dags/$dagId/runs");
const STATES = ["queued", "running", "success", "failed"] as const;

export function RunsTab() {
  const { dagId } = route.useParams();
  const { state } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useInfiniteQuery(runListQuery(dagId, state ?? null));
  const runs = useMemo(() => (list.data?.pages ?? []).flatMap((page) => page.dag_runs), [list.data]);
  const columns = useMemo(() => runColumns(), []);
  const onEnd = useNextPage(list);
  const chosen = STATES.find((entry) => entry === state);
  return (
    <section className="graph-tab">
      <div className="row">
        <label className="row">
          <span className="muted">State</span>
          <select
            className="field"
            value={state ?? ""}
            onChange={(event) => {
              const next = STATES.find((entry) => entry === event.target.value);
              void navigate({ search: next ? { state: next } : {}, replace: true });
            }}
          >
            <option value="">All</option>
            {STATES.map((entry) => (
              <option key={entry} value={entry}>
                {STATE_LOOKS[entry].word}
              </option>
            ))}
          </select>
        </label>
        {list.data && <span className="muted">{plural(list.data.pages[0]?.total_entries ?? 0, "run")}</span>}
      </div>
      {list.isError && <ErrorNote error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton rows={10} />}
      {list.data && (
        <DataTable
          label="Runs"
          rows={runs}
          columns={columns}
          keyOf={(run) => run.dag_run_id}
          minWidth={760}
          onEnd={onEnd}
          empty={
            chosen ? (
              <Empty title={`No run is in state ${STATE_LOOKS[chosen].word.toLowerCase()}`} />
            ) : (
              <Empty title="No runs yet" command={`npx qflow dags trigger ${dagId}`} />
            )
          }
        />
      )}
    </section>
  );
}
