/** Declarations → {@link DagSpec}, with every check that needs no run. */
import { z } from "zod";
import type { DagOptions } from "./authoring.ts";
import { type CallSite, dagError } from "./call-site.ts";
import { branchTargets, checkId, compileTask, upstreamOf } from "./compile-task.ts";
import { checkKeys, dagConcurrency } from "./concurrency.ts";
import { asDataset, type Dataset } from "./datasets.ts";
import { type Declarations, DeclaredTask, type TaskDeclaration } from "./declare.ts";
import { milliseconds } from "./duration.ts";
import { taskGraph } from "./graph.ts";
import { addGroupEdges, DeclaredGroup, type GroupDeclaration, type GroupEdge } from "./group.ts";
import { deadlineOf, notifyOf } from "./notify.ts";
import type { DagSpec, DatasetSpec, Json, ScheduleSpec, TaskSpec } from "./spec.ts";
import { instantOf } from "./zone.ts";

/** What there is to compile. */
export interface DeclaredDag {
  readonly id: string;
  readonly options: DagOptions;
  readonly declarations: Declarations;
  readonly at: CallSite | null;
}

/** Compiles a DAG. Throws DAG_INVALID with the author's file and line. */
export function compile(dag: DeclaredDag): DagSpec {
  const { id, options, at } = dag;
  checkId(id, "DAG", at);
  const schedule = options.schedule ?? null;
  const zone = schedule?.kind === "timetable" && "timezone" in schedule.spec ? schedule.spec.timezone : "UTC";
  const start = instant(options.start, "start", zone, at);
  const end = instant(options.end, "end", zone, at);
  if (start !== null && end !== null && end < start) throw dagError(`DAG ${id}: end is before start`, at);
  return {
    format: 1,
    dagId: id,
    doc: options.doc ?? null,
    owner: options.owner ?? null,
    tags: [...new Set(options.tags ?? [])],
    schedule: anchored(schedule?.spec ?? null, start),
    start,
    end,
    catchup: options.catchup ?? "none",
    maxActiveRuns: positive(activeRuns(dag), "maxActiveRuns", dag),
    maxActiveTasks: positive(options.maxActiveTasks, "maxActiveTasks", dag),
    ...dagConcurrency(dag),
    ...deadlineOf(options.deadline, `DAG ${id}: deadline`, at),
    ...notifyOf(options.notify, `DAG ${id}: notify`, at),
    ...retentionOf(dag),
    ...(options.timeout && { timeoutMs: milliseconds(options.timeout, `DAG ${id}: timeout`) }),
    params: paramsOf(dag),
    datasets: datasetsOf(dag),
    ...groupsOf(dag),
    tasks: compileTasks(dag),
  };
}

/** Shorter, a run could be gone before anybody has seen it. */
const LEAST_RETENTION_MS = 3_600_000;

function retentionOf({ id, options, at }: DeclaredDag): { retentionMs?: number | null } {
  const { retention } = options;
  if (retention === undefined) return {};
  if (retention === false) return { retentionMs: null };
  const retentionMs = milliseconds(retention, `DAG ${id}: retention`);
  if (retentionMs >= LEAST_RETENTION_MS) return { retentionMs };
  throw dagError(`DAG ${id}: retention is shorter than an hour`, at);
}

/** A period that names no anchor is counted from the DAG's start. */
function anchored(schedule: ScheduleSpec | null, start: string | null): ScheduleSpec | null {
  return schedule?.kind === "every" ? { ...schedule, anchor: schedule.anchor ?? start } : schedule;
}

function activeRuns({ id, options, at }: DeclaredDag): number | undefined {
  if (options.schedule?.spec.kind !== "continuous") return options.maxActiveRuns;
  if ((options.maxActiveRuns ?? 1) === 1) return 1;
  throw dagError(
    `DAG ${id}: a continuous schedule has one run at a time`,
    at,
    "Leave maxActiveRuns out, or set it to 1.",
  );
}

function compileTasks(dag: DeclaredDag): TaskSpec[] {
  const { declarations } = dag;
  const byId = new Map<string, TaskDeclaration>();
  const specs = new Map<string, TaskSpec>();
  for (const task of declarations.tasks) {
    const spec = compileTask(task, declarations);
    const first = byId.get(spec.taskId);
    if (first !== undefined) throw dagError(`task id ${spec.taskId} is taken${lineOf(first)}`, task.at);
    byId.set(spec.taskId, task);
    specs.set(spec.taskId, spec);
  }
  checkKeys([...specs.values()], (taskId) => byId.get(taskId)?.at ?? dag.at);
  const upstream = edges(dag, byId);
  const graph = taskGraph(upstream);
  if ("cycle" in graph) {
    const [first = ""] = graph.cycle;
    throw dagError(`tasks form a cycle: ${graph.cycle.join(" → ")}`, byId.get(first)?.at ?? dag.at);
  }
  return graph.order.map((id, index) => ({
    ...(specs.get(id) as TaskSpec),
    index,
    upstream: [...(upstream.get(id) ?? [])],
    downstream: graph.downstreamOf(id),
  }));
}

/** Upstreams by task id: those a task names, the branches that name it, and what comes before and after groups. */
function edges(dag: DeclaredDag, byId: ReadonlyMap<string, TaskDeclaration>): Map<string, Set<string>> {
  const { declarations } = dag;
  const upstream = new Map<string, Set<string>>();
  for (const [id, task] of byId) {
    const ids = upstreamOf(task, declarations);
    for (const other of ids) {
      if (!byId.has(other)) throw dagError(`task ${id}: upstream ${other} is not a task of DAG ${dag.id}`, task.at);
    }
    upstream.set(id, ids);
  }
  for (const [id, task] of byId) {
    for (const target of Object.values(branchTargets(task, declarations))) upstream.get(target)?.add(id);
  }
  addGroupEdges(upstream, declarations.tasks, groupEdges(declarations));
  return upstream;
}

/** What groups come after, and what comes after groups. */
function groupEdges(declarations: Declarations): GroupEdge[] {
  const ofTasks = declarations.tasks.flatMap((to) =>
    (to.options.after ?? []).flatMap((from) => (from instanceof DeclaredGroup ? [{ from, to }] : [])),
  );
  const ofGroups = declarations.groups.flatMap((to) => to.after.map((from) => ({ from: refOf(from, to), to })));
  for (const { from, to } of [...ofTasks, ...ofGroups]) {
    if (from.owner !== declarations) throw dagError(`${to.ref.id}: ${from.id} is of another DAG`, to.at);
  }
  return [...ofTasks, ...ofGroups];
}

function refOf(from: unknown, { ref, at }: GroupDeclaration): DeclaredTask | DeclaredGroup {
  if (from instanceof DeclaredTask || from instanceof DeclaredGroup) return from;
  throw dagError(`group ${ref.id}: what it comes after is neither a task nor a group`, at);
}

/** The groups, and a check of their ids. */
function groupsOf({ declarations }: DeclaredDag): Pick<DagSpec, "groups"> {
  const taken = new Set(declarations.tasks.map(({ ref }) => ref.id));
  for (const { ref, at } of declarations.groups) {
    checkId(ref.id, "group", at);
    if (taken.has(ref.id)) throw dagError(`group id ${ref.id} is taken`, at);
    taken.add(ref.id);
  }
  if (declarations.groups.length === 0) return {};
  return {
    groups: declarations.groups.map(({ ref, doc }) => ({ groupId: ref.id, parent: ref.parent?.id ?? null, doc })),
  };
}

/** Every dataset named anywhere, each once, with what is said about it wherever it is said. */
function datasetsOf({ options, declarations }: DeclaredDag): DatasetSpec[] {
  const schedule = options.schedule?.kind === "datasetSchedule" ? options.schedule.expression.datasets : [];
  const ofTasks = declarations.tasks.flatMap(({ options: task, operator }) => [
    ...(operator?.reads ?? []),
    ...(operator?.emits ?? []),
    ...(task.reads ?? []),
    ...(task.emits ?? []),
  ]);
  const merged = new Map<string, DatasetSpec>();
  for (const one of [...schedule, ...ofTasks, ...(options.datasets ?? [])]) {
    const { id, description, owner }: Dataset = asDataset(one);
    const known = merged.get(id);
    merged.set(id, {
      id,
      description: description ?? known?.description ?? null,
      owner: owner ?? known?.owner ?? null,
    });
  }
  return [...merged.values()];
}

function paramsOf({ id, options, at }: DeclaredDag): Json {
  if (options.params === undefined) return null;
  try {
    const { $schema, ...schema } = z.toJSONSchema(options.params, { io: "input" });
    return JSON.parse(JSON.stringify(schema)) as Json;
  } catch (error) {
    throw dagError(`DAG ${id}: params cannot be written as JSON Schema: ${(error as Error).message}`, at);
  }
}

const LOCAL = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$/;
const WITH_OFFSET = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

function instant(text: string | undefined, what: string, zone: string, at: CallSite | null): string | null {
  if (text === undefined) return null;
  const wall = LOCAL.test(text) ? Date.parse(text.includes("T") ? `${text}Z` : text) : Number.NaN;
  const time = WITH_OFFSET.test(text) ? Date.parse(text) : Number.isNaN(wall) ? wall : instantOf(zone, wall);
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw dagError(`${what} ${JSON.stringify(text)} is no date`, at, 'Write "2026-01-31" or "2026-01-31T02:30:00Z".');
}

function positive(value: number | undefined, key: string, dag: DeclaredDag): number {
  if (value === undefined) return 16;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw dagError(`DAG ${dag.id}: ${key} ${value} is not a whole number above 0`, dag.at);
}

function lineOf(task: TaskDeclaration): string {
  return task.at === null ? "" : ` by the task of line ${task.at.line}`;
}
