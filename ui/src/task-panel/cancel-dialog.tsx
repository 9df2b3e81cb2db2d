/** Ends a run before its time. Shows what it ends. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { DagRun } from "../../../src/api/contract.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNote, Skeleton } from "../components/feedback.tsx";
import { StateBadge } from "../components/state-mark.tsx";
import { toast } from "../components/toasts.tsx";
import { plural } from "../lib/format.ts";
import { send, url } from "../lib/http.ts";
import { runTasksQuery } from "../lib/queries.ts";
import { isUnfinished } from "../lib/states.ts";

export function CancelDialog({ dagId, runId, onClose }: { dagId: string; runId: string; onClose: () => void }) {
  const client = useQueryClient();
  const tasks = useQuery(runTasksQuery(dagId, runId));
  const cancel = useMutation({
    mutationFn: () => send<DagRun>("PATCH", url(["v2", "dags", dagId, "dagRuns", runId]), { state: "failed" }),
    onSuccess: async () => {
      onClose();
      toast({ text: `Cancelled ${runId}` });
      await Promise.all([
        client.invalidateQueries({ queryKey: ["dag", dagId] }),
        client.invalidateQueries({ queryKey: ["overview"] }),
      ]);
    },
  });
  const open = (tasks.data?.task_instances ?? []).filter((instance) => isUnfinished(instance.state));
  const running = open.filter((instance) => instance.state === "running");
  return (
    <Dialog
      title="Cancel the run"
      onClose={onClose}
      footer={
        <>
          <button type="button" className="button" onClick={onClose}>
            Let it run
          </button>
          <button type="button" className="button danger" disabled={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel the run
          </button>
        </>
      }
    >
      <p>
        The run ends as failed. {plural(running.length, "running task")} will be stopped and{" "}
        {plural(open.length - running.length, "waiting task")} will not start. What has succeeded stays.
      </p>
      {tasks.isPending && <Skeleton rows={3} />}
      {cancel.isError && <ErrorNote error={cancel.error} />}
      <ul className="affected" aria-label="What will be stopped">
        {running.map((instance) => (
          <li key={instance.id} className="row">
            <span className="mono grow ellipsis">{instance.task_id}</span>
            <StateBadge state={instance.state} />
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
