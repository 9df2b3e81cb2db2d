/** The latest failures, each with what was said and a link to its log. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { TaskInstance } from "../../../../src/api/contract.ts";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Ago } from "../../components/time.tsx";
import { anyTaskInstancesQuery } from "../../lib/queries.ts";

const SHOWN = 12;

export function FailedTasks() {
  const failed = useQuery(anyTaskInstancesQuery("failed", { state: "failed", order_by: "-end_date", limit: SHOWN }));
  return (
    <section className="card home-card" aria-labelledby="failed-title">
      <h2 id="failed-title">Recent failures</h2>
      {failed.isError && <ErrorNote error={failed.error} onRetry={() => void failed.refetch()} />}
      {failed.isPending && <Skeleton rows={4} />}
      {failed.data?.task_instances.length === 0 && (
        <Empty title="Nothing has failed">Failed tasks are listed here, newest first.</Empty>
      )}
      <ul>
        {failed.data?.task_instances.map((instance) => (
          <Failure key={instance.id} instance={instance} />
        ))}
      </ul>
    </section>
  );
}

function Failure({ instance }: { instance: TaskInstance }) {
  const { dag_id: dagId, dag_run_id: runId, task_id: task, map_index: map } = instance;
  return (
    <li className="failure">
      <div className="row">
        <StateMark state={instance.state} />
        <Link
          to="/dags/$dagId/runs/$runId"
          params={{ dagId, runId }}
          search={map < 0 ? { task } : { task, map }}
          className="ellipsis"
          title={`Log of ${task} in ${runId}`}
        >
          {dagId} › {task}
          {map >= 0 && ` [${map}]`}
        </Link>
        <span className="grow" />
        <span className="small muted">
          <Ago at={instance.end_date} />
        </span>
      </div>
      {instance.error && (
        <p className="small muted failure-text" title={instance.error.message}>
          {instance.error.code && <span className="mono">{instance.error.code} </span>}
          {instance.error.message}
        </p>
      )}
    </li>
  );
}
