/** The types of what DAG authors write. None of them accumulates: the type of a task never depends on the tasks before it. */
import type { z } from "zod";
import type { DatasetLike } from "./datasets.ts";
import type { Duration } from "./duration.ts";
import type { Operator, Sensor, TaskContext } from "./operator.ts";
import type { Ref, RefTree } from "./refs.ts";
import type { RetryChoice } from "./retry.ts";
import type { Schedule } from "./schedule.ts";
import type { Catchup, DeadlineStart, Json, NotifyEvent, TriggerRule } from "./spec.ts";

declare const resultType: unique symbol;
declare const itemType: unique symbol;

/** A declared task, typed by what it returns. `output` stands for its result in the config of operators downstream. */
export interface TaskRef<R> {
  readonly id: string;
  readonly output: RefTree<R>;
  readonly [resultType]: R;
}

/** A declared map: its result is the array of what the items returned, in the order of the items. */
export interface MappedTaskRef<R> extends TaskRef<R[]> {
  readonly [itemType]: R;
}

declare const groupType: unique symbol;

/** Declared tasks under a common id. As an upstream it stands for all its leaves. */
export interface GroupRef<T> {
  readonly id: string;
  /** What the group's function returned, for references to single tasks of it. */
  readonly refs: T;
  readonly [groupType]: true;
}

/** What a task, or a group, may come after. */
export type Upstream = TaskRef<unknown> | GroupRef<unknown>;

/** Options of a group. */
export interface GroupOptions {
  /** Upstreams of every task of the group that has none inside it. */
  readonly after?: readonly Upstream[];
  readonly doc?: string;
}

/** How an upstream ended, under rules that start a task whatever its upstreams did. `pending` = not ended yet. */
export type Outcome<T> =
  | { readonly state: "success"; readonly value: T }
  | { readonly state: "failed" | "skipped" | "upstream_failed" | "pending" };

/** Named upstreams whose results a task receives. */
export type Inputs = Readonly<Record<string, TaskRef<unknown>>>;

/** What a task function receives for its `in`: results under all_success, otherwise outcomes that must be narrowed. */
export type InputValues<I extends Inputs, Rule extends TriggerRule> = {
  readonly [K in keyof I]: [Rule] extends ["all_success"] ? I[K][typeof resultType] : InputOutcome<I[K]>;
};

type InputOutcome<X> =
  X extends MappedTaskRef<infer R> ? Outcome<R>[] : X extends TaskRef<infer R> ? Outcome<R> : never;

/** `T` where it survives a trip through JSON unchanged; `never` in the place of what does not. */
export type Jsonable<T> = [T] extends [Json]
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends bigint | symbol | ((...args: never) => unknown)
      ? never
      : T extends
            | Date
            | RegExp
            | Map<unknown, unknown>
            | Set<unknown>
            | ArrayBuffer
            | ArrayBufferView
            | Promise<unknown>
        ? never
        : T extends object
          ? { [K in keyof T]: Jsonable<T[K]> }
          : unknown extends T
            ? T
            : never;

/** What a task may return: JSON or nothing. The compiler marks the part of a value that is neither. */
export type Returned<R> = R & (R extends void ? R : Jsonable<R>);

/** A task's function: its named inputs, then what it is told about its attempt. */
export type TaskBody<I extends Inputs, Rule extends TriggerRule, P, R> = (
  inputs: InputValues<I, Rule>,
  ctx: TaskContext<P>,
) => Returned<R> | Promise<Returned<R>>;

/** A limit by key. The key is text, a reference to a param (`t.params.region`) or to a fact of the run (`t.run.logicalDate`). */
export interface Concurrency {
  readonly key: Ref<unknown> | string;
  /** At least 1. */
  readonly limit: number;
}

/** By when something is to have ended; a missed deadline is told, and nothing else happens. */
export interface Deadline {
  readonly after: Duration;
  /** Counted from the start of the run (unless set), from when the run or the task was queued, or from the logical date. */
  readonly from?: DeadlineStart;
  /** Ids of connections that are told, beside those of the DAG's `notify`. */
  readonly notify?: readonly string[];
}

/** Who is told of what. */
export interface Notify {
  readonly on: NotifyEvent | readonly NotifyEvent[];
  /** Ids of connections: `https` or `http` = webhook, `smtp` or `smtps` = e-mail, `slack` = Slack's webhook. */
  readonly to: string | readonly string[];
}

/** What every task may set. */
export interface CommonOptions {
  /** Further upstreams, whose results are not passed. */
  readonly after?: readonly Upstream[];
  /** How many times a failed task is tried again; 0 unless set. */
  readonly retries?: number;
  /** Before the second try; 1 second unless set. */
  readonly retryDelay?: Duration;
  /** How the delay grows: by `factor` (2) a try, up to `max` (5 minutes); `jitter: "full"` draws it between 0 and that. */
  readonly backoff?: { readonly factor?: number; readonly max?: Duration; readonly jitter?: "none" | "full" };
  /**
   * What becomes of the task by what went wrong: code of a QflowError, name of the class of any other error, or `*` for every
   * other that would be tried again. Without it: the error's own class, and ordinary errors are tried again.
   */
  readonly retryPolicy?: Readonly<Record<string, RetryChoice>>;
  /** Longest time in the queue, of each try; the task then fails. No limit unless set. */
  readonly queueTimeout?: Duration;
  /** Longest time from the start of the run to the start of the first try, whatever it waits for; the task then fails. */
  readonly startTimeout?: Duration;
  /** Longest run of one try; no limit unless set. */
  readonly timeout?: Duration;
  /** By when it is to have ended, in each run; of a mapped task: each item. */
  readonly deadline?: Deadline;
  /** Pool the task takes its slots from; `default_pool` unless set. */
  readonly pool?: string;
  /** Slots it takes; 1 unless set. */
  readonly poolSlots?: number;
  /** Higher goes first; 0 unless set. */
  readonly priority?: number;
  /** At most this many instances of the task at once, over mapped items and runs. */
  readonly maxActive?: number;
  /** At most `limit` running instances with the same value of `key`, over all runs and all tasks of the DAG that have such a key. */
  readonly concurrency?: Concurrency;
  /** Only workers that serve this queue take it; `default` unless set. */
  readonly queue?: string;
  /** Datasets read, for lineage. */
  readonly reads?: readonly DatasetLike[];
  /** Datasets written: an event of each is recorded when the task succeeds. */
  readonly emits?: readonly DatasetLike[];
  readonly doc?: string;
}

/** Options of an operator's task. */
export interface OperatorOptions extends CommonOptions {
  /** When the task starts, given how its upstreams ended; all_success unless set. */
  readonly rule?: TriggerRule;
}

/** Options of a task with a function of its own. */
export interface TaskOptions<I extends Inputs, Rule extends TriggerRule> extends CommonOptions {
  /** Upstreams whose results the function receives by these names. */
  readonly in?: I;
  /** When the task starts, given how its upstreams ended; all_success unless set. */
  readonly rule?: Rule;
}

/** What a teardown may set beyond other tasks. */
export interface TeardownParts {
  /** Setups whose work it takes away: it runs where one of them succeeded, as soon as all its upstreams have ended. */
  readonly setups?: readonly TaskRef<unknown>[];
  /** Whether a run in which nothing but the teardown failed is a success (`ignore`, unless set) or failed. */
  readonly onFailure?: "ignore" | "failRun";
}

/** Options of a teardown with a function of its own. */
export interface TeardownOptions<I extends Inputs> extends Omit<TaskOptions<I, "all_done">, "rule">, TeardownParts {}

/** Options of an operator's teardown. */
export interface OperatorTeardownOptions extends CommonOptions, TeardownParts {}

/** Options of a branch. */
export interface BranchOptions<I extends Inputs, Rule extends TriggerRule, To extends Inputs>
  extends TaskOptions<I, Rule> {
  /** What the function chooses from, by name. Without it: any direct downstream, by task id. */
  readonly to?: To;
}

/** What every sensor may set. */
export interface SensorPace {
  /** Between two checks; 1 minute unless set. */
  readonly every?: Duration;
  /** How the time between two checks grows: by `factor` (2) a check, up to `max` (1 hour). It stays the same unless set. */
  readonly exponential?: { readonly factor?: number; readonly max?: Duration };
  /** How the task ends when its `timeout` comes before the condition; it fails unless set. */
  readonly onTimeout?: "fail" | "skip";
  /** Longest wait, over all checks of one try; 7 days unless set. */
  readonly timeout?: Duration;
}

/** Options of a declared sensor. */
export interface DeclaredSensorOptions
  extends Omit<OperatorOptions, "pool" | "poolSlots" | "maxActive" | "concurrency" | "queue">,
    SensorPace {}

/** Options of a sensor with a function of its own. */
export interface SensorOptions<I extends Inputs, Rule extends TriggerRule>
  extends Omit<TaskOptions<I, Rule>, "timeout">,
    SensorPace {}

/** What a sensor's function returns: false, null or nothing = not yet; true or a value = met. */
export type Sensed<R> = R | false | null | undefined;

type Choice<To extends Inputs> = string extends keyof To ? string : keyof To & string;
/** What a branch's function returns: one name, several, or null for none. */
export type Chosen<To extends Inputs> = Choice<To> | readonly Choice<To>[] | null;

/** Facts of the run, for operator configs. The dates are ISO 8601 in UTC. */
export interface RunRefs {
  readonly dagId: RefTree<string>;
  readonly runId: RefTree<string>;
  /** Null in runs without one: an operator that gets it then fails on its config. */
  readonly logicalDate: RefTree<string>;
  readonly intervalStart: RefTree<string>;
  readonly intervalEnd: RefTree<string>;
  /** The partition the run is for; null in runs without one. */
  readonly partition: RefTree<string>;
}

/** What the `build` function of a DAG declares its tasks with. `P` is the type of the params. */
export interface DagBuilder<P> {
  /** References to the run's params, for operator configs. Inside task functions use `ctx.params`. */
  readonly params: RefTree<P>;
  readonly run: RunRefs;
  /** A task with a function of its own. */
  task<R>(id: string, fn: TaskBody<Inputs, "all_success", P, R>): TaskRef<R>;
  /** A task that an operator runs. */
  task<R>(id: string, operator: Operator<R>, options?: OperatorOptions): TaskRef<R>;
  /** A task with a function of its own. */
  task<R, I extends Inputs = Inputs, Rule extends TriggerRule = "all_success">(
    id: string,
    options: TaskOptions<I, Rule>,
    fn: TaskBody<I, Rule, P, R>,
  ): TaskRef<R>;
  /** A task that makes what others need. Clearing one of those does it again, too. */
  setup<R>(id: string, fn: TaskBody<Inputs, "all_success", P, R>): TaskRef<R>;
  /** A task that makes what others need, run by an operator. */
  setup<R>(id: string, operator: Operator<R>, options?: OperatorOptions): TaskRef<R>;
  /** A task that makes what others need. Clearing one of those does it again, too. */
  setup<R, I extends Inputs = Inputs, Rule extends TriggerRule = "all_success">(
    id: string,
    options: TaskOptions<I, Rule>,
    fn: TaskBody<I, Rule, P, R>,
  ): TaskRef<R>;
  /** A task that takes away what setups made, whatever the work between did, and also in a cancelled run. */
  teardown<R>(id: string, operator: Operator<R>, options: OperatorTeardownOptions): TaskRef<R>;
  /** A task that takes away what setups made, whatever the work between did, and also in a cancelled run. */
  teardown<R, I extends Inputs = Inputs>(
    id: string,
    options: TeardownOptions<I>,
    fn: TaskBody<I, "all_done", P, R>,
  ): TaskRef<R>;
  /** Tasks under a common id: those that `fn` declares are called `id.task`. Groups may hold groups. */
  group<T>(id: string, fn: (t: DagBuilder<P>) => T): GroupRef<T>;
  /** Tasks under a common id: those that `fn` declares are called `id.task`. Groups may hold groups. */
  group<T>(id: string, options: GroupOptions, fn: (t: DagBuilder<P>) => T): GroupRef<T>;
  /** Stands for the item in the config of an operator that is mapped over `over`. */
  item<T>(over: TaskRef<readonly T[]>): RefTree<T>;
  /** The operator runs once for every item of the array that `over` returned; its config names the item with `t.item(over)`. */
  map<T, R>(
    id: string,
    over: TaskRef<readonly T[]>,
    operator: Operator<R>,
    options?: OperatorOptions,
  ): MappedTaskRef<R>;
  /** One instance for every item of the array that `over` returned. */
  map<T, R>(
    id: string,
    over: TaskRef<readonly T[]>,
    fn: (item: T, ctx: TaskContext<P>) => Returned<R> | Promise<Returned<R>>,
  ): MappedTaskRef<R>;
  /** One instance for every item of the array that `over` returned. */
  map<T, R>(
    id: string,
    over: TaskRef<readonly T[]>,
    options: OperatorOptions,
    fn: (item: T, ctx: TaskContext<P>) => Returned<R> | Promise<Returned<R>>,
  ): MappedTaskRef<R>;
  /** Chooses which of its direct downstreams go on; the others are skipped. */
  branch<To extends Inputs = Inputs, I extends Inputs = Inputs, Rule extends TriggerRule = "all_success">(
    id: string,
    options: BranchOptions<I, Rule, To>,
    fn: TaskBody<I, Rule, P, Chosen<To>>,
  ): TaskRef<string | string[] | null>;
  /** Waits, holding neither a process nor a slot, until a condition that the scheduler checks is met. */
  sensor<R>(id: string, sensor: Sensor<R>, options?: DeclaredSensorOptions): TaskRef<R>;
  /**
   * Waits until its function returns something else than false, null or nothing: that is its result. Between two calls it holds
   * neither a process nor a slot.
   */
  sensor<R, I extends Inputs = Inputs, Rule extends TriggerRule = "all_success">(
    id: string,
    options: SensorOptions<I, Rule>,
    fn: (inputs: InputValues<I, Rule>, ctx: TaskContext<P>) => Sensed<Returned<R>> | Promise<Sensed<Returned<R>>>,
  ): TaskRef<Exclude<R, false | null | undefined>>;
  /** Skips everything downstream, whatever its rules, when its function returns false. */
  shortCircuit<I extends Inputs = Inputs, Rule extends TriggerRule = "all_success">(
    id: string,
    options: TaskOptions<I, Rule>,
    fn: TaskBody<I, Rule, P, boolean>,
  ): TaskRef<boolean>;
}

/** What a DAG may set. */
export interface DagOptions<S extends z.ZodObject = z.ZodObject> {
  /** When runs are made; only by hand unless set. */
  readonly schedule?: Schedule;
  /** No run has a logical date before it. A date, or a date and time; without offset it is read in the schedule's zone. */
  readonly start?: string;
  /** No run has a logical date after it. Written like `start`. */
  readonly end?: string;
  /** Which missed runs are made up for; none unless set. */
  readonly catchup?: Catchup;
  /** Longest time of a run: what waits is then skipped, what runs is ended, and the run fails. No limit unless set. */
  readonly timeout?: Duration;
  /** By when each run is to have ended. */
  readonly deadline?: Deadline;
  /** Who is told when runs and tasks end, are tried again or are late, and when the DAG's file is broken. */
  readonly notify?: Notify | readonly Notify[];
  /** Runs at once; 16 unless set. */
  readonly maxActiveRuns?: number;
  /** Task instances of one run at once; 16 unless set. */
  readonly maxActiveTasks?: number;
  /** At most `limit` running runs with the same value of a param: `{ key: "region", limit: 1 }`. `key` is the param's name. */
  readonly concurrency?: { readonly key: keyof z.output<S> & string; readonly limit: number };
  /** How long runs are kept after their end, at least an hour; `false` = for ever. As the installation is set unless given. */
  readonly retention?: Duration | false;
  /** What a run can be told; checked before the run is made. */
  readonly params?: S;
  /** Datasets to describe in the catalog beyond those named by tasks and schedule. */
  readonly datasets?: readonly DatasetLike[];
  readonly doc?: string;
  readonly owner?: string;
  readonly tags?: readonly string[];
}
