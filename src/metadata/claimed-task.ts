/** Makes the {@link ClaimedTask} of what the database's `claimed_tasks` answers. */
import type { Json, TaskRule } from "../dag/spec.ts";
import type { ClaimedTask, Outcome } from "./work-types.ts";

/** One upstream whose values are read: how each of its instances ended, in map order. */
export interface UpstreamRow {
  readonly mapped: boolean;
  readonly ended: readonly { readonly state: string; readonly value: Json }[] | null;
}

/** A row as `claimed_tasks` builds it: the task, with what its inputs and outputs are put together from. */
export interface ClaimedRow extends Omit<ClaimedTask, "interval" | "inputs" | "outputs"> {
  readonly intervalStart: string | null;
  readonly intervalEnd: string | null;
  /** Input name → id of the upstream task. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Null where the values are too large to travel with the claim. */
  readonly upstream: Upstream | null;
}

/** Values that a task reads, by upstream task. */
export type Upstream = Readonly<Record<string, UpstreamRow>>;

/** The task with its inputs and outputs put together from `values`; null = they are larger than a task may read. */
export function claimedTask(row: ClaimedRow, values: Upstream | null = row.upstream): ClaimedTask {
  const { upstream: _, inputs, intervalStart, intervalEnd, ...rest } = row;
  const upstream = values ?? {};
  return {
    ...rest,
    isInputTooLarge: values === null,
    logicalDate: isoOrNull(row.logicalDate),
    interval: intervalStart && intervalEnd ? { start: iso(intervalStart), end: iso(intervalEnd) } : null,
    events: row.events.map((event) => ({ ...event, at: iso(event.at) })),
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, taskId]) => [name, inputOf(upstream[taskId], row.rule)]),
    ),
    outputs: Object.fromEntries(Object.entries(upstream).map(([taskId, from]) => [taskId, valueFrom(from)])),
  };
}

function inputOf(from: UpstreamRow | undefined, rule: TaskRule): Json | Outcome | readonly Outcome[] {
  if (rule === "all_success") return valueFrom(from);
  const outcomes = (from?.ended ?? []).map(outcomeOf);
  return from?.mapped ? outcomes : (outcomes[0] ?? { state: "pending" });
}

/** The value of an upstream; of a mapped one the array of its values. */
export function valueFrom(from: UpstreamRow | undefined): Json {
  const values = (from?.ended ?? []).map((ended) => ended.value ?? null);
  return from?.mapped ? values : (values[0] ?? null);
}

function outcomeOf({ state, value }: { state: string; value: Json }): Outcome {
  if (state === "success") return { state, value: value ?? null };
  return { state: state === "failed" || state === "skipped" || state === "upstream_failed" ? state : "pending" };
}

/** PostgreSQL writes offsets and microseconds; everywhere else an instant is written as JavaScript does. */
function iso(instant: string): string {
  return new Date(instant).toISOString();
}

function isoOrNull(instant: string | null): string | null {
  return instant === null ? null : iso(instant);
}
