/** What went wrong while a DAG file was evaluated, as people are told. */
import { fileURLToPath } from "node:url";
import { type ErrorCode, messageOf, QflowError } from "../errors.ts";
import type { Dag } from "./dag.ts";
import { INSTALLATION } from "./installation.ts";
import type { ImportError } from "./sandbox-protocol.ts";
import type { Service } from "./service.ts";
import type { ServiceSpec } from "./service-spec.ts";
import type { DagSpec } from "./spec.ts";

/** The import error of anything thrown; `file` is the DAG file, for errors that name no place of their own. */
export function importErrorOf(thrown: unknown, file: string): ImportError {
  const error = thrown instanceof QflowError ? thrown : wrap(thrown);
  const { details } = error;
  const place = typeof details.line === "number" ? details : placeIn(thrown, file);
  return {
    file: typeof place.file === "string" ? place.file : file,
    line: typeof place.line === "number" ? place.line : null,
    column: typeof place.column === "number" ? place.column : null,
    message: typeof details.reason === "string" ? details.reason : error.message,
    code: error.code,
    remedy: error.remedy,
  };
}

/** An error about a whole file, for which no line can be named. */
export function fileError(code: ErrorCode, message: string, file: string): ImportError {
  const { remedy } = new QflowError(code, message);
  return { file, line: null, column: null, message, code, remedy };
}

/** What a file declares. */
export interface Declared {
  readonly dags: DagSpec[];
  readonly services: ServiceSpec[];
}

/** Two evaluations that differ. */
export function notDeterministic(file: string, { dags, services }: Declared, difference: Difference): ImportError {
  const [kind, index, key, taskIndex] = difference.path;
  const spec = kind === "dags" ? dags[Number(index)] : undefined;
  const task = key === "tasks" ? spec?.tasks[Number(taskIndex)] : undefined;
  const place = task === undefined ? difference.path.slice(2) : ["task", task.taskId, ...difference.path.slice(4)];
  const values = `first ${shown(difference.first)}, then ${shown(difference.second)}`;
  const name = kind === "dags" ? `DAG ${spec?.dagId ?? "?"}` : `service ${services[Number(index)]?.serviceId ?? "?"}`;
  const message = `${name} is not the same on every load: ${place.join(".")} is ${values}`;
  return { ...fileError("DAG_NOT_DETERMINISTIC", message, file), line: task?.line ?? null };
}

/** A DAG or service that was declared but cannot be found. */
export function notExported(file: string, declared: Dag | Service): ImportError {
  const { spec } = declared;
  const line = "tasks" in spec ? (spec.tasks[0]?.line ?? null) : null;
  const remedy = "Export it: default, by name, or in an array.";
  return {
    file,
    line,
    column: null,
    message: `${"tasks" in spec ? "DAG" : "service"} ${declared.id} is declared but not exported`,
    code: "DAG_INVALID",
    remedy,
  };
}

/** Where two values differ first. */
export interface Difference {
  readonly path: readonly (string | number)[];
  readonly first: unknown;
  readonly second: unknown;
}

/** The first place at which two JSON values differ, or null. */
export function differenceOf(
  first: unknown,
  second: unknown,
  path: readonly (string | number)[] = [],
): Difference | null {
  if (Object.is(first, second)) return null;
  if (!isObject(first) || !isObject(second) || Array.isArray(first) !== Array.isArray(second))
    return { path, first, second };
  for (const key of new Set([...Object.keys(first), ...Object.keys(second)])) {
    const found = differenceOf(first[key], second[key], [...path, key]);
    if (found !== null) return found;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function wrap(thrown: unknown): QflowError {
  const code = (thrown as { code?: unknown } | null)?.code;
  if (code === "ERR_ACCESS_DENIED") {
    return new QflowError(
      "DAG_LOAD_FAILED",
      `a DAG file may not read or write files or start processes while it is loaded`,
      {
        remedy: 'Import the file instead (import text from "./query.sql"), or move this into a task function.',
      },
    );
  }
  const name = thrown instanceof Error && thrown.name !== "Error" ? `${thrown.name}: ` : "";
  const cause = thrown instanceof Error && thrown.cause !== undefined ? `: ${messageOf(thrown.cause)}` : "";
  return new QflowError("DAG_LOAD_FAILED", `${name}${messageOf(thrown)}${cause}`, {
    remedy: "Correct the DAG file at the place named.",
  });
}

const FRAME = /(?:^|[(\s])((?:file:\/\/)?\/[^():]+?)(?:\?[^():]*)?:(\d+):(\d+)\)?$/;

/** The innermost frame of the stack that is the author's. */
function placeIn(thrown: unknown, file: string): Record<string, unknown> {
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  for (const row of stack.split("\n")) {
    const frame = row.trimStart().startsWith("at ") ? FRAME.exec(row.trim().replace(/^at (async )?/, "")) : null;
    const path = frame?.[1]?.startsWith("file://") ? fileURLToPath(frame[1]) : frame?.[1];
    if (frame == null || path === undefined || isOwn(path)) continue;
    return { file: path, line: Number(frame[2]), column: Number(frame[3]) };
  }
  return { file };
}

function isOwn(path: string): boolean {
  return ["src/", "dist/", "node_modules/"].some((folder) => path.startsWith(`${INSTALLATION}${folder}`));
}
