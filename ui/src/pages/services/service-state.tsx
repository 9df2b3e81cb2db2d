/** States of services and of their attempts: the marks of tasks' states, with words of their own. */
import type { Service, ServiceAttempt, TaskState } from "../../../../src/api/contract.ts";
import { StateMark } from "../../components/state-mark.tsx";

const LOOKS = {
  starting: ["Starting", "queued"],
  running: ["Running", "running"],
  draining: ["Draining", "deferred"],
  waiting: ["Waiting", "scheduled"],
  backoff: ["Backing off", "up_for_retry"],
  paused: ["Paused", "none"],
  stopped: ["Stopped", "removed"],
  failed: ["Failed", "failed"],
  lost: ["Worker lost", "upstream_failed"],
} as const satisfies Record<Service["state"] | ServiceAttempt["state"], readonly [string, TaskState]>;

/** Mark and word. */
export function ServiceBadge({ state }: { state: Service["state"] | ServiceAttempt["state"] }) {
  const [word, look] = LOOKS[state];
  return (
    <span className="state-badge">
      <span aria-hidden="true" style={{ display: "contents" }}>
        <StateMark state={look} />
      </span>
      {word}
    </span>
  );
}

/** Says that it is further behind than it may be. */
export function LagPill({ service }: { service: Service }) {
  if (service.lagging_since === null) return null;
  return (
    <span className="pill service-behind" title={`Above ${service.max_lag} records`}>
      behind
    </span>
  );
}
