/** What the program of a service says: lines with a prefix on its standard output. Described in docs/services.md. */
import { z } from "zod";
import type { BatchProgress, ServiceEventNote } from "../../metadata/services/types.ts";

/** Starts a line that is a message. */
export const MESSAGE_PREFIX = "::qflow:: ";

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const rate = z.number().min(0);

const schema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("heartbeat") }),
  z.object({
    type: z.literal("progress"),
    batch: count,
    rows: count,
    batchMs: rate.optional(),
    inputRowsPerSecond: rate.optional(),
    processedRowsPerSecond: rate.optional(),
    lag: count.optional(),
    eventTime: z.iso.datetime({ offset: true }).optional(),
    offsets: z.json().optional(),
  }),
  z.object({
    type: z.literal("event"),
    dataset: z.string().min(1).max(250),
    partition: z.string().min(1).max(250).optional(),
    rows: count.optional(),
  }),
]);

/** A message, or why a line that claims to be one is none. */
export type Heard =
  | { readonly sign: true }
  | { readonly batch: BatchProgress }
  | { readonly event: ServiceEventNote }
  | { readonly wrong: string };

/** Reads a line; null = it is no message but a line of the log. */
export function hear(line: string, emits: readonly string[]): Heard | null {
  if (!line.startsWith(MESSAGE_PREFIX)) return null;
  const parsed = schema.safeParse(fromJson(line.slice(MESSAGE_PREFIX.length)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return {
      wrong: `a message that cannot be read (${[issue?.path.join("."), issue?.message].filter(Boolean).join(": ")})`,
    };
  }
  const message = parsed.data;
  if (message.type === "progress") {
    const { type: _, ...batch } = message;
    return { batch };
  }
  if (message.type !== "event") return { sign: true };
  const { type: _, ...event } = message;
  return emits.includes(event.dataset)
    ? { event }
    : { wrong: `an event of dataset ${event.dataset}, which is not among its emits` };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
