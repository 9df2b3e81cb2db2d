/** Limits by key, as declared and compiled. */
import type { DagOptions } from "./authoring.ts";
import { type CallSite, dagError } from "./call-site.ts";
import type { TaskDeclaration } from "./declare.ts";
import { nameOf, tokenOf } from "./refs.ts";
import type { ConcurrencySpec, DagSpec, TaskSpec } from "./spec.ts";

/** The limit of a task. Throws DAG_INVALID for a key that is not known when a run is made. */
export function taskConcurrency({ options, ref, at }: TaskDeclaration): Pick<TaskSpec, "concurrency"> {
  if (options.concurrency === undefined) return {};
  const { key, limit } = options.concurrency;
  const what = `task ${ref.id}: concurrency`;
  return { concurrency: { key: keyOf(key, what, at), limit: limitOf(limit, what, at) } };
}

/** The limit of a DAG's runs. Throws DAG_INVALID where its key is none of the params. */
export function dagConcurrency(dag: {
  readonly id: string;
  readonly options: DagOptions;
  readonly at: CallSite | null;
}): Pick<DagSpec, "concurrency"> {
  const { concurrency, params } = dag.options;
  if (concurrency === undefined) return {};
  const what = `DAG ${dag.id}: concurrency`;
  if (!Object.hasOwn(params?.shape ?? {}, concurrency.key))
    throw dagError(`${what}.key ${JSON.stringify(concurrency.key)} is none of its params`, dag.at);
  return { concurrency: { key: { $param: [concurrency.key] }, limit: limitOf(concurrency.limit, what, dag.at) } };
}

/** Tasks with one key share its limit: throws DAG_INVALID where they name several. `siteOf` tells where a task is declared. */
export function checkKeys(tasks: readonly TaskSpec[], siteOf: (taskId: string) => CallSite | null): void {
  const firsts = new Map<string, TaskSpec>();
  for (const task of tasks) {
    if (task.concurrency === undefined) continue;
    const key = JSON.stringify(task.concurrency.key);
    const first = firsts.get(key) ?? task;
    firsts.set(key, first);
    if (first.concurrency?.limit === task.concurrency.limit) continue;
    const message = `tasks ${first.taskId} and ${task.taskId} have one concurrency.key and different limits`;
    throw dagError(message, siteOf(task.taskId));
  }
}

function keyOf(key: unknown, what: string, at: CallSite | null): ConcurrencySpec["key"] {
  const token = typeof key === "string" ? key : tokenOf(key);
  if (token === null || token === "") throw dagError(`${what}.key is neither text nor a reference`, at);
  if (typeof token === "string" || "$param" in token || "$run" in token) return token;
  const remedy = "Name a param or a fact of the run: the key must be known when the run is made.";
  throw dagError(`${what}.key is the ${nameOf(token)}`, at, remedy);
}

function limitOf(limit: unknown, what: string, at: CallSite | null): number {
  if (Number.isSafeInteger(limit) && (limit as number) > 0) return limit as number;
  throw dagError(`${what}.limit ${String(limit)} is not a whole number above 0`, at);
}
