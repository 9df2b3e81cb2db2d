/** Runs × tasks of a DAG. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { Empty, ErrorNote, Skeleton } from "../../../components/feedback.tsx";
import { plural } from "../../../lib/format.ts";
import { gridQuery } from "../../../lib/queries.ts";
import { gridModel } from "./grid-model.ts";
import { GridView } from "./grid-view.tsx";
import { Legend } from "./legend.tsx";

const route = getRouteApi("/dags/$dagId");

export function GridTab() {
  const { dagId } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const grid = useInfiniteQuery(gridQuery(dagId));
  const model = useMemo(() => gridModel(grid.data?.pages ?? []), [grid.data]);
  if (grid.isError) return <ErrorNote error={grid.error} onRetry={() => void grid.refetch()} />;
  if (grid.isPending) return <Skeleton rows={10} />;
  if (model.columns.length === 0) {
    return (
      <Empty title="No runs yet" command={`npx qflow dags trigger ${dagId}`}>
        Switch the DAG on to let its schedule start runs, or trigger one by hand.
      </Empty>
    );
  }
  return (
    <section className="grid-tab">
      <div className="row wrap">
        <span className="muted small">
          {plural(model.columns.length, "run")} shown, newest at the right · {plural(model.tasks.length, "task")}
        </span>
        {grid.hasNextPage && (
          <button
            type="button"
            className="button"
            disabled={grid.isFetchingNextPage}
            onClick={() => void grid.fetchNextPage()}
          >
            Show older runs
          </button>
        )}
        <span className="grow" />
        <Legend />
      </div>
      <GridView
        model={model}
        selected={{ run: search.run, task: search.task }}
        onOpenTask={(run, task) =>
          void navigate({ to: ".", search: { run, task }, replace: search.task !== undefined })
        }
        onOpenRun={(runId) => void navigate({ to: "/dags/$dagId/runs/$runId", params: { dagId, runId } })}
      />
    </section>
  );
}
