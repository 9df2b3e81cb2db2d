/** What the plan of a deployment takes and tells of one DAG. */
import type { DagSpec } from "../dag/spec.ts";
import type { DagDiff } from "../dag/spec-diff.ts";
import type { TimetableRun } from "../dag/timetable.ts";

/** A DAG as a file holds it. */
export interface CandidateDag {
  readonly file: string;
  readonly spec: DagSpec;
  readonly bundleHash: string;
}

/** A file that could not be loaded; its deployed DAGs stay as they are. */
export interface BrokenFile {
  readonly file: string;
  readonly message: string;
}

/** How the clock would run a DAG otherwise than before. */
export interface ScheduleShift {
  readonly before: string;
  readonly after: string;
  /** First run to come by either schedule, where a clock knows. */
  readonly nextBefore: Date | null;
  readonly nextAfter: Date | null;
  /** Runs made at once, where the DAG is not paused, and the first of them. */
  readonly created: number;
  readonly runs: readonly TimetableRun[];
  /** Due ticks that get no run. */
  readonly skipped: number;
}

/** What becomes of one DAG. */
export interface DagChange {
  readonly dagId: string;
  readonly file: string;
  readonly change: "added" | "changed" | "removed";
  readonly paused: boolean;
  readonly activeRuns: number;
  /** Null unless it is changed. */
  readonly diff: DagDiff | null;
  /** Whether the code of the file (functions, imports) is another. */
  readonly code: "same" | "changed";
  readonly shift: ScheduleShift | null;
}
