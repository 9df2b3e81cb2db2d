/** How two compiled versions of a DAG differ. Pure. */
import { canonicalJson } from "./canonical-json.ts";
import { datasetsIn } from "./datasets.ts";
import type { DagSpec, Json, TaskSpec } from "./spec.ts";

/** A task that is declared in another way, and in what. */
export interface TaskChange {
  readonly taskId: string;
  /** Names as in {@link TaskSpec}. */
  readonly fields: readonly string[];
}

/** Tasks of two versions. The code of functions is not compared. */
export interface TaskDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly TaskChange[];
}

/** Params of two versions, by name. */
export interface ParamDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Must be given now, and needed not be before. */
  readonly required: readonly string[];
  readonly changed: readonly string[];
  /** Those of the changed whose type is another, or which take fewer values of an enum. */
  readonly narrowed: readonly string[];
}

/** What came and what went. */
export interface SetDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** How two versions of a DAG differ. */
export interface DagDiff {
  readonly tasks: TaskDiff;
  readonly params: ParamDiff;
  readonly reads: SetDiff;
  readonly emits: SetDiff;
  /** `kind` = of another kind, or none before or after. */
  readonly schedule: "same" | "changed" | "kind";
  /** Other settings that differ, named as in {@link DagSpec}. */
  readonly settings: readonly string[];
}

/** Compares two versions. */
export function diffSpecs(before: DagSpec, after: DagSpec): DagDiff {
  return {
    tasks: diffTasks(before, after),
    params: diffParams(before.params, after.params),
    reads: diffSets(readsOf(before), readsOf(after)),
    emits: diffSets(emitsOf(before), emitsOf(after)),
    schedule: diffSchedules(before, after),
    settings: diffFields(before, after, ["format", "dagId", "tasks", "params", "schedule", "datasets", "groups"]),
  };
}

/** Whether nothing differs. */
export function isSame({ tasks, params, reads, emits, schedule, settings }: DagDiff): boolean {
  const lists = [tasks, params, reads, emits].flatMap((part) => Object.values(part) as (readonly unknown[])[]);
  return schedule === "same" && [...lists, settings].every((list) => list.length === 0);
}

/** The tasks that differ. */
export function diffTasks(from: DagSpec, to: DagSpec): TaskDiff {
  const before = new Map(from.tasks.map((task) => [task.taskId, task]));
  const after = new Map(to.tasks.map((task) => [task.taskId, task]));
  const changed = [...after].flatMap(([taskId, task]) => {
    const old = before.get(taskId);
    const fields = old === undefined ? [] : diffFields(old, task, WHERE_IT_STANDS);
    return fields.length === 0 ? [] : [{ taskId, fields }];
  });
  return { ...diffSets(new Set(before.keys()), new Set(after.keys())), changed };
}

/** Follow from other tasks, or from the layout of the file. */
const WHERE_IT_STANDS: readonly (keyof TaskSpec)[] = ["index", "line", "downstream"];

function diffFields<T extends object>(before: T, after: T, except: readonly (keyof T)[]): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<string & keyof T>;
  const text = (value: unknown): string => canonicalJson((value ?? null) as Json);
  return [...names].filter((name) => !except.includes(name) && text(before[name]) !== text(after[name])).sort();
}

function diffSets(before: ReadonlySet<string>, after: ReadonlySet<string>): SetDiff {
  return { added: without(after, before), removed: without(before, after) };
}

/** What of a set is in no other. */
export function without(all: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  return [...all].filter((one) => !others.has(one));
}

/** Datasets a DAG's tasks read or its schedule waits for. */
export function readsOf({ tasks, schedule }: DagSpec): Set<string> {
  const waited = schedule?.kind === "datasets" ? datasetsIn(schedule.condition) : [];
  return new Set([...tasks.flatMap((task) => task.reads), ...waited]);
}

/** Datasets a DAG's tasks declare to emit. */
export function emitsOf({ tasks }: DagSpec): Set<string> {
  return new Set(tasks.flatMap((task) => task.emits));
}

function diffSchedules({ schedule: before }: DagSpec, { schedule: after }: DagSpec): DagDiff["schedule"] {
  if (before?.kind !== after?.kind) return "kind";
  return canonicalJson(before as Json) === canonicalJson(after as Json) ? "same" : "changed";
}

type Schema = { readonly [key: string]: Json };

function diffParams(before: Json, after: Json): ParamDiff {
  const [old, now] = [propertiesOf(before), propertiesOf(after)];
  const [oldRequired, nowRequired] = [requiredOf(before), requiredOf(after)];
  const both = [...now.keys()].filter((name) => old.has(name));
  const changed = both.filter((name) => canonicalJson(old.get(name) ?? null) !== canonicalJson(now.get(name) ?? null));
  return {
    ...diffSets(new Set(old.keys()), new Set(now.keys())),
    required: without(nowRequired, oldRequired),
    changed,
    narrowed: changed.filter((name) => isNarrower(old.get(name) as Schema, now.get(name) as Schema)),
  };
}

function propertiesOf(params: Json): Map<string, Schema> {
  const properties = (params as Schema | null)?.properties ?? {};
  return new Map(Object.entries(properties as Record<string, Schema>));
}

function requiredOf(params: Json): Set<string> {
  return new Set(((params as Schema | null)?.required ?? []) as string[]);
}

function isNarrower(before: Schema, after: Schema): boolean {
  if (canonicalJson(before.type ?? null) !== canonicalJson(after.type ?? null)) return true;
  if (!Array.isArray(after.enum)) return false;
  const left = new Set(after.enum.map(canonicalJson));
  return !Array.isArray(before.enum) || before.enum.some((value) => !left.has(canonicalJson(value)));
}
