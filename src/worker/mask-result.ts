/** Results without secrets: failures have them hidden, values that hold one are refused. */
import { MASK, type Masker } from "../metadata/secrets/mask.ts";
import type { TaskResult } from "./protocol.ts";
import { report } from "./task-result.ts";

/**
 * The result as it may be stored. A value cannot have a part of it hidden without becoming another one, so a task that returns
 * or emits a secret fails with RESULT_SECRET.
 */
export function safeResult(result: TaskResult, masker: Masker): TaskResult {
  if (result.state === "success") {
    if (!masker.betrays(JSON.stringify([result.value, result.events ?? []]))) return result;
    const message = "the value that the task returned or emitted holds a secret, and values are stored as they are";
    return { state: "failed", retry: "fatal", error: report("RESULT_SECRET", message) };
  }
  if (result.state === "skipped") return { ...result, reason: hidden(result.reason, masker) };
  if (result.state !== "failed") return result;
  const details = result.error.details && JSON.parse(masker.mask(JSON.stringify(result.error.details)));
  const error = {
    ...result.error,
    message: hidden(result.error.message, masker),
    remedy: hidden(result.error.remedy, masker),
  };
  return { ...result, error: details ? { ...error, details } : error };
}

/** Also where the text was cut in the middle of a secret. */
function hidden(text: string, masker: Masker): string {
  const masked = masker.mask(text);
  if (!masked.endsWith("…")) return masked;
  const open = masker.split.opened(masked.slice(0, -1));
  return open === 0 ? masked : `${masked.slice(0, -1 - open)}${MASK}…`;
}
