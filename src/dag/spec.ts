/**
 * The compiled DAG: plain JSON, what a version stores and what scheduler, workers, API and UI read.
 * Authoring code (functions) lives in the bundle; everything that decides about a run is here.
 */

/** Any JSON value; what travels between tasks and into the database. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Airflow's trigger rules. */
export const TRIGGER_RULES = [
  "all_success",
  "all_failed",
  "all_done",
  "all_done_min_one_success",
  "all_skipped",
  "one_success",
  "one_failed",
  "one_done",
  "none_failed",
  "none_failed_min_one_success",
  "none_skipped",
  "always",
] as const;
/** One of Airflow's trigger rules. */
export type TriggerRule = (typeof TRIGGER_RULES)[number];

/** Rule of every teardown: all upstreams have ended, and one of its setups succeeded. */
export const TEARDOWN_RULE = "all_done_setup_success";
/** The rule a compiled task has: its own, or that of teardowns. */
export type TaskRule = TriggerRule | typeof TEARDOWN_RULE;

/** What a task is for: `setup` makes what work needs, `teardown` takes it away again, whatever the work did. */
export type TaskRole = "work" | "setup" | "teardown";

/** When runs are created. `null` in {@link DagSpec.schedule} means: only by hand. */
export type ScheduleSpec =
  | CronSpec
  /** Ticks a fixed time apart, counted from `anchor` (an ISO instant); null = 1970-01-01T00:00:00Z. */
  | { kind: "every"; milliseconds: number; anchor: string | null }
  /** One run, at the DAG's start, or as soon as it is known. */
  | { kind: "once" }
  /** The next run when the one before has ended; starts are at least `spacingMs` apart. */
  | { kind: "continuous"; spacingMs: number }
  | { kind: "datasets"; condition: DatasetCondition; consume: DatasetConsumption }
  | MessageSchedule;

/** Runs for the messages of a topic: one a message, or (`window`) one for all that came together. */
export interface MessageSchedule {
  kind: "messages";
  /** Id of a connection of kind `kafka`. */
  connection: string;
  topic: string;
  /** What makes two messages the same: their place in the topic, their key, or the value at this JSON pointer. */
  dedupe: "offset" | "key" | { pointer: string };
  /** Where to begin when the topic is seen for the first time. */
  from: "latest" | "earliest";
  /** A run when so many messages wait, or the oldest has waited so long. */
  window: { messages: number; milliseconds: number } | null;
}

/** `cron` = a run at each tick, `cronInterval` = one for the time between two. */
export interface CronSpec {
  kind: "cron" | "cronInterval";
  /** Five fields or a preset; several expressions are separated by ` | `. */
  expression: string;
  timezone: string;
  /** Absent: every day counts. */
  calendar?: CalendarSpec;
}

/** Which days count, and what becomes of ticks on the others. */
export interface CalendarSpec {
  /** `2026-01-07` = that day, `01-07` = that day of every year; sorted. */
  holidays: string[];
  /** Days of the week that do not count, 0 = Sunday; ascending. */
  weekend: number[];
  onClosedDay: ClosedDayRule;
}

/** `nextBusinessDay` = the tick comes at the same time of the next day that counts. */
export type ClosedDayRule = "skip" | "nextBusinessDay";

/** `all` = every named dataset has a new event; `any` = one of them has. Leaves are dataset ids. */
export type DatasetCondition = { all: DatasetCondition[] } | { any: DatasetCondition[] } | { dataset: string };

/**
 * `pending` = one run takes all events waiting; `each` = one run an event, whose `extra` becomes the run's conf; `partition` = one
 * run for each partition of which the condition holds, of its events alone.
 */
export type DatasetConsumption = "pending" | "each" | "partition";

/** Which missed ticks are made up for when a DAG is un-paused or the scheduler was away. */
export type Catchup = "none" | "latest" | "all";

/** Delay before try n+1: `delayMs * factor^(n-1)`, at most `maxMs`; with full jitter when `jitter` is "full". */
export interface RetrySpec {
  /** How many times a failed task is tried again; 0 = once only. */
  retries: number;
  delayMs: number;
  factor: number;
  maxMs: number;
  jitter: "none" | "full";
  /** Error code, class name or `*` (the rest) → what becomes of the task; absent where errors speak for themselves. */
  policy?: Record<string, RetryAction>;
}

/** `retryable` counts as a try, `infra` does not, `fatal` is the end; `afterMs` = counts, and not before that. */
export type RetryAction = "retryable" | "fatal" | "infra" | { afterMs: number };

/**
 * Who runs a task: its own function (in a warm runner) or a declared operator (in the asynchronous host). A sensor is either: its
 * own function, called again and again, or a declared one, which the scheduler checks.
 */
export type TaskKind = "function" | "map" | "branch" | "shortCircuit" | "operator" | "sensor";

/** How a sensor is asked: `everyMs * factor^(n-1)` after its n-th "not yet", at most `maxMs`. */
export interface SensorSpec {
  everyMs: number;
  factor: number;
  maxMs: number;
  /** How the task ends when its timeout comes first. */
  onTimeout: "fail" | "skip";
}

/**
 * At most `limit` running instances (of a DAG: runs) that have the same value of `key`, over all runs of the DAG. The key is text,
 * or a param or a fact of the run.
 */
export interface ConcurrencySpec {
  key: string | Extract<Token, { $param: unknown } | { $run: unknown }>;
  limit: number;
}

/** What a deadline counts from: the start of the run, when the run (of a task: the task) was queued, or the logical date. */
export type DeadlineStart = "runStart" | "queued" | "logicalDate";

/** By when a run or a task is to have ended; missed deadlines are told, and nothing else happens. */
export interface DeadlineSpec {
  afterMs: number;
  from: DeadlineStart;
  /** Ids of connections that are told, beside those that {@link DagSpec.notify} names. */
  notify: string[];
}

/** What can be told. */
export const NOTIFY_EVENTS = [
  "runFailed",
  "runSucceeded",
  "taskFailed",
  "taskRetry",
  "deadlineMissed",
  "importError",
] as const;
/** One of {@link NOTIFY_EVENTS}. */
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number];

/** Who is told of what: every event of `on` goes to every connection of `to`. */
export interface NotifySpec {
  on: NotifyEvent[];
  to: string[];
}

/** One task of a compiled DAG. Times are milliseconds. */
export interface TaskSpec {
  taskId: string;
  /** Position in {@link DagSpec.tasks}, topological: an upstream always has a lower index. */
  index: number;
  kind: TaskKind;
  /** Present where `kind` is "operator" (or a declared sensor, or a map of an operator): name in the registry and config with {@link Token}s. */
  operator: { name: string; config: Json } | null;
  /** Named inputs: name → task id whose value is passed. Every one is also in `upstream`. */
  inputs: Record<string, string>;
  upstream: string[];
  downstream: string[];
  /** For maps: the upstream task whose array is mapped over; where that is a map too, it is followed item by item. */
  mapOver: string | null;
  /** For kind "branch": name → task id it may choose. Empty = any direct downstream by id. */
  branchTargets: Record<string, string>;
  rule: TaskRule;
  /** Absent = "work". */
  role?: Exclude<TaskRole, "work">;
  /** Id of the innermost group it is in; absent where it is in none. */
  group?: string;
  /** Present where the end of the run does not depend on the task: a teardown whose failure is ignored. */
  onFailure?: "ignore";
  retry: RetrySpec;
  /** Of one try; of a sensor: of the whole wait, and never null. */
  timeoutMs: number | null;
  /** Longest time in the queue, of each try; absent = no limit. */
  queueTimeoutMs?: number;
  /** Longest time from the start of the run to the start of the first try; absent = no limit. */
  startTimeoutMs?: number;
  /** Present where `kind` is "sensor". */
  sensor?: SensorSpec;
  pool: string;
  poolSlots: number;
  /** Higher first. */
  priority: number;
  /** At most this many of the task's instances (mapped items, and over all runs) at once; null = no limit. */
  maxActive: number | null;
  /** Workers that serve this queue may take it; absent = "default". */
  queue?: string;
  /** Absent = no limit by key. */
  concurrency?: ConcurrencySpec;
  /** Absent = none. */
  deadline?: DeadlineSpec;
  /** Dataset ids. */
  reads: string[];
  emits: string[];
  doc: string | null;
  /** Line of the declaration in the source, 1-based, where known. */
  line: number | null;
}

/** A dataset as declared by a DAG author; its id is the catalog's name, e.g. `conformed.fact_sales`. */
export interface DatasetSpec {
  id: string;
  description: string | null;
  owner: string | null;
}

/** One immutable compiled DAG. */
export interface DagSpec {
  format: 1;
  dagId: string;
  doc: string | null;
  owner: string | null;
  tags: string[];
  schedule: ScheduleSpec | null;
  /** ISO instants (UTC) or null. */
  start: string | null;
  end: string | null;
  catchup: Catchup;
  maxActiveRuns: number;
  /** Task instances of one run at once. */
  maxActiveTasks: number;
  /** Longest time of a run, from its start; absent = no limit. */
  timeoutMs?: number;
  /** Limit of running runs by key; absent = none. */
  concurrency?: ConcurrencySpec;
  /** Milliseconds that runs are kept after their end, null = for ever; absent = as the installation is set. */
  retentionMs?: number | null;
  /** Of every run; absent = none. */
  deadline?: DeadlineSpec;
  /** Absent = nobody is told. */
  notify?: NotifySpec[];
  /** JSON Schema of the params, with defaults; null = none declared. */
  params: Json;
  datasets: DatasetSpec[];
  /** In the order of their declaration, a group before those inside it; absent where there is none. */
  groups?: GroupSpec[];
  tasks: TaskSpec[];
}

/** A group of tasks; every task id in it starts with its id and a dot. */
export interface GroupSpec {
  groupId: string;
  /** The group it is in, or null. */
  parent: string | null;
  doc: string | null;
}

/**
 * Placeholders inside operator config, resolved by the worker just before the operator runs.
 * `param` = value at a path of the run's params; `output` = value at a path of an upstream's XCom;
 * `run` = a fact of the run; `item` = value at a path of the item of a mapped operator's instance, `$item` being the task mapped over.
 */
export type Token =
  | { $param: string[] }
  | { $output: string; path: (string | number)[] }
  | { $item: string; path: (string | number)[] }
  | { $run: RunFact };

/** A fact of a run that a config may name. */
export type RunFact = "runId" | "dagId" | "logicalDate" | "intervalStart" | "intervalEnd" | "partition";
