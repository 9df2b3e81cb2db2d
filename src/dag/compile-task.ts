/** One declaration → one {@link TaskSpec}, apart from its place in the graph. */
import type { CommonOptions, Inputs } from "./authoring.ts";
import { type CallSite, dagError } from "./call-site.ts";
import { taskConcurrency } from "./concurrency.ts";
import { asDataset, type DatasetLike } from "./datasets.ts";
import { DeclaredTask, type TaskDeclaration } from "./declare.ts";
import { milliseconds } from "./duration.ts";
import { DeclaredGroup } from "./group.ts";
import { deadlineOf } from "./notify.ts";
import { nameOf } from "./refs.ts";
import { retryOf } from "./retry.ts";
import { type Json, type SensorSpec, type TaskSpec, TEARDOWN_RULE, TRIGGER_RULES } from "./spec.ts";
import { tokensIn } from "./tokens.ts";

/** Ids of DAGs and tasks. */
const ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,249}$/;

/** Throws DAG_INVALID for an id that could not be used in addresses and folders. `what` says whose it is. */
export function checkId(id: unknown, what: string, at: CallSite | null): void {
  if (typeof id === "string" && ID.test(id)) return;
  throw dagError(`${what} id ${JSON.stringify(id)} is invalid`, at, "Use letters, digits and _ . - (250 at most).");
}

/** Ids of the direct upstreams that the declaration itself names, groups left out. Throws DAG_INVALID for what is no task of the DAG. */
export function upstreamOf(task: TaskDeclaration, owner: object): Set<string> {
  const refs: [unknown, string][] = [
    ...Object.entries(task.inputs).map(([name, ref]): [unknown, string] => [ref, `in.${name}`]),
    ...(task.kind === "map" ? [[task.over, "what it maps over"] as [unknown, string]] : []),
    ...(task.options.after ?? [])
      .map((ref, i): [unknown, string] => [ref, `after[${i}]`])
      .filter(([ref]) => !(ref instanceof DeclaredGroup)),
    ...(task.options.setups ?? []).map((ref, i): [unknown, string] => [ref, `setups[${i}]`]),
  ];
  const ids = refs.map(([ref, what]) => idOf(ref, what, task, owner));
  return new Set([...ids, ...outputsRead(task)]);
}

/** Name → id of what a branch may choose. */
export function branchTargets(task: TaskDeclaration, owner: object): Record<string, string> {
  return mapRefs(task.to, "to", task, owner);
}

/** The spec with empty neighbours and index 0, which the graph fills in. */
export function compileTask(task: TaskDeclaration, owner: object): TaskSpec {
  const { options, operator, ref, at } = task;
  checkId(ref.id, "task", at);
  checkItems(task);
  if (task.rule !== TEARDOWN_RULE && !TRIGGER_RULES.includes(task.rule))
    throw dagError(`task ${ref.id}: rule ${JSON.stringify(task.rule)} is unknown`, at);
  return {
    taskId: ref.id,
    index: 0,
    kind: task.kind,
    operator: operator === null ? null : { name: operator.name, config: operator.config as Json },
    inputs: mapRefs(task.inputs, "in", task, owner),
    upstream: [],
    downstream: [],
    mapOver: task.kind === "map" ? idOf(task.over, "what it maps over", task, owner) : null,
    branchTargets: branchTargets(task, owner),
    rule: task.rule,
    ...(task.role === "work" ? {} : { role: task.role }),
    ...(task.role === "teardown" && options.onFailure !== "failRun" ? { onFailure: "ignore" as const } : {}),
    ...(task.group === null ? {} : { group: task.group.id }),
    retry: retryOf(task, atLeast(0, options, "retries", task) ?? 0),
    ...clocksOf(task),
    timeoutMs: timeoutOf(task),
    ...(task.kind === "sensor" ? { sensor: sensorOf(task) } : {}),
    pool: options.pool ?? "default_pool",
    poolSlots: atLeast(1, options, "poolSlots", task) ?? 1,
    priority: atLeast(-1_000_000, options, "priority", task) ?? 0,
    maxActive: atLeast(1, options, "maxActive", task),
    ...queueOf(task),
    ...taskConcurrency(task),
    ...deadlineOf(options.deadline, `task ${ref.id}: deadline`, at),
    reads: ids([...(operator?.reads ?? []), ...(options.reads ?? [])]),
    emits: ids([...(operator?.emits ?? []), ...(options.emits ?? [])]),
    doc: options.doc ?? null,
    line: at?.line ?? null,
  };
}

/** An item is known to the operator that is mapped over it, and nowhere else. */
function checkItems({ operator, over, ref, at }: TaskDeclaration): void {
  if (operator === null) return;
  for (const { token } of tokensIn(operator.config as Json)) {
    if ("$item" in token && token.$item !== over?.id)
      throw dagError(`task ${ref.id}: ${nameOf(token)} is known only to an operator mapped over ${token.$item}`, at);
  }
}

/** A sensor that nobody gave a limit gives up after this. */
const SENSOR_TIMEOUT = "7d";
/** The scheduler and the workers are not asked more often. */
const SHORTEST_PACE_MS = 100;

function timeoutOf({ kind, options, ref, at }: TaskDeclaration): number | null {
  const timeout = options.timeout ?? (kind === "sensor" ? SENSOR_TIMEOUT : null);
  if (timeout === null) return null;
  const ms = milliseconds(timeout, `task ${ref.id}: timeout`);
  if (ms > 0) return ms;
  throw dagError(`task ${ref.id}: timeout ${timeout} is no time at all`, at);
}

function sensorOf({ options, ref, at }: TaskDeclaration): SensorSpec {
  const everyMs = milliseconds(options.every ?? "1m", `task ${ref.id}: every`);
  if (everyMs < SHORTEST_PACE_MS) throw dagError(`task ${ref.id}: every ${options.every} is shorter than 100ms`, at);
  const { factor, max } = { factor: 2, max: "1h" as const, ...options.exponential };
  if (!(factor >= 1)) throw dagError(`task ${ref.id}: exponential.factor ${factor} is less than 1`, at);
  const onTimeout = options.onTimeout ?? "fail";
  if (onTimeout !== "fail" && onTimeout !== "skip")
    throw dagError(`task ${ref.id}: onTimeout ${JSON.stringify(onTimeout)} is neither "fail" nor "skip"`, at);
  if (options.exponential === undefined) return { everyMs, factor: 1, maxMs: everyMs, onTimeout };
  return { everyMs, factor, maxMs: Math.max(everyMs, milliseconds(max, `task ${ref.id}: exponential.max`)), onTimeout };
}

function clocksOf({ options, ref }: TaskDeclaration): Pick<TaskSpec, "queueTimeoutMs" | "startTimeoutMs"> {
  const { queueTimeout, startTimeout } = options;
  return {
    ...(queueTimeout && { queueTimeoutMs: milliseconds(queueTimeout, `task ${ref.id}: queueTimeout`) }),
    ...(startTimeout && { startTimeoutMs: milliseconds(startTimeout, `task ${ref.id}: startTimeout`) }),
  };
}

function atLeast(
  least: number,
  options: CommonOptions,
  key: "retries" | "poolSlots" | "priority" | "maxActive",
  task: TaskDeclaration,
): number | null {
  const value = options[key];
  if (value === undefined) return null;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw dagError(`task ${task.ref.id}: ${key} ${value} is not a whole number of at least ${least}`, task.at);
}

function queueOf({ options, ref, at }: TaskDeclaration): Pick<TaskSpec, "queue"> {
  if (options.queue === undefined || options.queue === "default") return {};
  checkId(options.queue, `task ${ref.id}: queue`, at);
  return { queue: options.queue };
}

function ids(datasets: readonly DatasetLike[]): string[] {
  return [...new Set(datasets.map((one) => asDataset(one).id))];
}

function mapRefs(refs: Inputs, what: string, task: TaskDeclaration, owner: object): Record<string, string> {
  const entries = Object.entries(refs).map(([name, ref]) => [name, idOf(ref, `${what}.${name}`, task, owner)]);
  return Object.fromEntries(entries);
}

function outputsRead(task: TaskDeclaration): string[] {
  if (task.operator === null) return [];
  const tokens = tokensIn(task.operator.config as Json).map(({ token }) => token);
  return tokens.flatMap((token) => ("$output" in token ? [token.$output] : []));
}

function idOf(ref: unknown, what: string, task: TaskDeclaration, owner: object): string {
  if (!(ref instanceof DeclaredTask)) throw dagError(`task ${task.ref.id}: ${what} is not a task`, task.at);
  if (ref.owner === owner) return ref.id;
  throw dagError(`task ${task.ref.id}: ${what} is task ${ref.id} of another DAG`, task.at);
}
