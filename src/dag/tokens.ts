/** Operator configs as JSON: references become tokens when a DAG is declared, tokens become values when it runs. */
import { QflowError } from "../errors.ts";
import { dagError } from "./call-site.ts";
import { nameOf, tokenOf } from "./refs.ts";
import type { Json, RunFact, Token } from "./spec.ts";

/** A path inside a config: object keys and array positions. */
export type ConfigPath = readonly (string | number)[];

/** What tokens are resolved from. `outputs` holds the XCom of every upstream task by task id. */
export interface TokenValues {
  readonly params: Json;
  readonly outputs: Readonly<Record<string, Json>>;
  /** The item of a mapped instance; absent where the task is not mapped. */
  readonly item?: Json;
  readonly run: Readonly<Record<RunFact, string | null>>;
}

/** The same config with every reference replaced by its token. Throws DAG_INVALID where something is not JSON. */
export function encodeConfig(value: unknown, path: ConfigPath = []): Json {
  const token = tokenOf(value);
  if (token !== null) return token as unknown as Json;
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((item, i) => encodeConfig(item, [...path, i]));
  if (typeof value === "object" && isPlain(value)) return encodeObject(value as Record<string, unknown>, path);
  throw dagError(`config ${path.join(".") || "value"} is not JSON: ${describe(value)}`);
}

function encodeObject(value: Record<string, unknown>, path: ConfigPath): Json {
  if (isToken(value)) throw dagError(`config ${path.join(".")}: keys that start with $ are reserved for references`);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, encodeConfig(item, [...path, key])]));
}

/** Every token of an encoded config with the path it is at. */
export function tokensIn(config: Json, path: ConfigPath = []): { token: Token; path: ConfigPath }[] {
  if (typeof config !== "object" || config === null) return [];
  if (isToken(config)) return [{ token: config, path }];
  const entries: [string | number, Json][] = Array.isArray(config) ? [...config.entries()] : Object.entries(config);
  return entries.flatMap(([key, item]) => tokensIn(item, [...path, key]));
}

/** The config with every token replaced by its value. Throws REFERENCE_UNRESOLVED naming a reference that has none. */
export function resolveTokens(config: Json, values: TokenValues): Json {
  if (typeof config !== "object" || config === null) return config;
  if (Array.isArray(config)) return config.map((item) => resolveTokens(item, values));
  if (isToken(config)) return resolve(config, values);
  return Object.fromEntries(Object.entries(config).map(([key, item]) => [key, resolveTokens(item, values)]));
}

function resolve(token: Token, values: TokenValues): Json {
  const found = lookUp(token, values);
  if (found !== undefined) return found;
  throw new QflowError("REFERENCE_UNRESOLVED", `${nameOf(token)} has no value in this run`);
}

function lookUp(token: Token, values: TokenValues): Json | undefined {
  if ("$param" in token) return at(values.params, token.$param);
  if ("$run" in token) return values.run[token.$run];
  if ("$item" in token) return at(values.item, token.path);
  return at(Object.hasOwn(values.outputs, token.$output) ? values.outputs[token.$output] : undefined, token.path);
}

function at(value: Json | undefined, path: ConfigPath): Json | undefined {
  let here: unknown = value;
  for (const key of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string | number, unknown>)[key];
  }
  return here as Json | undefined;
}

function isToken(value: object): value is Token {
  return (
    Object.hasOwn(value, "$param") ||
    Object.hasOwn(value, "$output") ||
    Object.hasOwn(value, "$item") ||
    Object.hasOwn(value, "$run")
  );
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype.constructor?.name === "Object";
}

function describe(value: unknown): string {
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "object";
  return typeof value === "number" ? String(value) : typeof value;
}
