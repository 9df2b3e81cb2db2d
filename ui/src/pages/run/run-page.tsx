/** One run: how it goes, what it was given, each task on a common time axis. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import type { DagRun } from "../../../../src/api/contract.ts";
import { ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { StateBadge } from "../../components/state-mark.tsx";
import { At, Took } from "../../components/time.tsx";
import { WhyRun } from "../../components/why.tsx";
import { runQuery, runTasksQuery } from "../../lib/queries.ts";
import { useNextPage } from "../../lib/use-next-page.ts";
import { PanelFrame } from "../../task-panel/panel-frame.tsx";
import { RunActions } from "./run-actions.tsx";
import { Timeline } from "./timeline.tsx";
import "./run-page.css";

const route = getRouteApi("/dags/$dagId/runs/$runId");

export function RunPage() {
  const { dagId, runId } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const run = useQuery(runQuery(dagId, runId));
  const tasks = useInfiniteQuery(runTasksQuery(dagId, runId));
  const instances = useMemo(() => (tasks.data?.pages ?? []).flatMap((page) => page.task_instances), [tasks.data]);
  const onEnd = useNextPage(tasks);
  return (
    <PanelFrame dagId={dagId} runId={runId} search={search}>
      <div className="page">
        {run.isError && <ErrorNote error={run.error} onRetry={() => void run.refetch()} />}
        {run.isPending && <Skeleton rows={4} />}
        {run.data && <RunHead run={run.data} />}
        <section>
          <h2 className="section-title">Tasks</h2>
          {tasks.isError && <ErrorNote error={tasks.error} onRetry={() => void tasks.refetch()} />}
          {tasks.isPending && <Skeleton rows={8} />}
          {tasks.data && run.data && (
            <Timeline
              run={run.data}
              instances={instances}
              total={tasks.data.pages[0]?.total_entries ?? 0}
              onEnd={onEnd}
              selected={search.task ?? null}
              onOpen={(task, map) => void navigate({ to: ".", search: map < 0 ? { task } : { task, map } })}
            />
          )}
        </section>
      </div>
    </PanelFrame>
  );
}

function RunHead({ run }: { run: DagRun }) {
  const version = run.dag_versions.at(-1)?.version_number;
  const hasConf = typeof run.conf === "object" && run.conf !== null && Object.keys(run.conf).length > 0;
  return (
    <>
      <header className="page-head">
        <h1>{run.dag_run_id}</h1>
        <StateBadge state={run.state} />
        <span className="grow" />
        <RunActions run={run} />
      </header>
      {run.state === "queued" && <WhyRun dagId={run.dag_id} runId={run.dag_run_id} />}
      {run.note && <p className="run-note">{run.note}</p>}
      <dl className="run-facts">
        <Fact name="Took">
          <Took start={run.start_date} end={run.end_date} />
        </Fact>
        <Fact name="Started">
          <At at={run.start_date} />
        </Fact>
        <Fact name="Ended">
          <At at={run.end_date} />
        </Fact>
        <Fact name="Kind">
          {run.run_type.replace("_", " ")}
          {run.triggered_by && <span className="muted"> by {run.triggering_user_name ?? run.triggered_by}</span>}
        </Fact>
        {run.data_interval_start && (
          <Fact name="Data interval">
            <At at={run.data_interval_start} /> – <At at={run.data_interval_end} />
          </Fact>
        )}
        {run.partition_key && <Fact name="Partition">{run.partition_key}</Fact>}
        <Fact name="DAG version">{version ?? "–"}</Fact>
      </dl>
      {hasConf && (
        <section>
          <h2 className="section-title">Conf</h2>
          <pre className="code-box">{JSON.stringify(run.conf, null, 2)}</pre>
        </section>
      )}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="small muted">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
