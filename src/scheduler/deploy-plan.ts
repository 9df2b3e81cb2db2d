/** What deploying DAG files would do. Pure: what is deployed and what the files hold are given. */
import { scheduleDescription } from "../dag/schedule-text.ts";
import type { DagSpec } from "../dag/spec.ts";
import { diffSpecs, isSame } from "../dag/spec-diff.ts";
import { type ClockSchedule, isByClock } from "../dag/timetable.ts";
import type { DeployedDag } from "../metadata/views/deployed-view.ts";
import { type BreakingChange, breakingChanges } from "./breaking.ts";
import type { BrokenFile, CandidateDag, DagChange, ScheduleShift } from "./deploy-types.ts";
import { comingRuns, dueRuns } from "./forecast.ts";
import type { Timing } from "./plan.ts";

/** What there is to compare. */
export interface Deployment {
  readonly deployed: readonly DeployedDag[];
  readonly candidates: readonly CandidateDag[];
  readonly broken: readonly BrokenFile[];
  /** Whether a deployed DAG of this file is among those that may change or go. */
  readonly concerns: (file: string) => boolean;
  readonly now: Date;
}

/** What deploying would do. */
export interface DeployPlan {
  readonly changes: readonly DagChange[];
  readonly unchanged: number;
  readonly breaking: readonly BreakingChange[];
}

/** Runs that are listed one by one. */
const LISTED = 5;

/** Plans a deployment. */
export function planDeploy(deployment: Deployment): DeployPlan {
  const { deployed, candidates, broken, concerns, now } = deployment;
  const before = new Map(deployed.map((dag) => [dag.dagId, dag]));
  const kept = new Set(candidates.map(({ spec }) => spec.dagId));
  const brokenFiles = new Set(broken.map(({ file }) => file));
  const gone = deployed.filter((dag) => !kept.has(dag.dagId) && concerns(dag.file) && !brokenFiles.has(dag.file));
  const changes = [
    ...candidates.flatMap((candidate) => changeOf(candidate, before.get(candidate.spec.dagId) ?? null, now) ?? []),
    ...gone.map(removal),
  ].sort((a, b) => (a.dagId < b.dagId ? -1 : 1));
  return {
    changes,
    unchanged: candidates.length + gone.length - changes.length,
    breaking: breakingChanges({ deployed, candidates, broken, gone, changes }),
  };
}

function changeOf(candidate: CandidateDag, before: DeployedDag | null, now: Date): DagChange | null {
  const { spec, file, bundleHash } = candidate;
  const { dagId } = spec;
  if (before === null) {
    const shift = shiftOf(null, spec, now);
    return { dagId, file, change: "added", paused: true, activeRuns: 0, diff: null, code: "changed", shift };
  }
  const diff = diffSpecs(before.spec, spec);
  const code = before.bundleHash === bundleHash ? "same" : "changed";
  if (isSame(diff) && code === "same") return null;
  const timed = diff.schedule !== "same" || ["start", "end", "catchup"].some((name) => diff.settings.includes(name));
  const shift = timed ? shiftOf(before, spec, now) : null;
  const { paused, activeRuns } = before;
  return { dagId, file, change: "changed", paused, activeRuns, diff, code, shift };
}

function removal({ dagId, file, paused, activeRuns }: DeployedDag): DagChange {
  return { dagId, file, change: "removed", paused, activeRuns, diff: null, code: "changed", shift: null };
}

function shiftOf(before: DeployedDag | null, spec: DagSpec, now: Date): ScheduleShift | null {
  if (before === null && spec.schedule === null) return null;
  const old = before && timing(before, before.spec, now);
  const timed = timing(before, spec, now);
  // A new DAG is paused.
  const due = timed === null || before === null || before.paused ? null : dueRuns(timed, LISTED);
  return {
    before: before === null ? "" : scheduleDescription(before.spec.schedule),
    after: scheduleDescription(spec.schedule),
    nextBefore: old && (comingRuns(old, 1)[0]?.runAfter ?? null),
    nextAfter: timed && (comingRuns(timed, 1)[0]?.runAfter ?? null),
    created: due?.total ?? 0,
    runs: due?.runs ?? [],
    skipped: due?.skipped ?? 0,
  };
}

function timing(before: DeployedDag | null, spec: DagSpec, now: Date): Timing | null {
  if (spec.schedule === null || !isByClock(spec.schedule)) return null;
  const schedule: ClockSchedule = spec.schedule;
  // What another schedule settled says nothing about the one run of `once`.
  const anew = schedule.kind === "once" && before?.spec.schedule?.kind !== "once";
  return {
    schedule,
    start: spec.start === null ? (before?.createdAt ?? now) : new Date(spec.start),
    end: spec.end === null ? null : new Date(spec.end),
    catchup: spec.catchup,
    settledUntil: anew ? null : (before?.settledUntil ?? null),
    recent: { startedAt: null, failures: 0 },
    now,
  };
}
