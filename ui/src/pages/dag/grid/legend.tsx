/** What the shapes mean. */
import { StateMark } from "../../../components/state-mark.tsx";
import { STATE_LOOKS } from "../../../lib/states.ts";

const SHOWN = [
  "success",
  "running",
  "queued",
  "failed",
  "up_for_retry",
  "deferred",
  "skipped",
  "upstream_failed",
] as const;

export function Legend() {
  return (
    <ul className="legend only-wide" aria-label="Legend">
      {SHOWN.map((state) => (
        <li key={state}>
          <StateMark state={state} size={10} /> {STATE_LOOKS[state].word}
        </li>
      ))}
    </ul>
  );
}
