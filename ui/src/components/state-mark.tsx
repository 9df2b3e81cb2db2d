/** A state as colour and shape, with or without its word. */
import type { ReactNode } from "react";
import { lookOf, type Shape } from "../lib/states.ts";
import "./state-mark.css";

const STROKE = { fill: "none", stroke: "currentColor", strokeWidth: 1.8, strokeLinecap: "round" as const };

/** Drawn rather than typed: fonts turn some of these signs into emoji. */
const DRAWINGS: Record<Shape, ReactNode> = {
  ring: <circle cx="6" cy="6" r="4.4" {...STROKE} />,
  dots: <circle cx="6" cy="6" r="4.4" {...STROKE} strokeDasharray="1.6 2.4" />,
  half: (
    <>
      <circle cx="6" cy="6" r="4.4" {...STROKE} />
      <path d="M6 1.6a4.4 4.4 0 0 1 0 8.8z" fill="currentColor" />
    </>
  ),
  disc: <circle cx="6" cy="6" r="5.2" fill="currentColor" />,
  cross: <path d="M2.4 2.4l7.2 7.2M9.6 2.4 2.4 9.6" {...STROKE} strokeWidth={2.4} />,
  retry: <path d="M10 4.4A4.4 4.4 0 1 0 10.4 7M10.4 1.6v3H7.4" {...STROKE} />,
  clock: (
    <>
      <circle cx="6" cy="6" r="4.4" {...STROKE} />
      <path d="M6 3.6V6l1.8 1.2" {...STROKE} strokeWidth={1.4} />
    </>
  ),
  skip: <path d="M1.6 6h2M5 6h1.6M6.8 2.8 10 6l-3.2 3.2" {...STROKE} />,
  blocked: (
    <>
      <circle cx="6" cy="6" r="4.4" {...STROKE} />
      <path d="M3 9 9 3" {...STROKE} />
    </>
  ),
  dash: <path d="M1.6 6h2M5 6h2M8.4 6h2" {...STROKE} />,
};

/** Only the mark; its word is the accessible name. */
export function StateMark({ state, size = 12 }: { state: string | null; size?: number }) {
  const look = lookOf(state);
  return (
    <svg
      className="state-mark"
      data-state={look.name}
      width={size}
      height={size}
      viewBox="0 0 12 12"
      role="img"
      aria-label={look.word}
    >
      {DRAWINGS[look.shape]}
    </svg>
  );
}

/** Mark and word. */
export function StateBadge({ state }: { state: string | null }) {
  const look = lookOf(state);
  return (
    <span className="state-badge">
      <StateMark state={state} />
      {look.word}
    </span>
  );
}
