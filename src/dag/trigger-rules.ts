/** What a trigger rule says about a task, given how many of its upstreams ended how. Pure. */
import { type TaskRule, TEARDOWN_RULE } from "./spec.ts";

/** How the direct upstreams of a task stand. What is in none of the four states has not ended. */
export interface UpstreamCounts {
  /** Every direct upstream, ended or not. */
  readonly total: number;
  readonly success: number;
  readonly failed: number;
  readonly skipped: number;
  readonly upstream_failed: number;
  /** A branch did not choose the task, or a short circuit above it stopped the rest. */
  readonly skip_requested: boolean;
  /** Those of them that are setups; a teardown goes by these. */
  readonly setups?: { readonly total: number; readonly success: number; readonly skipped: number };
}

/** `wait` = not decided yet, `run` = start it; the others are the state the task ends in without running. */
export type Decision = "wait" | "run" | "skipped" | "upstream_failed";

/** Rules that need not wait for every upstream: the first upstream that satisfies them decides. */
export const EARLY_RULES: ReadonlySet<TaskRule> = new Set(["one_success", "one_failed", "one_done", "always"]);

/**
 * Decides about a task that has not started. `always` starts at once. A requested skip comes before every other rule.
 * `one_success`, `one_failed` and `one_done` start with the first upstream that satisfies them. Everything else is decided when
 * all upstreams have ended, so that the outcome never depends on which of them ended first. A task without upstreams runs.
 * A teardown is never left out by a branch or short circuit.
 */
export function decide(rule: TaskRule, counts: UpstreamCounts): Decision {
  if (rule === "always") return "run";
  if (counts.skip_requested && rule !== TEARDOWN_RULE) return "skipped";
  if (counts.total === 0) return "run";
  if (isSatisfiedEarly(rule, counts)) return "run";
  const ended = counts.success + counts.failed + counts.skipped + counts.upstream_failed;
  return ended < counts.total ? "wait" : decideEnded(rule, counts);
}

function isSatisfiedEarly(rule: TaskRule, counts: UpstreamCounts): boolean {
  if (rule === "one_success") return counts.success > 0;
  if (rule === "one_failed") return counts.failed + counts.upstream_failed > 0;
  return rule === "one_done" && counts.success + counts.failed > 0;
}

function decideEnded(rule: Exclude<TaskRule, "always">, counts: UpstreamCounts): Decision {
  const { total, success, skipped } = counts;
  const bad = counts.failed + counts.upstream_failed;
  switch (rule) {
    case "all_success":
      if (bad > 0) return "upstream_failed";
      return skipped > 0 ? "skipped" : "run";
    case "all_failed":
      return bad === total ? "run" : "skipped";
    case TEARDOWN_RULE:
      return decideTeardown(counts.setups);
    case "all_done":
      return "run";
    case "all_done_min_one_success":
      if (skipped > 0) return "skipped";
      return success > 0 ? "run" : "upstream_failed";
    case "all_skipped":
      return skipped === total ? "run" : "skipped";
    case "one_success":
      return skipped === total ? "skipped" : "upstream_failed";
    case "one_failed":
    case "one_done":
      return "skipped";
    case "none_failed":
      return bad > 0 ? "upstream_failed" : "run";
    case "none_failed_min_one_success":
      if (bad > 0) return "upstream_failed";
      return success > 0 ? "run" : "skipped";
    case "none_skipped":
      return skipped > 0 ? "skipped" : "run";
  }
}

function decideTeardown(setups: UpstreamCounts["setups"]): Decision {
  if (setups === undefined || setups.total === 0 || setups.success > 0) return "run";
  return setups.skipped === setups.total ? "skipped" : "upstream_failed";
}

/** How a run ends whose tasks ended so: failed when a leaf (a task without downstream) failed or could not run. */
export function runState(leafStates: Iterable<string>): "success" | "failed" {
  for (const state of leafStates) if (state === "failed" || state === "upstream_failed") return "failed";
  return "success";
}
