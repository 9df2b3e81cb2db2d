/** What makes two messages the same. */
import { createHash } from "node:crypto";
import type { MessageSchedule } from "../dag/spec.ts";
import type { KafkaMessage } from "../kafka/index.ts";
import { jsonOf, valueAt } from "../operators/clients/json-text.ts";

/** A dedupe of what a message holds, not of where it lies. */
export type ContentDedupe = Exclude<MessageSchedule["dedupe"], "offset">;

/** The key of what a message holds; null where it lacks what is asked for. Pure. */
export function keyOf({ key, value }: Pick<KafkaMessage, "key" | "value">, dedupe: ContentDedupe): string | null {
  if (dedupe === "key") return key === null ? null : hashOf(key);
  const found = valueAt(jsonOf(value), dedupe.pointer);
  return found === undefined || found === null ? null : hashOf(JSON.stringify(found));
}

/** What a message without a key lacks. Pure. */
export function whatLacks(dedupe: ContentDedupe): string {
  const what = dedupe === "key" ? "it has no key" : `it has no value at ${dedupe.pointer}`;
  return `${what}, by which it is told from others`;
}

function hashOf(data: Buffer | string): string {
  return createHash("sha256").update(data).digest("base64url");
}
