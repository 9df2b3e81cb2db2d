/** A state as colour and shape, with or without its word. */
import { lookOf } from "../lib/states.ts";
import "./state-mark.css";

/** Only the mark; its word is the accessible name. `size` in pixels. */
export function StateMark({ state, size = 12 }: { state: string | null; size?: number }) {
  const look = lookOf(state);
  return (
    <span
      className="state-mark state-shape"
      data-state={look.name}
      data-shape={look.shape}
      role="img"
      aria-label={look.word}
      style={{ width: size, height: size }}
    />
  );
}

/** Mark and word. */
export function StateBadge({ state }: { state: string | null }) {
  return (
    <span className="state-badge">
      <StateMark state={state} />
      {lookOf(state).word}
    </span>
  );
}
