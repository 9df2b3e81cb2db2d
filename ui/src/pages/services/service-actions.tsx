/** Pause, resume, restart. What is asked for is a row: the state shows when it has come about. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Service } from "../../../../src/api/contract.ts";
import { Icon, type IconName } from "../../components/icon.tsx";
import { toast } from "../../components/toasts.tsx";
import { ApiError, send, url } from "../../lib/http.ts";

type Action = "pause" | "resume" | "restart";

const ACTIONS: Record<Action, { word: string; icon: IconName; told: string }> = {
  pause: { word: "Pause", icon: "pause", told: "ends after the work in hand" },
  resume: { word: "Resume", icon: "play", told: "starts" },
  restart: { word: "Restart", icon: "clear", told: "ends after the work in hand, and starts again" },
};

function ask(serviceId: string, action: Action): Promise<Service> {
  if (action === "restart") return send<Service>("POST", url(["services", serviceId, "restart"]), {});
  return send<Service>("PATCH", url(["services", serviceId]), { is_paused: action === "pause" });
}

export function ServiceActions({ service, look }: { service: Service; look: "icons" | "words" }) {
  const client = useQueryClient();
  const { service_id: id } = service;
  const change = useMutation({
    mutationFn: (action: Action) => ask(id, action),
    onSuccess: (_, action) => toast({ text: `${id} ${ACTIONS[action].told}` }),
    onError: (error, action) =>
      toast({ text: `${ACTIONS[action].word} of ${id} was refused: ${ApiError.from(error).message}` }),
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["services"] }),
        client.invalidateQueries({ queryKey: ["service", id] }),
      ]),
  });
  if (service.state === "stopped") return null;
  const offered: Action[] = service.is_paused ? ["resume"] : ["restart", "pause"];
  return (
    <span className="service-actions">
      {offered.map((action) => (
        <button
          key={action}
          type="button"
          className={look === "icons" ? "button quiet" : "button"}
          disabled={change.isPending}
          title={`${ACTIONS[action].word}: it ${ACTIONS[action].told}`}
          aria-label={`${ACTIONS[action].word} ${id}`}
          onClick={() => change.mutate(action)}
        >
          <Icon name={ACTIONS[action].icon} size={14} />
          {look === "words" && ACTIONS[action].word}
        </button>
      ))}
    </span>
  );
}
