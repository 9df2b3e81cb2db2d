/** Is a value what JSON can carry unchanged? Task results are checked here before they become XComs. */
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";

/** Longest JSON text of one task result, in characters. */
export const MAX_RESULT_LENGTH = 16 * 1024 * 1024;

const DEEPEST = 1000;

/** What is wrong with a value, and where. */
interface Fault {
  path: string;
  what: string;
}

/**
 * Returns the value as JSON; `undefined` at the top is null, an undefined property is left out.
 * Throws RESULT_NOT_JSON naming the path of the first value that JSON would change or lose, and RESULT_TOO_LARGE.
 */
export function checkJson(value: unknown): Json {
  if (value === undefined) return null;
  const fault = findFault(value, "value", 0, new Set());
  if (fault) {
    throw new QflowError(
      "RESULT_NOT_JSON",
      `the task returned a value that is not JSON: ${fault.path} is ${fault.what}`,
      {
        details: { path: fault.path },
      },
    );
  }
  const text = JSON.stringify(value);
  if (text.length > MAX_RESULT_LENGTH) {
    const [mb, most] = [text.length, MAX_RESULT_LENGTH].map((length) => Math.ceil(length / 1024 / 1024));
    throw new QflowError("RESULT_TOO_LARGE", `the task returned ${mb} MB of JSON; the most is ${most} MB`);
  }
  return JSON.parse(text) as Json;
}

function findFault(value: unknown, path: string, depth: number, parents: Set<object>): Fault | null {
  if (value === null || typeof value === "boolean") return null;
  if (typeof value === "string") return value.includes("\0") ? { path, what: "a string with a NUL character" } : null;
  if (typeof value === "number") return Number.isFinite(value) ? null : { path, what: String(value) };
  if (typeof value !== "object") return { path, what: `a ${typeof value}` };
  if (parents.has(value)) return { path, what: "a reference to one of its own parents" };
  if (depth > DEEPEST) return { path: shorten(path), what: `nested deeper than ${DEEPEST} levels` };
  parents.add(value);
  const fault = Array.isArray(value)
    ? faultOfArray(value, path, depth, parents)
    : faultOfObject(value, path, depth, parents);
  parents.delete(value);
  return fault;
}

function faultOfArray(items: unknown[], path: string, depth: number, parents: Set<object>): Fault | null {
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined) return { path: `${path}[${index}]`, what: "undefined" };
    const fault = findFault(item, `${path}[${index}]`, depth + 1, parents);
    if (fault) return fault;
  }
  return null;
}

function faultOfObject(value: object, path: string, depth: number, parents: Set<object>): Fault | null {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return { path, what: classOf(value) };
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    if (key.includes("\0")) return { path, what: "an object with a NUL character in a key" };
    const fault = findFault(
      item,
      /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`,
      depth + 1,
      parents,
    );
    if (fault) return fault;
  }
  return null;
}

function classOf(value: object): string {
  const name = value.constructor?.name ?? "unknown class";
  const hint = value instanceof Date ? "; return date.toISOString()" : "";
  return `an instance of ${name}${hint}`;
}

function shorten(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
