/** Runs tasks again. Shows which ones before anything happens. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ClearTasks, TaskInstanceCollection } from "../../../src/api/contract.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNote, Skeleton } from "../components/feedback.tsx";
import { toast } from "../components/toasts.tsx";
import { plural } from "../lib/format.ts";
import { send, url } from "../lib/http.ts";
import type { TaskAddress } from "../lib/queries.ts";
import { Affected } from "./affected.tsx";

/** One task (with what follows it) or a whole run. */
export type ClearTarget = { kind: "task"; at: TaskAddress } | { kind: "run"; dagId: string; runId: string };

type Scope = "only" | "downstream" | "failed" | "all";

const SCOPES: Record<ClearTarget["kind"], readonly (readonly [scope: Scope, words: string])[]> = {
  task: [
    ["downstream", "This task and everything after it"],
    ["only", "Only this task"],
  ],
  run: [
    ["failed", "What failed"],
    ["all", "Every task of the run"],
  ],
};

/** What else is chosen: end what runs first, and go on with the newest version. */
interface Extras {
  running: boolean;
  latest: boolean;
}

function requestBody(target: ClearTarget, scope: Scope, { running, latest }: Extras): Omit<ClearTasks, "dry_run"> {
  const extras = { prevent_running_task: !running, run_on_latest_version: latest };
  if (target.kind === "run") {
    const onlyFailed = scope === "failed";
    return { dag_run_id: target.runId, only_failed: onlyFailed, include_downstream: onlyFailed, ...extras };
  }
  const { runId, taskId, mapIndex } = target.at;
  const task: string | [string, number] = mapIndex < 0 ? taskId : [taskId, mapIndex];
  const downstream = scope === "downstream";
  return { dag_run_id: runId, only_failed: false, task_ids: [task], include_downstream: downstream, ...extras };
}

export function ClearDialog({ target, onClose }: { target: ClearTarget; onClose: () => void }) {
  const dagId = target.kind === "run" ? target.dagId : target.at.dagId;
  const client = useQueryClient();
  const [scope, setScope] = useState<Scope>(SCOPES[target.kind][0]?.[0] ?? "all");
  const [extras, setExtras] = useState<Extras>({ running: false, latest: false });
  const body = requestBody(target, scope, extras);
  const address = url(["v2", "dags", dagId, "clearTaskInstances"]);
  const preview = useQuery({
    queryKey: ["preview", "clear", dagId, body],
    queryFn: ({ signal }) => send<TaskInstanceCollection>("POST", address, { ...body, dry_run: true }, signal),
    staleTime: 0,
    gcTime: 0,
  });
  const clear = useMutation({
    mutationFn: () => send<TaskInstanceCollection>("POST", address, { ...body, dry_run: false }),
    onSuccess: async (cleared) => {
      onClose();
      toast({ text: `Cleared ${plural(cleared.total_entries, "task")}: they run again` });
      await Promise.all([
        client.invalidateQueries({ queryKey: ["dag", dagId] }),
        client.invalidateQueries({ queryKey: ["overview"] }),
      ]);
    },
  });
  const affected = preview.data?.task_instances ?? [];
  return (
    <Dialog
      title={target.kind === "run" ? "Clear the run" : `Clear ${target.at.taskId}`}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="button" onClick={onClose}>
            Keep as it is
          </button>
          <button
            type="button"
            className="button primary"
            disabled={affected.length === 0 || clear.isPending}
            onClick={() => clear.mutate()}
          >
            Clear {plural(preview.data?.total_entries ?? 0, "task")}
          </button>
        </>
      }
    >
      <fieldset className="choices">
        <legend className="visually-hidden">What to clear</legend>
        {SCOPES[target.kind].map(([name, words]) => (
          <label key={name} className="row">
            <input type="radio" name="scope" checked={scope === name} onChange={() => setScope(name)} /> {words}
          </label>
        ))}
      </fieldset>
      <fieldset className="choices">
        <legend className="visually-hidden">How</legend>
        {EXTRAS.map(([name, words]) => (
          <label key={name} className="row">
            <input
              type="checkbox"
              checked={extras[name]}
              onChange={(event) => setExtras({ ...extras, [name]: event.target.checked })}
            />{" "}
            {words}
          </label>
        ))}
      </fieldset>
      <p className="muted">
        They run again on {extras.latest ? "the newest version of the DAG" : "the code version of the run"}; earlier
        tries and their logs are kept.
      </p>
      {preview.data?.version_change && <Change change={preview.data.version_change} />}
      {preview.isPending && <Skeleton rows={3} />}
      {preview.isError && <ErrorNote error={preview.error} />}
      {clear.isError && <ErrorNote error={clear.error} />}
      {preview.data && (
        <Affected instances={affected} label="What will be cleared" empty="Nothing here would be cleared." />
      )}
    </Dialog>
  );
}

const EXTRAS: readonly (readonly [name: keyof Extras, words: string])[] = [
  ["running", "Also what waits or runs: it is ended first"],
  ["latest", "Go on with the newest version of the DAG"],
];

function Change({ change }: { change: NonNullable<TaskInstanceCollection["version_change"]> }) {
  const parts = [
    ["added", change.added],
    ["removed", change.removed],
    ["changed", change.changed],
  ] as const;
  return (
    <p>
      Version {change.from} → {change.to}
      {parts.map(([word, tasks]) => tasks.length > 0 && ` · ${word}: ${tasks.join(", ")}`)}
    </p>
  );
}
