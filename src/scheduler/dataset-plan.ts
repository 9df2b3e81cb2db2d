/** Which waiting dataset events start a run. Pure. */
import type { DatasetCondition, Json } from "../dag/spec.ts";

/** An event that a consumer has not had; ids ascend in the order of recording. */
export interface Waiting {
  readonly id: number;
  readonly dataset: string;
  readonly extra: Json;
}

/** One run to be made of events. */
export interface DatasetRunPlan {
  readonly events: readonly Waiting[];
  readonly conf: Json;
}

/**
 * The runs to make, at most `room`: `pending` = one run of everything that waits, once the condition holds; `each` = one run
 * an event (of a condition with `all`: one event of each), oldest first, whose conf is the event's `extra`.
 */
export function planDatasetRuns(
  schedule: { readonly condition: DatasetCondition; readonly consume: "pending" | "each" },
  waiting: readonly Waiting[],
  room: number,
): DatasetRunPlan[] {
  if (room <= 0) return [];
  if (schedule.consume === "pending")
    return oldest(schedule.condition, waiting) === null ? [] : [{ events: waiting, conf: {} }];
  const runs: DatasetRunPlan[] = [];
  let rest = waiting;
  while (runs.length < room) {
    const events = oldest(schedule.condition, rest);
    if (events === null) break;
    runs.push({ events, conf: events.at(-1)?.extra ?? {} });
    rest = rest.filter((event) => !events.includes(event));
  }
  return runs;
}

/** Whether a condition holds where these datasets have new events. */
export function holds(condition: DatasetCondition, datasets: ReadonlySet<string>): boolean {
  if ("dataset" in condition) return datasets.has(condition.dataset);
  if ("any" in condition) return condition.any.some((part) => holds(part, datasets));
  return condition.all.every((part) => holds(part, datasets));
}

/** The oldest events that satisfy a condition, in order; null where it does not hold. */
function oldest(condition: DatasetCondition, waiting: readonly Waiting[]): Waiting[] | null {
  if ("dataset" in condition) {
    const event = waiting.find(({ dataset }) => dataset === condition.dataset);
    return event ? [event] : null;
  }
  if ("any" in condition) {
    const held = condition.any.map((part) => oldest(part, waiting)).filter((events) => events !== null);
    return held.reduce<Waiting[] | null>(
      (best, events) => (best === null || lastId(events) < lastId(best) ? events : best),
      null,
    );
  }
  const parts = condition.all.map((part) => oldest(part, waiting));
  if (parts.some((events) => events === null)) return null;
  return [...new Set(parts.flatMap((events) => events ?? []))].sort((a, b) => a.id - b.id);
}

function lastId(events: readonly Waiting[]): number {
  return events.at(-1)?.id ?? 0;
}
