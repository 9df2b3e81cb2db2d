/** Datasets as DAG authors name them. */
import { dagError } from "./call-site.ts";
import type { DatasetCondition, DatasetSpec } from "./spec.ts";

/** A dataset: its id is the catalog's name, e.g. `conformed.fact_sales`. */
export interface Dataset extends DatasetSpec {
  readonly kind: "dataset";
}

/** A dataset where nothing but the id matters may be written as the id. */
export type DatasetLike = Dataset | string;

/** Datasets joined by {@link all} or {@link any}. */
export interface DatasetExpression {
  readonly kind: "datasets";
  readonly condition: DatasetCondition;
  readonly datasets: readonly Dataset[];
}

const ID = /^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,249}$/;

/** Names a dataset and says what it is. Throws DAG_INVALID for an id that no catalog could hold. */
export function dataset(id: string, about: { description?: string; owner?: string } = {}): Dataset {
  if (!ID.test(id)) {
    throw dagError(
      `dataset id ${JSON.stringify(id)} is invalid`,
      undefined,
      "Use letters, digits and _ . : / - (250 at most).",
    );
  }
  return { kind: "dataset", id, description: about.description ?? null, owner: about.owner ?? null };
}

/** Holds when every part has a new event. */
export function all(...parts: readonly (DatasetLike | DatasetExpression)[]): DatasetExpression {
  const expressions = expressionsOf(parts, "all");
  return join({ all: expressions.map((part) => part.condition) }, expressions);
}

/** Holds when at least one part has a new event. */
export function any(...parts: readonly (DatasetLike | DatasetExpression)[]): DatasetExpression {
  const expressions = expressionsOf(parts, "any");
  return join({ any: expressions.map((part) => part.condition) }, expressions);
}

/** The expression a dataset, an id or an expression stands for. */
export function expressionOf(part: DatasetLike | DatasetExpression): DatasetExpression {
  if (typeof part !== "string" && part.kind === "datasets") return part;
  const one = asDataset(part);
  return { kind: "datasets", condition: { dataset: one.id }, datasets: [one] };
}

/** Ids of the datasets that a condition names, each once. */
export function datasetsIn(condition: DatasetCondition): string[] {
  if ("dataset" in condition) return [condition.dataset];
  return [...new Set(("all" in condition ? condition.all : condition.any).flatMap(datasetsIn))];
}

/** The dataset an id stands for. */
export function asDataset(part: DatasetLike): Dataset {
  return typeof part === "string" ? dataset(part) : part;
}

function expressionsOf(parts: readonly (DatasetLike | DatasetExpression)[], name: string): DatasetExpression[] {
  if (parts.length === 0) throw dagError(`${name}() needs at least one dataset`);
  return parts.map(expressionOf);
}

function join(condition: DatasetCondition, parts: readonly DatasetExpression[]): DatasetExpression {
  return { kind: "datasets", condition, datasets: parts.flatMap((part) => part.datasets) };
}
