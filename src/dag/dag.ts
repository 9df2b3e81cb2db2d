/** `dag()`: what a DAG file exports, and how the exports of a file are read. */
import { channel } from "node:diagnostics_channel";
import type { z } from "zod";
import type { DagBuilder, DagOptions } from "./authoring.ts";
import { callSite } from "./call-site.ts";
import { compile } from "./compile.ts";
import { asBuilder, Declarations, type TaskFunction } from "./declare.ts";
import type { DagSpec } from "./spec.ts";

export type { TaskFunction } from "./declare.ts";

/** Diagnostics channel on which every declared DAG is told, so that one nobody exports is noticed. */
export const DAG_DECLARED = "qflow.dag.declared";

/** A declared, compiled and checked DAG. */
export class Dag {
  readonly id: string;
  readonly spec: DagSpec;
  /** Task functions by task id. */
  readonly functions: ReadonlyMap<string, TaskFunction>;

  constructor(spec: DagSpec, functions: ReadonlyMap<string, TaskFunction>) {
    this.id = spec.dagId;
    this.spec = spec;
    this.functions = functions;
  }
}

/**
 * Declares a DAG. `build` declares its tasks and is called once, at once. Throws DAG_INVALID, with file and line, for
 * everything that can be known to be wrong before a run.
 */
export function dag<S extends z.ZodObject = z.ZodObject<Record<never, never>>>(
  id: string,
  options: DagOptions<S>,
  build: (t: DagBuilder<z.output<S>>) => void,
): Dag {
  const at = callSite();
  const declarations = new Declarations();
  build(asBuilder(declarations));
  const spec = compile({ id, options, declarations, at });
  const functions = new Map<string, TaskFunction>();
  for (const { ref, fn } of declarations.tasks) if (fn !== null) functions.set(ref.id, fn);
  const declared = new Dag(spec, functions);
  channel(DAG_DECLARED).publish(declared);
  return declared;
}

/** Every DAG a module exports: default, named, or in an array; each once, in the order of the exports' names. */
export function dagsIn(exports: Readonly<Record<string, unknown>>): Dag[] {
  const found = Object.values(exports).flatMap((value) => (Array.isArray(value) ? value : [value]));
  return [...new Set(found.filter((value) => value instanceof Dag))];
}
