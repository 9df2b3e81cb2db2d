/** Counts what a feed of events holds, so that what arrives can be compared with it. */
import { EVENT_KINDS, type EventKind, type FeedMessage } from "./events.ts";

/** What messages are, in numbers. */
export interface EventCounts {
  messages: number;
  /** Bytes of the values. */
  bytes: number;
  kinds: Record<EventKind, number>;
  /** Messages of each event type, of those whose type can be read; duplicates count. */
  eventTypes: Record<string, number>;
  /** Different events: messages whose type can be read, without duplicates. */
  events: number;
}

/** Nothing yet. */
export function noCounts(): EventCounts {
  const kinds = Object.fromEntries(EVENT_KINDS.map((kind) => [kind, 0])) as Record<EventKind, number>;
  return { messages: 0, bytes: 0, kinds, eventTypes: {}, events: 0 };
}

/** Counts one message more. */
export function countMessage(counts: EventCounts, { kind, eventType, value }: FeedMessage): void {
  counts.messages++;
  counts.bytes += value?.length ?? 0;
  counts.kinds[kind]++;
  if (eventType === null) return;
  counts.eventTypes[eventType] = (counts.eventTypes[eventType] ?? 0) + 1;
  if (kind !== "duplicate") counts.events++;
}
