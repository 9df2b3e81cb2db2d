/** Starts a run by hand: params from the DAG's schema, and what will happen before it does. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import type { DagDetails, DagRun, TriggerRun } from "../../../../src/api/contract.ts";
import { Dialog } from "../../components/dialog.tsx";
import { ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { ParamInput } from "../../components/param-input.tsx";
import { toast } from "../../components/toasts.tsx";
import { plural } from "../../lib/format.ts";
import { send, url } from "../../lib/http.ts";
import { fieldsOf, readForm } from "../../lib/params-form.ts";
import { dagQuery, tasksQuery } from "../../lib/queries.ts";

export function TriggerDialog({ dagId, onClose }: { dagId: string; onClose: () => void }) {
  const dag = useQuery(dagQuery(dagId));
  if (dag.data) return <TriggerForm dag={dag.data} onClose={onClose} />;
  return (
    <Dialog title={`Trigger ${dagId}`} onClose={onClose}>
      {dag.isError ? <ErrorNote error={dag.error} onRetry={() => void dag.refetch()} /> : <Skeleton rows={3} />}
    </Dialog>
  );
}

function TriggerForm({ dag, onClose }: { dag: DagDetails; onClose: () => void }) {
  const dagId = dag.dag_id;
  const client = useQueryClient();
  const formId = useId();
  const fields = fieldsOf(dag.params);
  const [typed, setTyped] = useState<Record<string, string>>({});
  const read = readForm(fields, typed);
  const trigger = useMutation({
    mutationFn: (body: TriggerRun) => send<DagRun>("POST", url(["v2", "dags", dagId, "dagRuns"]), body),
    onSuccess: async (run) => {
      onClose();
      toast({
        text: "Triggered",
        link: (
          <Link to="/dags/$dagId/runs/$runId" params={{ dagId, runId: run.dag_run_id }}>
            {run.dag_run_id}
          </Link>
        ),
      });
      await Promise.all([
        client.invalidateQueries({ queryKey: ["dag", dagId] }),
        client.invalidateQueries({ queryKey: ["dags"] }),
        client.invalidateQueries({ queryKey: ["overview"] }),
      ]);
    },
  });
  return (
    <Dialog
      title={`Trigger ${dagId}`}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" form={formId} className="button primary" disabled={trigger.isPending || !read.ok}>
            Trigger
          </button>
        </>
      }
    >
      <form
        id={formId}
        className="param-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (read.ok && !trigger.isPending) trigger.mutate({ conf: read.conf });
        }}
      >
        {fields.length === 0 && <p className="muted">This DAG declares no params.</p>}
        {fields.map((field) => (
          <ParamInput
            key={field.name}
            field={field}
            value={typed[field.name] ?? field.initial}
            problem={!read.ok && read.name === field.name && typed[field.name] !== undefined ? read.problem : null}
            onChange={(text) => setTyped({ ...typed, [field.name]: text })}
          />
        ))}
        <Preview dag={dag} conf={read.ok ? read.conf : null} />
        {trigger.isError && <ErrorNote error={trigger.error} />}
      </form>
    </Dialog>
  );
}

function Preview({ dag, conf }: { dag: DagDetails; conf: Record<string, unknown> | null }) {
  const tasks = useQuery(tasksQuery(dag.dag_id));
  const version = dag.latest_dag_version?.version_number;
  return (
    <div className="param-preview">
      <h3>What will happen</h3>
      <p>
        One run starts now
        {version !== undefined && ` on version ${version}`}
        {tasks.data && ` with ${plural(tasks.data.total_entries, "task")}`}
        {dag.max_active_runs !== null &&
          dag.active_runs_count >= dag.max_active_runs &&
          `; it waits, since ${plural(dag.active_runs_count, "run")} of at most ${dag.max_active_runs} are active`}
        .{dag.is_paused && " The DAG is paused: the run is made all the same, and nothing more on schedule."}
      </p>
      {conf && Object.keys(conf).length > 0 && <pre>{JSON.stringify(conf, null, 2)}</pre>}
    </div>
  );
}
