/** What can be done to a run. */
import { useState } from "react";
import type { DagRun } from "../../../../src/api/contract.ts";
import { Icon } from "../../components/icon.tsx";
import { isUnfinished } from "../../lib/states.ts";
import { CancelDialog } from "../../task-panel/cancel-dialog.tsx";
import { ClearDialog } from "../../task-panel/clear-dialog.tsx";

export function RunActions({ run }: { run: DagRun }) {
  const [shown, setShown] = useState<"clear" | "cancel" | null>(null);
  const { dag_id: dagId, dag_run_id: runId } = run;
  const close = () => setShown(null);
  return (
    <>
      <button type="button" className="button" onClick={() => setShown("clear")}>
        <Icon name="clear" size={14} /> Clear
      </button>
      {isUnfinished(run.state) && (
        <button type="button" className="button danger" onClick={() => setShown("cancel")}>
          <Icon name="stop" size={14} /> Cancel
        </button>
      )}
      {shown === "clear" && <ClearDialog target={{ kind: "run", dagId, runId }} onClose={close} />}
      {shown === "cancel" && <CancelDialog dagId={dagId} runId={runId} onClose={close} />}
    </>
  );
}
