/** Why something has not started, and when it will. Pure: decides over facts that were read. */
import { datasetsIn } from "../dag/datasets.ts";
import { scheduleDescription } from "../dag/schedule-text.ts";
import type { DatasetCondition, MessageSchedule } from "../dag/spec.ts";
import { FINAL_TASK_STATES } from "../metadata/task-states.ts";
import type { DagFacts } from "../metadata/views/explain-dag-view.ts";
import {
  AHEAD_LIMIT,
  type RunFacts,
  type SlotHolder,
  type TaskFacts,
  type WorkerFacts,
} from "../metadata/views/explain-run-view.ts";
import { holds } from "./dataset-plan.ts";

/** Every reason there is, by its code. */
export const REASON_CODES = [
  "inactive",
  "import_error",
  "paused",
  "no_schedule",
  "schedule_over",
  "planning",
  "next_tick",
  "due",
  "dataset_events_missing",
  "dataset_events_ready",
  "messages_missing",
  "messages_ready",
  "topic_problem",
  "max_active_runs",
  "runs_ahead",
  "run_after",
  "run_concurrency_key",
  "backfill_paused",
  "backfill_max_active_runs",
  "starting",
  "cancelled",
  "ended",
  "running",
  "run_not_started",
  "upstream",
  "undecided",
  "map_window",
  "retry_at",
  "poll_at",
  "waiting",
  "pool_unknown",
  "pool_too_small",
  "pool_full",
  "max_active_tasks",
  "task_max_active",
  "task_concurrency_key",
  "no_worker",
  "priority",
  "workers_busy",
  "deadline",
] as const;
/** One of {@link REASON_CODES}. */
export type ReasonCode = (typeof REASON_CODES)[number];

/** One thing that holds something back, or says what is next. */
export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
  /** When that is over, where it is known. */
  readonly at: Date | null;
  /** What is meant, for programs: names of runs, tasks, datasets … */
  readonly details: Readonly<Record<string, unknown>>;
}

function reason(code: ReasonCode, message: string, details: Reason["details"] = {}, at: Date | null = null): Reason {
  return { code, message, at, details };
}

/** What the next run of a DAG waits for; what weighs most first. */
export function dagReasons(facts: DagFacts): Reason[] {
  return [...dagObstacles(facts), ...nextRun(facts)];
}

/** What keeps every run of a DAG from being made or started. */
function dagObstacles({ active, paused, importError, dagId }: DagFacts): Reason[] {
  const reasons: Reason[] = [];
  if (!active) reasons.push(reason("inactive", `no DAG file holds ${dagId} any more`));
  if (importError) {
    const { file, line, message } = importError;
    const place = line === null ? file : `${file}:${line}`;
    const words = `its file cannot be loaded, so the last good version goes on: ${place}: ${message}`;
    reasons.push(reason("import_error", words, { ...importError }));
  }
  if (paused) reasons.push(reason("paused", `DAG ${dagId} is paused: no run of it starts`));
  return reasons;
}

function nextRun(facts: DagFacts): Reason[] {
  const { schedule, maxActiveRuns, running, queued, activeRuns, nextRunAfter, planPending, now } = facts;
  if (schedule === null) return [reason("no_schedule", "it has no schedule: runs are made by hand")];
  const full = running + queued >= maxActiveRuns;
  const limit = full
    ? [
        reason("max_active_runs", `at most ${maxActiveRuns} runs at once: ${list(activeRuns, running + queued)}`, {
          runs: activeRuns,
          limit: maxActiveRuns,
        }),
      ]
    : [];
  if (schedule.kind === "messages") return [...messageReasons(facts, schedule), ...limit];
  if (schedule.kind === "datasets") return [...datasetReasons(facts, schedule.condition), ...limit];
  if (planPending) return [...limit, reason("planning", "the scheduler has not computed its next run yet")];
  if (nextRunAfter === null) {
    return [...limit, reason("schedule_over", `its schedule (${scheduleDescription(schedule)}) gives no further run`)];
  }
  if (nextRunAfter > now) {
    return [...limit, reason("next_tick", `the next run is due at ${nextRunAfter.toISOString()}`, {}, nextRunAfter)];
  }
  return [...limit, reason("due", `a run is due since ${nextRunAfter.toISOString()}`, {}, nextRunAfter)];
}

function messageReasons({ messages }: DagFacts, { topic, window }: MessageSchedule): Reason[] {
  const { waiting, lag, missed, problem } = messages ?? { waiting: 0, lag: 0, missed: 0, problem: null };
  const facts = { topic, waiting, lag, missed };
  const state =
    waiting + lag === 0
      ? reason("messages_missing", `it waits for a message in topic ${topic}`, facts)
      : reason(
          "messages_ready",
          `${waiting} messages of topic ${topic} wait for ${window === null ? "runs" : "their window"}, ${lag} more are in the topic`,
          facts,
        );
  return problem === null
    ? [state]
    : [reason("topic_problem", `topic ${topic} cannot be read: ${problem}`, facts), state];
}

function datasetReasons({ fresh, partitions }: DagFacts, condition: DatasetCondition): Reason[] {
  const waiting = partitions.map(({ partition, datasets }) => {
    const missing = datasetsIn(condition).filter((one) => !datasets.includes(one));
    return reason("dataset_events_missing", `partition ${partition || "(none)"} waits for ${missing.join(", ")}`, {
      partition,
      missing,
    });
  });
  if (waiting.length > 0) return waiting;
  if (holds(condition, new Set(fresh))) {
    return [reason("dataset_events_ready", `new events of ${fresh.join(", ")} ask for a run`, { datasets: fresh })];
  }
  const missing = datasetsIn(condition).filter((one) => !fresh.includes(one));
  const word = "any" in condition && missing.length > 1 ? "one of " : "";
  return [
    reason("dataset_events_missing", `it waits for a new event of ${word}${missing.join(", ")}`, { missing, fresh }),
  ];
}

/** By when it is to have ended, where somebody wants to know. */
function deadlineReason(due: Date | null, now: Date): Reason[] {
  if (due === null) return [];
  const words = due > now ? "it is to have ended by" : "it is late: it was to have ended by";
  return [reason("deadline", `${words} ${due.toISOString()}`, {}, due)];
}

/** What a run waits for; empty where only its tasks wait for something. */
export function runReasons(run: RunFacts, dag: DagFacts): Reason[] {
  return [...runObstacles(run, dag), ...deadlineReason(run.deadline, dag.now)];
}

function runObstacles(run: RunFacts, dag: DagFacts): Reason[] {
  if (run.state === "success" || run.state === "failed") {
    const when = run.endedAt ? ` at ${run.endedAt.toISOString()}` : "";
    return [reason("ended", `the run ended ${run.state}${when}${run.endReason ? `: ${run.endReason}` : ""}`)];
  }
  const cancelled = run.cancelRequested
    ? [reason("cancelled", `${endOf(run)}: it ends with the last of its running tasks and teardowns`)]
    : [];
  if (run.state === "running") return cancelled;
  return [...cancelled, ...queuedRunReasons(run, dag)];
}

function endOf({ endReason }: RunFacts): string {
  return endReason === null || endReason === "cancelled" ? "the run is cancelled" : endReason;
}

function queuedRunReasons(run: RunFacts, dag: DagFacts): Reason[] {
  const reasons = dagObstacles(dag).filter(({ code }) => code !== "import_error");
  if (run.runAfter > dag.now) {
    reasons.push(reason("run_after", `it starts after ${run.runAfter.toISOString()}`, {}, run.runAfter));
  }
  const { backfill, concurrencyKey, concurrencyLimit, keyHolders } = run;
  if (backfill?.paused) reasons.push(reason("backfill_paused", `its backfill ${backfill.id} is paused`));
  if (backfill && backfill.running.length >= backfill.maxActiveRuns) {
    const words = `its backfill runs at most ${backfill.maxActiveRuns} at once: ${list(backfill.running)}`;
    reasons.push(reason("backfill_max_active_runs", words, { runs: backfill.running }));
  }
  if (!backfill && dag.running >= dag.maxActiveRuns) {
    const words = `at most ${dag.maxActiveRuns} runs at once: ${list(dag.activeRuns.slice(0, dag.running), dag.running)}`;
    reasons.push(reason("max_active_runs", words, { runs: dag.activeRuns, limit: dag.maxActiveRuns }));
  }
  if (concurrencyLimit !== null && keyHolders.length >= concurrencyLimit) {
    const words = `at most ${concurrencyLimit} runs with key "${concurrencyKey}": ${list(keyHolders)}`;
    reasons.push(reason("run_concurrency_key", words, { key: concurrencyKey, runs: keyHolders }));
  }
  if (run.ahead > 0) reasons.push(reason("runs_ahead", `${run.ahead} earlier runs start first`, { ahead: run.ahead }));
  return reasons.length > 0 ? reasons : [reason("starting", "nothing: the scheduler starts it with its next look")];
}

/** What a task instance waits for; what weighs most first. */
export function taskReasons(task: TaskFacts, run: RunFacts, dag: DagFacts, workers: readonly WorkerFacts[]): Reason[] {
  return [...taskObstacles(task, run, dag, workers), ...deadlineReason(task.deadline, dag.now)];
}

function taskObstacles(task: TaskFacts, run: RunFacts, dag: DagFacts, workers: readonly WorkerFacts[]): Reason[] {
  if (FINAL_TASK_STATES.has(task.state)) return [ended(task)];
  switch (task.state) {
    case "none":
      return undecided(task, run, dag);
    case "scheduled":
      return [reason("map_window", "it waits for its turn: only so many items of a map are queued at once")];
    case "queued":
      return queued(task, workers);
    case "up_for_retry":
      return [at("retry_at", "its next try is due", task)];
    case "up_for_reschedule":
      return [at("poll_at", "it looks again", task)];
    case "deferred":
      return [deferred(task)];
    default:
      return [running(task)];
  }
}

function ended(task: TaskFacts): Reason {
  const why = task.reason === null ? "" : `: ${task.reason}`;
  return reason("ended", `it ended ${task.state}${why}`, { state: task.state }, task.endedAt);
}

function running(task: TaskFacts): Reason {
  const where = task.host === null ? "" : ` on ${task.host}`;
  const told = task.revoked === null ? "" : `, and is told to end (${task.revoked})`;
  const since = task.startedAt === null ? "" : ` since ${task.startedAt.toISOString()}`;
  return reason(task.revoked === null ? "running" : "cancelled", `try ${task.tryNumber} runs${where}${since}${told}`);
}

function at(code: "retry_at" | "poll_at", words: string, { wakeAt, tryNumber, reason: why }: TaskFacts): Reason {
  const when = wakeAt === null ? "" : ` at ${wakeAt.toISOString()}`;
  return reason(code, `${words}${when} (after try ${tryNumber}${why ? `: ${why}` : ""})`, {}, wakeAt);
}

function deferred({ wait }: TaskFacts): Reason {
  if (wait === null) return reason("waiting", "it waits for something outside");
  const note = wait.note ? `: ${wait.note}` : "";
  const until = new Date(wait.deadline);
  return reason("waiting", `${wait.kind} has not seen what it waits for${note}; until ${until.toISOString()}`, {
    kind: wait.kind,
    deadline: until.toISOString(),
  });
}

function undecided(task: TaskFacts, run: RunFacts, dag: DagFacts): Reason[] {
  if (run.state === "queued") {
    return [reason("run_not_started", "its run has not started"), ...queuedRunReasons(run, dag)];
  }
  if (task.waitsFor.length === 0) return [reason("undecided", "its upstreams have ended: it is being decided")];
  const names = task.waitsFor.map(
    ({ taskId, state, count }) => `${taskId} (${state}${count > 1 ? ` × ${count}` : ""})`,
  );
  return [reason("upstream", `it waits for ${names.join(", ")}`, { tasks: task.waitsFor })];
}

function queued(task: TaskFacts, workers: readonly WorkerFacts[]): Reason[] {
  const reasons = [...poolReasons(task), ...limitReasons(task)];
  if (task.lane !== "wait") reasons.push(...workerReasons(task, workers, reasons.length === 0));
  if (reasons.length > 0) return reasons;
  return [reason("starting", "nothing: it is taken with the next look of the scheduler")];
}

function poolReasons({ pool, poolSlots, slots }: TaskFacts): Reason[] {
  if (slots === null) return [reason("pool_unknown", `there is no pool ${pool}: make it, or name another`, { pool })];
  if (poolSlots > slots.all) {
    const words = `it needs ${poolSlots} slots of pool ${pool}, which has ${slots.all}: it never starts like this`;
    return [reason("pool_too_small", words, { pool, slots: slots.all })];
  }
  if (slots.all - slots.used >= poolSlots) return [];
  const who = slots.holders.map(holderName).join(", ");
  const words = `${slots.used} of ${slots.all} slots of pool ${pool} are taken${who ? ` by ${who}` : ""}`;
  return [reason("pool_full", words, { pool, ...slots })];
}

function holderName({ dagId, runId, taskId, mapIndex }: SlotHolder): string {
  return `${dagId} ${runId} ${taskId}${mapIndex < 0 ? "" : `[${mapIndex}]`}`;
}

function limitReasons(task: TaskFacts): Reason[] {
  const reasons: Reason[] = [];
  const { runActive, maxActiveTasks, taskActive, maxActive, keyActive, concurrencyKey, concurrencyLimit } = task;
  if (runActive >= maxActiveTasks) {
    reasons.push(reason("max_active_tasks", `its run has ${runActive} tasks running, and may have ${maxActiveTasks}`));
  }
  if (maxActive !== null && taskActive >= maxActive) {
    reasons.push(reason("task_max_active", `${taskActive} instances of the task run, and at most ${maxActive} may`));
  }
  if (concurrencyLimit !== null && keyActive >= concurrencyLimit) {
    const words = `${keyActive} instances with key "${concurrencyKey}" run, and at most ${concurrencyLimit} may`;
    reasons.push(reason("task_concurrency_key", words, { key: concurrencyKey }));
  }
  return reasons;
}

/** `free` = nothing else holds the instance back, so that it is the workers it waits for. */
function workerReasons({ queue, ahead }: TaskFacts, workers: readonly WorkerFacts[], free: boolean): Reason[] {
  const takers = workers.filter(({ draining, queues }) => !draining && queues.includes(queue));
  if (takers.length === 0) {
    const others = workers.length === 0 ? "no worker is alive" : `no live worker serves queue "${queue}"`;
    return [reason("no_worker", `${others}: start one`, { queue, workers: workers.length })];
  }
  const reasons: Reason[] = [];
  if (ahead > 0) {
    const many = ahead >= AHEAD_LIMIT ? `${AHEAD_LIMIT} or more` : String(ahead);
    reasons.push(reason("priority", `${many} queued tasks are ahead of it`, { ahead }));
  }
  if (free) {
    const busy = takers.reduce((sum, worker) => sum + worker.running, 0);
    const words = `${takers.length} live workers serve queue "${queue}" and run ${busy} tasks: it starts when one has room`;
    reasons.push(reason("workers_busy", words, { workers: takers.length, running: busy }));
  }
  return reasons;
}

function list(names: readonly string[], all = names.length): string {
  return all > names.length ? `${names.join(", ")} and ${all - names.length} more` : names.join(", ");
}
