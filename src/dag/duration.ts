/** Lengths of time as authors write them. */
import { dagError } from "./call-site.ts";

/** `"500ms"`, `"30s"`, `"5m"`, `"2h"`, `"1d"`, or ISO 8601 such as `"PT15M"` (days to seconds). */
export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}` | `P${string}`;

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHORT = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const ISO = /^P(?!$)(?:(\d+)D)?(?:T(?!$)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** Milliseconds of a duration. Throws DAG_INVALID for anything else; `what` names the setting. */
export function milliseconds(duration: Duration, what: string): number {
  const short = SHORT.exec(duration);
  if (short) return Math.round(Number(short[1]) * (UNITS[short[2] as string] as number));
  const iso = ISO.exec(duration);
  if (!iso)
    throw dagError(`${what}: ${JSON.stringify(duration)} is no duration`, undefined, 'Write "30s", "5m" or "PT15M".');
  const [days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  return Math.round(((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000);
}
