/** A naive model of a whole run: fixed graph, fixed outcomes, any order of finishing. */

import type { TriggerRule } from "../../src/dag/spec.ts";
import { type Decision, decide, runState } from "../../src/dag/trigger-rules.ts";

export type Outcome = "success" | "fail" | "skip" | "branch" | "short_circuit";

export interface ModelTask {
  id: string;
  upstream: string[];
  rule: TriggerRule;
  outcome: Outcome;
  branch?: string;
}

export interface ModelResult {
  states: Record<string, string>;
  run: "success" | "failed";
}

/** Runs the graph; `pick` chooses which of the started tasks ends next. */
export function simulate(tasks: readonly ModelTask[], pick: (running: string[]) => string): ModelResult {
  const states = new Map<string, string>();
  const running = new Set<string>();
  const skipRequested = new Set<string>();
  const byId = new Map(tasks.map((task) => [task.id, task]));

  const settle = (): void => {
    for (let changed = true; changed; ) {
      changed = false;
      for (const task of tasks) {
        if (states.has(task.id) || running.has(task.id)) continue;
        const decision = decisionFor(task, states, skipRequested);
        if (decision === "wait") continue;
        changed = true;
        if (decision === "run") running.add(task.id);
        else states.set(task.id, decision);
      }
    }
  };

  settle();
  while (running.size > 0) {
    const id = pick([...running]);
    const task = byId.get(id) as ModelTask;
    running.delete(id);
    states.set(id, task.outcome === "fail" ? "failed" : task.outcome === "skip" ? "skipped" : "success");
    for (const skipped of skippedBy(task, tasks)) skipRequested.add(skipped);
    settle();
  }
  const leaves = tasks.filter((task) => !tasks.some((other) => other.upstream.includes(task.id)));
  return { states: Object.fromEntries(states), run: runState(leaves.map((leaf) => states.get(leaf.id) as string)) };
}

function decisionFor(task: ModelTask, states: Map<string, string>, skipRequested: Set<string>): Decision {
  const ended = task.upstream.map((id) => states.get(id));
  const count = (state: string) => ended.filter((other) => other === state).length;
  return decide(task.rule, {
    total: task.upstream.length,
    success: count("success"),
    failed: count("failed"),
    skipped: count("skipped"),
    upstream_failed: count("upstream_failed"),
    skip_requested: skipRequested.has(task.id),
  });
}

function skippedBy(task: ModelTask, tasks: readonly ModelTask[]): string[] {
  if (task.outcome === "short_circuit") return descendants(task.id, tasks);
  if (task.outcome !== "branch") return [];
  // A task that the chosen one leads to is not skipped, or the choice would undo itself.
  const kept = new Set([task.branch as string, ...descendants(task.branch as string, tasks)]);
  return tasks.filter((other) => other.upstream.includes(task.id) && !kept.has(other.id)).map((other) => other.id);
}

function descendants(id: string, tasks: readonly ModelTask[]): string[] {
  const direct = tasks.filter((task) => task.upstream.includes(id)).map((task) => task.id);
  return [...new Set(direct.flatMap((child) => [child, ...descendants(child, tasks)]))];
}
