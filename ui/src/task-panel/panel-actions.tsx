/** What can be done to a task instance. */
import { useState } from "react";
import { Icon } from "../components/icon.tsx";
import type { TaskAddress } from "../lib/queries.ts";
import { isUnfinished } from "../lib/states.ts";
import { CancelDialog } from "./cancel-dialog.tsx";
import { ClearDialog } from "./clear-dialog.tsx";
import { MarkDialog } from "./mark-dialog.tsx";

/** `state` is null for a mapped task as a whole. */
export function PanelActions({ at, state }: { at: TaskAddress; state: string | null }) {
  const [shown, setShown] = useState<"clear" | "mark" | "cancel" | null>(null);
  const close = () => setShown(null);
  return (
    <>
      <button type="button" className="button" onClick={() => setShown("clear")}>
        <Icon name="clear" size={14} /> Clear
      </button>
      <button type="button" className="button" onClick={() => setShown("mark")}>
        Mark
      </button>
      {state !== null && isUnfinished(state) && (
        <button type="button" className="button" onClick={() => setShown("cancel")}>
          <Icon name="stop" size={14} /> Cancel run
        </button>
      )}
      {shown === "clear" && <ClearDialog target={{ kind: "task", at }} onClose={close} />}
      {shown === "mark" && <MarkDialog at={at} onClose={close} />}
      {shown === "cancel" && <CancelDialog dagId={at.dagId} runId={at.runId} onClose={close} />}
    </>
  );
}
