/** What the program of a service says: lines with a prefix on its standard output. Described in docs/services.md. */
import { z } from "zod";
import type { BatchProgress, FieldNote, ServiceEventNote } from "../../metadata/services/types.ts";

/** Starts a line that is a message. */
export const MESSAGE_PREFIX = "::qflow:: ";

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const rate = z.number().min(0);
/** Fields are named by whoever sends documents: what the database or a terminal cannot take is replaced. */
const fieldText = z
  .string()
  .max(250)
  .transform((text) => text.toWellFormed().replace(/\p{Cc}/gu, "\ufffd") || '""');
/** Fields of one message. */
const MOST_FIELDS = 1_000;

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
  z.object({
    type: z.literal("fields"),
    dataset: z.string().min(1).max(250),
    fields: z.array(z.object({ name: fieldText, type: fieldText })).max(MOST_FIELDS),
  }),
]);

/** A message, or why a line that claims to be one is none. */
export type Heard =
  | { readonly sign: true }
  | { readonly batch: BatchProgress }
  | { readonly event: ServiceEventNote }
  | { readonly fields: readonly FieldNote[] }
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
  if (message.type !== "event" && message.type !== "fields") return { sign: true };
  const { dataset } = message;
  if (!emits.includes(dataset)) {
    const what = message.type === "event" ? "an event" : "fields";
    return { wrong: `${what} of dataset ${dataset}, which is not among its emits` };
  }
  if (message.type === "fields") return { fields: message.fields.map((field) => ({ dataset, ...field })) };
  const { type: _, ...event } = message;
  return { event };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
