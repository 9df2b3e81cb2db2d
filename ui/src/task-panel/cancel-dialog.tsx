/** Ends a run before its time. Shows what it ends. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { DagRun } from "../../../src/api/contract.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNote, Skeleton } from "../components/feedback.tsx";
import { StateBadge } from "../components/state-mark.tsx";
import { toast } from "../components/toasts.tsx";
import { atLeast } from "../lib/format.ts";
import { send, url } from "../lib/http.ts";
import { runTasksInQuery } from "../lib/queries.ts";
import { WAITING_STATES } from "../lib/states.ts";

/** So many of the running tasks are named. */
const NAMED = 200;

export function CancelDialog({ dagId, runId, onClose }: { dagId: string; runId: string; onClose: () => void }) {
  const client = useQueryClient();
  const waiting = useQuery(runTasksInQuery(dagId, runId, WAITING_STATES, 0));
  const running = useQuery(runTasksInQuery(dagId, runId, ["running"], NAMED));
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
  const failed = [waiting, running, cancel].find(({ isError }) => isError);
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
      {running.data && waiting.data ? (
        <p>
          The run ends as failed. {atLeast(running.data.total_entries, "running task")} will be stopped and{" "}
          {atLeast(waiting.data.total_entries, "waiting task")} will not start. What has succeeded stays.
        </p>
      ) : (
        !failed && <Skeleton rows={3} />
      )}
      {failed && <ErrorNote error={failed.error} />}
      <ul className="affected" aria-label="What will be stopped">
        {(running.data?.task_instances ?? []).map((instance) => (
          <li key={instance.id} className="row">
            <span className="mono grow ellipsis">{instance.task_id}</span>
            <StateBadge state={instance.state} />
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
