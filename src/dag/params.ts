/** The params of a run, checked against what its DAG takes. */
import { z } from "zod";
import { QflowError } from "../errors.ts";
import type { DagSpec, Json } from "./spec.ts";

/**
 * The params a run gets: what was given, with the DAG's defaults filled in. A DAG that declares none takes any object.
 * Throws PARAMS_INVALID naming the param.
 */
export function checkParams(dag: Pick<DagSpec, "dagId" | "params">, given: Json): Json {
  const schema = dag.params === null ? z.looseObject({}) : z.fromJSONSchema(dag.params as z.core.JSONSchema.JSONSchema);
  const parsed = schema.safeParse(given ?? {});
  if (parsed.success) return parsed.data as Json;
  const issue = parsed.error.issues[0];
  const place = ["params", ...(issue?.path ?? [])].join(".");
  throw new QflowError("PARAMS_INVALID", `DAG ${dag.dagId}: ${place}: ${issue?.message}`, {
    details: { dagId: dag.dagId, issues: parsed.error.issues },
  });
}
