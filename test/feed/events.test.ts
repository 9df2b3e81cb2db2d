import test from "ava";
import fc from "fast-check";
import { EVENT_KINDS, eventMessage, sendEvents } from "../../src/feed/index.ts";
import { fakeKafka } from "../support/fake-kafka.ts";

const FEED = { seed: 7, start: new Date("2026-01-01T00:00:00Z"), spacingMs: 20 };
const COUNT = 30_000;

test("the same seed makes the same messages, another seed others", (t) => {
  const of = (seed: number) => Array.from({ length: 200 }, (_, index) => eventMessage({ ...FEED, seed }, index));
  t.deepEqual(of(7), of(7));
  t.notDeepEqual(of(7), of(8));
});

test("every kind of message turns up, and each is what its kind says", (t) => {
  const seen = new Set<string>();
  const events = new Map<string, string>();
  for (let index = 0; index < COUNT; index++) {
    const { kind, value, eventType } = eventMessage(FEED, index);
    seen.add(kind);
    const parsed = parse(value?.toString("utf8") ?? "");
    if (kind === "nullValue") t.is(value, null);
    else if (kind === "notJson") t.is(parsed, undefined);
    else if (kind === "notObject") t.false(typeof parsed === "object" && parsed !== null && !Array.isArray(parsed));
    else t.is((parsed as { eventType: string }).eventType, eventType as string);
    if (kind === "huge") t.is(value?.length, 1_000_000);
    const id = (parsed as { eventId?: string } | null | undefined)?.eventId;
    if (eventType === null || id === undefined) continue;
    if (kind === "duplicate") t.is(value?.toString("utf8"), events.get(id));
    else {
      t.false(events.has(id), "an event that is no duplicate has an id of its own");
      events.set(id, value?.toString("utf8") ?? "");
    }
  }
  t.deepEqual([...seen].toSorted(), [...EVENT_KINDS].toSorted());
});

test("said again, it sends what is missing and counts what is there", async (t) => {
  const kafka = fakeKafka();
  const first = await send(kafka, 3_000);
  const again = await send(kafka, 5_000);
  t.deepEqual([first.sent, again.sent], [3_000, 2_000]);
  t.is(again.counts.messages, 5_000);
  t.deepEqual(numbersIn(kafka), upTo(5_000));
});

test("a feed finds its own messages among those of others", async (t) => {
  const kafka = fakeKafka();
  await send(kafka, 2_000);
  for (let partition = 0; partition < 3; partition++) {
    kafka.put(
      "events",
      partition,
      Array.from({ length: 5_000 }, () => "{}"),
    );
  }
  t.is((await send(kafka, 2_000)).sent, 0);
});

test("whatever becomes of requests, each message is in the topic once, in order", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("fine", "lost", "unsaid"), { maxLength: 6 }), async (fates) => {
      const kafka = fakeKafka();
      const left = [...fates] as ReturnType<typeof kafka.fate>[];
      kafka.fate = () => left.shift() ?? "fine";
      // Each call gives up at once, as a process that was killed does.
      for (let tries = 0; tries <= fates.length; tries++) await send(kafka, 9_000).catch(() => {});
      t.deepEqual(numbersIn(kafka), upTo(9_000));
    }),
    { numRuns: 8 },
  );
});

function send(kafka: ReturnType<typeof fakeKafka>, count: number) {
  const signal = new AbortController().signal;
  return sendEvents({
    kafka,
    topic: "events",
    partitions: 3,
    feed: FEED,
    count,
    perSecond: null,
    patienceMs: -1,
    signal,
  });
}

/** Numbers of the messages in a topic; fails where those of a partition are out of order. */
function numbersIn(kafka: ReturnType<typeof fakeKafka>): number[] {
  const numbers = kafka.messages("events").flatMap(({ headers }) => (headers.n === undefined ? [] : Number(headers.n)));
  return numbers.toSorted((a, b) => a - b);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
