/** Ends a run before its time. Shows what it ends. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { DagRun } from "../../../src/api/contract.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNote, Skeleton } from "../components/feedback.tsx";
import { StateBadge } from "../components/state-mark.tsx";
import { toast } from "../components/toasts.tsx";
import { plural } from "../lib/format.ts";
import { send, url } from "../lib/http.ts";
import { runTasksInQuery } from "../lib/queries.ts";

const ENDED = ["success", "failed", "upstream_failed", "skipped", "removed"];
/** So many of the running tasks are named. */
const NAMED = 200;

export function CancelDialog({ dagId, runId, onClose }: { dagId: string; runId: string; onClose: () => void }) {
  const client = useQueryClient();
  const all = useQuery(runTasksInQuery(dagId, runId, [], 0));
  const ended = useQuery(runTasksInQuery(dagId, runId, ENDED, 0));
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
  const count = running.data?.total_entries ?? 0;
  const waiting = Math.max(0, (all.data?.total_entries ?? 0) - (ended.data?.total_entries ?? 0) - count);
  const isPending = all.isPending || ended.isPending || running.isPending;
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
      {isPending ? (
        <Skeleton rows={3} />
      ) : (
        <p>
          The run ends as failed. {plural(count, "running task")} will be stopped and {plural(waiting, "waiting task")}{" "}
          will not start. What has succeeded stays.
        </p>
      )}
      {cancel.isError && <ErrorNote error={cancel.error} />}
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
