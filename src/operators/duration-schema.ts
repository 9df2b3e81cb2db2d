/** Lengths of time in operator configs. */
import { z } from "zod";
import { type Duration, milliseconds } from "../dag/duration.ts";

function isDuration(value: unknown): boolean {
  try {
    milliseconds(value as Duration, "duration");
    return true;
  } catch {
    return false;
  }
}

/** `"30s"`, `"5m"`, `"PT15M"`. */
export const durationSchema = z.custom<Duration>((value) => typeof value === "string" && isDuration(value), {
  error: 'not a duration: write "30s", "5m" or "PT15M"',
});

/** An instant with its offset: `"2026-01-31T02:30:00Z"`. */
export const instantSchema = z.iso.datetime({ offset: true, error: 'not an instant: write "2026-01-31T02:30:00Z"' });
