/** Declares how a task ended. Shows what that changes before anything happens. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { PatchTask, TaskInstanceCollection } from "../../../src/api/contract.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNote, Skeleton } from "../components/feedback.tsx";
import { toast } from "../components/toasts.tsx";
import { plural } from "../lib/format.ts";
import { send, url } from "../lib/http.ts";
import { instancePath, type TaskAddress } from "../lib/queries.ts";
import { Affected } from "./affected.tsx";

type State = NonNullable<PatchTask["new_state"]>;

const STATES: readonly (readonly [state: State, words: string])[] = [
  ["success", "Success"],
  ["failed", "Failed"],
  ["skipped", "Skipped"],
];

export function MarkDialog({ at, onClose }: { at: TaskAddress; onClose: () => void }) {
  const client = useQueryClient();
  const [state, setState] = useState<State>("success");
  const [downstream, setDownstream] = useState(false);
  const body: PatchTask = { new_state: state, include_downstream: downstream };
  const path = instancePath(at);
  const preview = useQuery({
    queryKey: ["preview", "mark", path, body],
    queryFn: ({ signal }) => send<TaskInstanceCollection>("PATCH", url([...path, "dry_run"]), body, signal),
    staleTime: 0,
    gcTime: 0,
  });
  const mark = useMutation({
    mutationFn: () => send<TaskInstanceCollection>("PATCH", url(path), body),
    onSuccess: async (marked) => {
      onClose();
      toast({ text: `Marked ${plural(marked.total_entries, "task")} ${state}` });
      await Promise.all([
        client.invalidateQueries({ queryKey: ["dag", at.dagId] }),
        client.invalidateQueries({ queryKey: ["overview"] }),
      ]);
    },
  });
  const affected = preview.data?.task_instances ?? [];
  return (
    <Dialog
      title={`Mark ${at.taskId}`}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="button" onClick={onClose}>
            Keep as it is
          </button>
          <button
            type="button"
            className="button primary"
            disabled={affected.length === 0 || mark.isPending}
            onClick={() => mark.mutate()}
          >
            Mark {plural(affected.length, "task")} {state}
          </button>
        </>
      }
    >
      <fieldset className="choices">
        <legend className="visually-hidden">How it ended</legend>
        {STATES.map(([name, words]) => (
          <label key={name} className="row">
            <input type="radio" name="state" checked={state === name} onChange={() => setState(name)} /> {words}
          </label>
        ))}
        <label className="row">
          <input type="checkbox" checked={downstream} onChange={(event) => setDownstream(event.target.checked)} /> With
          everything after it
        </label>
      </fieldset>
      <p className="muted">
        What runs is ended; what it still reports changes nothing. What failed after it is decided again, and the run
        goes on.
      </p>
      {preview.isPending && <Skeleton rows={3} />}
      {preview.isError && <ErrorNote error={preview.error} />}
      {mark.isError && <ErrorNote error={mark.error} />}
      {preview.data && (
        <Affected instances={affected} label="What will be marked" empty={`Everything here is ${state} already.`} />
      )}
    </Dialog>
  );
}
