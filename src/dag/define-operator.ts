/** How an operator is offered to DAG authors: a function that takes a checked config. */
import type { z } from "zod";
import { dagError } from "./call-site.ts";
import type { Operator, Program, Sensor } from "./operator.ts";
import type { TemplatedConfig } from "./refs.ts";
import type { Json } from "./spec.ts";
import { type ConfigPath, encodeConfig, tokensIn } from "./tokens.ts";

/** What a config tells about datasets. Nested lists are flattened; anything but strings (references, undefined) is left out. */
export interface OperatorDatasets<C> {
  readonly reads?: (config: TemplatedConfig<C>) => readonly unknown[];
  readonly emits?: (config: TemplatedConfig<C>) => readonly unknown[];
}

/**
 * Defines the operator `name` with config schema `schema` and result type `R`:
 * `export const ftpIngest = defineOperator<FtpResult, typeof schema>("ftp_ingest", schema)`.
 * The function it returns is what authors call; it throws DAG_INVALID with the author's file and line when the config
 * does not fit. References are let through there; the worker checks again when they have values.
 */
export function defineOperator<R, S extends z.ZodType>(
  name: string,
  schema: S,
  datasets: OperatorDatasets<z.input<S>> = {},
): (config: TemplatedConfig<z.input<S>>) => Operator<R> {
  return (config) => ({ kind: "operator", ...declared(name, schema, { config, datasets }) });
}

/** Defines the sensor `name` in the same way; what authors make with it is given to `t.sensor`. */
export function defineSensor<R, S extends z.ZodType>(
  name: string,
  schema: S,
  datasets: OperatorDatasets<z.input<S>> = {},
): (config: TemplatedConfig<z.input<S>>) => Sensor<R> {
  return (config) => ({ kind: "sensor", ...declared(name, schema, { config, datasets }) });
}

/** Defines the program `name` in the same way, without references; what authors make with it is given to `service()`. */
export function defineProgram<S extends z.ZodType>(name: string, schema: S): (config: z.input<S>) => Program {
  return (config) => {
    const encoded = encodeConfig(config);
    checkConfig(name, schema, encoded);
    return { kind: "program", name, config: encoded };
  };
}

function declared<S extends z.ZodType>(
  name: string,
  schema: S,
  { config, datasets }: { config: TemplatedConfig<z.input<S>>; datasets: OperatorDatasets<z.input<S>> },
) {
  const encoded = encodeConfig(config);
  checkConfig(name, schema, encoded);
  return { name, config: encoded, reads: idsOf(datasets.reads?.(config)), emits: idsOf(datasets.emits?.(config)) };
}

function idsOf(values: readonly unknown[] | undefined): string[] {
  const flat = (values ?? []).flat(3).filter((value) => typeof value === "string");
  return [...new Set(flat)];
}

function checkConfig(name: string, schema: z.ZodType, config: Json): void {
  const parsed = schema.safeParse(config);
  if (parsed.success) return;
  const holes = tokensIn(config).map(({ path }) => path);
  const issue = parsed.error.issues.find((candidate) => !isAboutReference(candidate, holes));
  if (issue === undefined) return;
  const place = issue.path.length > 0 ? `config ${issue.path.join(".")}` : "config";
  throw dagError(`operator ${name}: ${place}: ${issue.message}`);
}

/** A complaint at or under a reference, or of a union or refinement around one, says nothing yet. */
function isAboutReference(issue: z.core.$ZodIssue, holes: readonly ConfigPath[]): boolean {
  const path = issue.path as ConfigPath;
  const around = issue.code === "invalid_union" || issue.code === "custom";
  return holes.some((hole) => startsWith(path, hole) || (around && startsWith(hole, path)));
}

function startsWith(path: ConfigPath, start: ConfigPath): boolean {
  return start.every((key, i) => path[i] === key);
}
