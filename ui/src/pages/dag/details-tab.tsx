/** Every fact of a DAG and of its tasks. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import type { DagDetails, Task } from "../../../../src/api/contract.ts";
import { type Column, DataTable } from "../../components/data-table.tsx";
import { type Fact, Facts } from "../../components/facts.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { Ago, At } from "../../components/time.tsx";
import { dagQuery, tasksQuery } from "../../lib/queries.ts";
import { scheduleInWords } from "../../lib/schedule.ts";

const route = getRouteApi("/dags/$dagId");

export function DetailsTab() {
  const { dagId } = route.useParams();
  const dag = useQuery(dagQuery(dagId));
  const tasks = useQuery(tasksQuery(dagId));
  const columns = useMemo(() => taskColumns(), []);
  return (
    <section className="graph-tab">
      {dag.data && <DagFacts dag={dag.data} />}
      {tasks.isError && <ErrorNote error={tasks.error} onRetry={() => void tasks.refetch()} />}
      {tasks.isPending && <Skeleton rows={6} />}
      {tasks.data && (
        <DataTable
          label="Tasks"
          rows={tasks.data.tasks}
          columns={columns}
          keyOf={(task) => task.task_id}
          minWidth={760}
          empty={<Empty title="This DAG has no tasks" />}
        />
      )}
    </section>
  );
}

function DagFacts({ dag }: { dag: DagDetails }) {
  const facts: readonly Fact[] = [
    ["Description", dag.doc_md ?? dag.description ?? "–"],
    ["Schedule", scheduleInWords(dag)],
    ["Time zone", dag.timezone ?? "–"],
    ["Next run", dag.is_paused ? "paused" : <At key="next" at={dag.next_dagrun_run_after} />],
    ["Start", <At key="start" at={dag.start_date} />],
    ["Makes up for missed runs", dag.catchup ? "yes" : "no"],
    ["Runs at once", dag.max_active_runs ?? "any number"],
    ["Tasks at once", dag.max_active_tasks],
    ["Owners", dag.owners.join(", ") || "–"],
    ["File", <code key="file">{dag.relative_fileloc ?? dag.fileloc}</code>],
    ["Last read", <Ago key="parsed" at={dag.last_parsed_time} />],
    ["Version", dag.latest_dag_version?.version_number ?? "–"],
  ];
  return <Facts className="facts facts-wide" facts={facts} />;
}

function taskColumns(): Column<Task>[] {
  return [
    {
      id: "task",
      title: "Task",
      width: "minmax(180px, 2fr)",
      sortBy: (task) => task.task_id,
      cell: (task) => task.task_id,
    },
    {
      id: "operator",
      title: "Operator",
      width: "130px",
      sortBy: (task) => task.operator_name,
      cell: (task) => task.operator_name,
    },
    {
      id: "rule",
      title: "Trigger rule",
      width: "140px",
      sortBy: (task) => task.trigger_rule,
      cell: (task) => task.trigger_rule,
    },
    {
      id: "retries",
      title: "Retries",
      width: "80px",
      align: "right",
      sortBy: (task) => task.retries,
      cell: (task) => task.retries,
    },
    { id: "pool", title: "Pool", width: "110px", sortBy: (task) => task.pool, cell: (task) => task.pool },
    {
      id: "emits",
      title: "Writes",
      width: "minmax(140px, 2fr)",
      cell: (task) => <span title={task.emits.join(", ")}>{task.emits.join(", ") || "–"}</span>,
    },
    {
      id: "line",
      title: "Line",
      width: "60px",
      align: "right",
      sortBy: (task) => task.line ?? 0,
      cell: (task) => task.line ?? "–",
    },
  ];
}
