/** Switches a DAG's schedule on and off. Shows the new state at once and goes back if the server refuses. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Dag } from "../../../../src/api/contract.ts";
import { toast } from "../../components/toasts.tsx";
import { ApiError, send, url } from "../../lib/http.ts";
import "./pause-switch.css";

export function PauseSwitch({ dagId, state }: { dagId: string; state: "paused" | "active" }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (next: typeof state) =>
      send<Dag>("PATCH", url(["v2", "dags", dagId]), { is_paused: next === "paused" }),
    onError: (error) => toast({ text: `${dagId} stays ${state}: ${ApiError.from(error).message}` }),
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["dags"] }),
        client.invalidateQueries({ queryKey: ["dag", dagId] }),
      ]),
  });
  const shown = change.isPending ? change.variables : state;
  return (
    <button
      type="button"
      role="switch"
      aria-checked={shown === "active"}
      aria-label={`${dagId} is ${shown}`}
      title={shown === "active" ? "Active: runs are created on schedule" : "Paused: no new runs on schedule"}
      className="switch"
      onClick={() => change.mutate(shown === "active" ? "paused" : "active")}
    >
      <span />
    </button>
  );
}
