/**
 * Typed references: stand-ins, while a DAG is declared, for values that exist only when it runs.
 * They become {@link Token}s in the compiled DAG and are resolved right before an operator runs.
 */
import { dagError } from "./call-site.ts";
import type { Token } from "./spec.ts";

declare const valueType: unique symbol;
const TOKEN = Symbol.for("qflow.token");

/** Stands for a value of type `T` that is known when the task runs. It cannot be put inside a string. */
export interface Ref<T> {
  readonly [valueType]: T;
}

/** A reference whose properties and items are references too: `t.params.region`, `ref.output.files[0]`. */
export type RefTree<T> = Ref<T> & RefChildren<NonNullable<T>>;

type RefChildren<T> = T extends string | number | boolean
  ? unknown
  : T extends readonly (infer U)[]
    ? { readonly [index: number]: RefTree<U> }
    : T extends object
      ? { readonly [K in keyof T]-?: RefTree<T[K]> }
      : unknown;

/** What an author may write where a config wants `T`: the value, a reference to one, or a structure that holds references. */
export type Templated<T> = Ref<T> | TemplatedConfig<T>;

/** The same for a whole config, which is never one reference. */
export type TemplatedConfig<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly unknown[]
    ? { readonly [I in keyof T]: Templated<T[I]> }
    : T extends object
      ? { readonly [K in keyof T]: Templated<T[K]> }
      : T;

/** Makes the reference a token stands for. */
export function refTo<T>(token: Token): RefTree<T> {
  return new Proxy({ [TOKEN]: token }, handler) as unknown as RefTree<T>;
}

/** The token behind a reference, or null for any other value. */
export function tokenOf(value: unknown): Token | null {
  if (typeof value !== "object" || value === null) return null;
  return (value as { [TOKEN]?: Token })[TOKEN] ?? null;
}

const TO_TEXT = new Set<string | symbol>([Symbol.toPrimitive, "toString", "valueOf", "toJSON"]);

const handler: ProxyHandler<{ [TOKEN]: Token }> = {
  get(target, key) {
    if (key === TOKEN) return target[TOKEN];
    if (TO_TEXT.has(key)) return () => refuse(target[TOKEN], "cannot be put inside a string");
    if (key === Symbol.iterator) return () => refuse(target[TOKEN], "cannot be iterated");
    // `then` must be absent, or awaiting a reference would call it.
    if (typeof key === "symbol" || key === "then") return undefined;
    return refTo(childOf(target[TOKEN], key));
  },
  ownKeys: (target) => refuse(target[TOKEN], "cannot be spread or listed"),
  set: (target) => refuse(target[TOKEN], "cannot be changed"),
};

function childOf(token: Token, key: string): Token {
  if ("$param" in token) return { $param: [...token.$param, key] };
  if ("$output" in token || "$item" in token)
    return { ...token, path: [...token.path, /^\d+$/.test(key) ? Number(key) : key] };
  return refuse(token, `has no property ${key}`);
}

function refuse(token: Token, what: string): never {
  throw dagError(
    `${nameOf(token)} ${what}: its value is known only when the task runs`,
    undefined,
    "Pass the reference itself as a value, or read the value inside a task function.",
  );
}

/** How a token is called in messages: `params.region`, `output of land.files`, `run.logicalDate`. */
export function nameOf(token: Token): string {
  if ("$param" in token) return ["params", ...token.$param].join(".");
  if ("$output" in token) return [`output of ${token.$output}`, ...token.path].join(".");
  if ("$item" in token) return [`item of ${token.$item}`, ...token.path].join(".");
  return `run.${token.$run}`;
}
