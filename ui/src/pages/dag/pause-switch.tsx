/**
 * Switches a DAG's schedule on and off. Shows the new state at once and goes back if the server refuses; asks first where
 * switching it on starts runs at once.
 */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Dag, SchedulePreview } from "../../../../src/api/contract.ts";
import { toast } from "../../components/toasts.tsx";
import { ApiError, get, send, url } from "../../lib/http.ts";
import { UnpauseDialog } from "./unpause-dialog.tsx";
import "./pause-switch.css";

export function PauseSwitch({ dagId, state }: { dagId: string; state: "paused" | "active" }) {
  const client = useQueryClient();
  const [asked, setAsked] = useState<SchedulePreview | null>(null);
  const stays = (error: unknown) => toast({ text: `${dagId} stays ${state}: ${ApiError.from(error).message}` });
  const change = useMutation({
    mutationFn: (next: typeof state) =>
      send<Dag>("PATCH", url(["v2", "dags", dagId]), { is_paused: next === "paused" }),
    onError: stays,
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["dags"] }),
        client.invalidateQueries({ queryKey: ["dag", dagId] }),
      ]),
  });
  const look = useMutation({
    mutationFn: () => get<SchedulePreview>(url(["schedule", dagId], { count: 0 })),
    onSuccess: (preview) =>
      preview.due.created + preview.due.queued > 0 ? setAsked(preview) : change.mutate("active"),
    onError: stays,
  });
  const shown = change.isPending ? change.variables : state;
  return (
    <>
      <button
        type="button"
        role="switch"
        aria-checked={shown === "active"}
        aria-label={`${dagId} is ${shown}`}
        title={shown === "active" ? "Active: runs are created on schedule" : "Paused: no new runs on schedule"}
        className="switch"
        disabled={look.isPending}
        onClick={() => (shown === "active" ? change.mutate("paused") : look.mutate())}
      >
        <span />
      </button>
      {asked && (
        <UnpauseDialog
          preview={asked}
          onClose={() => setAsked(null)}
          onConfirm={() => {
            setAsked(null);
            change.mutate("active");
          }}
        />
      )}
    </>
  );
}
