/** How times and durations read in a table. */
import { SKIP_COUNT_LIMIT } from "../scheduler/plan.ts";

/** `2026-11-22 23:14:05Z`, or empty. */
export function instant(at: Date | string | null): string {
  if (at === null) return "";
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** `850ms`, `12.3s`, `1m 23s`, `2h 05m`, or empty. */
export function duration(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}

const CELL = 120;

/** What fits into a cell of a table. */
export function shortened(text: string): string {
  return text.length <= CELL ? text : `${text.slice(0, CELL - 1)}…`;
}

/** `3 missed ticks get no run`. More than a thousand are not counted one by one. */
export function missedText(ticks: number): string {
  if (ticks === 1) return "1 missed tick gets no run";
  return `${ticks > SKIP_COUNT_LIMIT ? `more than ${SKIP_COUNT_LIMIT}` : ticks} missed ticks get no run`;
}
