/**
 * Q Company's app events at any number: the same for the same seed, each a function of its number alone. Most are as agreed; some
 * have fields or types that nobody announced, come late, come twice, or are broken.
 */
import { type Random, randomFor } from "./random.ts";
import { FIRST_NAMES, ONLINE_PAYMENTS, PRODUCTS } from "./retailer.ts";

/** What a message is, besides an event like any other (`plain`). Every message is of exactly one kind. */
export const EVENT_KINDS = [
  "plain",
  /** A field that was not there before. */
  "newField",
  /** An event type that was not there before. */
  "newType",
  /** Its time is hours before that of its neighbours. */
  "late",
  /** Its time is in another zone, with the offset. */
  "zoned",
  /** Its time is in another century. */
  "century",
  /** An earlier message once more, byte for byte: its producer tried again. */
  "duplicate",
  "notJson",
  "notObject",
  /** A field with a value of another type. */
  "wrongType",
  /** Its time is none. */
  "badTime",
  /** No value at all. */
  "nullValue",
  /** JSON, but about 1 MB of it. */
  "huge",
] as const;
/** One of {@link EVENT_KINDS}. */
export type EventKind = (typeof EVENT_KINDS)[number];

/** Which events. */
export interface EventFeed {
  readonly seed: number;
  /** Time of event 0, without zone. */
  readonly start: Date;
  /** Milliseconds between the times of two events. */
  readonly spacingMs: number;
}

/** One message of the feed. */
export interface FeedMessage {
  /** From 0; messages are sent in this order. */
  readonly index: number;
  readonly kind: EventKind;
  /** The type of the event in it; null where there is none to be read. */
  readonly eventType: string | null;
  readonly key: string | null;
  readonly value: Buffer | null;
}

type Fields = Record<string, unknown>;

/** Of 10,000 messages so many are of each kind; the rest is plain. */
const SHARES: readonly (readonly [EventKind, number])[] = [
  ["newField", 300],
  ["newType", 50],
  ["late", 200],
  ["zoned", 50],
  ["century", 5],
  ["duplicate", 100],
  ["notJson", 20],
  ["notObject", 10],
  ["wrongType", 20],
  ["badTime", 10],
  ["nullValue", 10],
];
/** A huge one every so many messages: too few for shares. */
const HUGE_EVERY = 25_000;
const HUGE_BYTES = 1_000_000;
/** How far back the message may be that a duplicate repeats. */
const REPEAT_WITHIN = 50;
const CUSTOMERS = 5_000;
/** Of 100 messages one has no key. */
const KEYLESS = 0.01;

/** The message of a number. Pure. */
export function eventMessage(feed: EventFeed, index: number): FeedMessage {
  const random = randomFor(feed.seed, index, 5);
  const kind = kindOf(feed.seed, index, random);
  if (kind === "duplicate") return { ...eventMessage(feed, repeatedBy(feed.seed, index)), index, kind };
  const fields = eventFields(feed, index, random);
  const key = random.chance(KEYLESS) ? null : String(fields.customerId);
  return { index, kind, key, ...content(kind, fields, { feed, index, random }) };
}

function kindOf(seed: number, index: number, random: Random): EventKind {
  if (index % HUGE_EVERY === HUGE_EVERY - 1) return "huge";
  let place = random.below(10_000);
  for (const [kind, share] of SHARES) {
    place -= share;
    if (place >= 0) continue;
    return kind === "duplicate" && repeatedBy(seed, index) < 0 ? "plain" : kind;
  }
  return "plain";
}

/** The nearest message before that is plain; -1 where there is none near. */
function repeatedBy(seed: number, index: number): number {
  for (let earlier = index - 1; earlier >= Math.max(0, index - REPEAT_WITHIN); earlier--) {
    if (kindOf(seed, earlier, randomFor(seed, earlier, 5)) === "plain") return earlier;
  }
  return -1;
}

interface Place {
  readonly feed: EventFeed;
  readonly index: number;
  readonly random: Random;
}

function content(kind: EventKind, fields: Fields, place: Place): { eventType: string | null; value: Buffer | null } {
  const { random } = place;
  const unreadable = (value: string | Buffer | null) => ({
    eventType: null,
    value: typeof value === "string" ? Buffer.from(value) : value,
  });
  switch (kind) {
    case "nullValue":
      return unreadable(null);
    case "notJson":
      return unreadable(random.pick(NOT_JSON)(JSON.stringify(fields)));
    case "notObject":
      return unreadable(random.pick(["[]", "42", '"productView"', "null", "true", '[{"eventType":"purchase"}]']));
    default: {
      const changed = changedFields(kind, fields, place);
      return { eventType: String(changed.eventType), value: Buffer.from(JSON.stringify(changed)) };
    }
  }
}

const NOT_JSON: readonly ((json: string) => string | Buffer)[] = [
  (json) => json.slice(0, json.length >> 1),
  (json) => json.replaceAll('"', "'"),
  () => "",
  () => "GET /health HTTP/1.1",
  () => Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x7b]),
  (json) => `${json}${json}`,
];

function changedFields(kind: EventKind, fields: Fields, { feed, index, random }: Place): Fields {
  const at = timeOf(feed, index);
  switch (kind) {
    case "newField":
      return { ...fields, ...random.pick(NEW_FIELDS)(random) };
    case "newType":
      return { ...fields, ...random.pick(NEW_TYPES)(random) };
    case "late":
      return { ...fields, timestamp: localTime(new Date(at - (1 + random.below(48)) * 3_600_000)) };
    case "zoned":
      return {
        ...fields,
        timestamp: `${localTime(new Date(at))}${random.pick(["Z", "+05:30", "-08:00", ".123+02:00"])}`,
      };
    case "century":
      return {
        ...fields,
        timestamp: random.pick(["0001-01-01T00:00:00", "1970-01-01T00:00:00", "9999-12-31T23:59:59"]),
      };
    case "badTime":
      return { ...fields, timestamp: random.pick(["yesterday", "", "2026-13-45T99:99:99", "01/02/2026 10:00"]) };
    case "wrongType":
      return { ...fields, ...random.pick(WRONG_TYPES) };
    case "huge":
      return { ...fields, screenshot: "A".repeat(HUGE_BYTES - JSON.stringify(fields).length - 16) };
    default:
      return fields;
  }
}

const NEW_FIELDS: readonly ((random: Random) => Fields)[] = [
  (random) => ({ sessionId: `s-${random.below(1_000_000)}` }),
  (random) => ({ device: { os: random.pick(["android", "ios", "web"]), appVersion: `5.${random.below(20)}.0` } }),
  (random) => ({ couponCode: random.chance(0.5) ? random.below(10_000) : `WELCOME${random.below(100)}` }),
  (random) => ({ experiments: ["checkout-b", `banner-${random.below(4)}`] }),
  (random) => ({ "utm.source": random.pick(["mail", "ads"]), "naïve ключ": "✓" }),
];

const NEW_TYPES: readonly ((random: Random) => Fields)[] = [
  (random) => ({ eventType: "wishlistAdd", listId: random.below(500) }),
  (random) => ({ eventType: "search", query: `${random.pick(FIRST_NAMES)}'s "gift"`, results: random.below(100) }),
  () => ({ eventType: "appCrash", stack: "Error: oops\n\tat main" }),
];

const WRONG_TYPES: readonly Fields[] = [
  { quantity: "three" },
  { customerId: { id: 7 } },
  { totalAmount: "12,50 EUR" },
  { metadata: "none" },
  { timestamp: 1767225600 },
  { productId: null },
];

const SOURCES = ["Search", "Advertisement", "Direct", "Recommendation"];
const ALGORITHMS = ["collaborative_filtering", "content_based", "popularity"];

/** An event as agreed: mostly views, some of them end in a cart, some of those in a purchase. */
function eventFields(feed: EventFeed, index: number, random: Random): Fields {
  const [productId, , category, price] = random.pick(PRODUCTS);
  const base = {
    eventId: `${feed.seed}-${index}`,
    customerId: String(1 + random.below(CUSTOMERS)),
    productId,
    timestamp: localTime(new Date(timeOf(feed, index))),
  };
  const quantity = 1 + random.below(5);
  const turn = random.below(100);
  if (turn < 60) {
    return { eventType: "productView", ...base, metadata: { category, source: random.pick(SOURCES) } };
  }
  if (turn < 80) return { eventType: "addToCart", ...base, quantity, metadata: { category } };
  if (turn < 90) {
    const totalAmount = Math.round(quantity * Number(price) * 100) / 100;
    return {
      eventType: "purchase",
      ...base,
      quantity,
      totalAmount,
      paymentMethod: random.pick(ONLINE_PAYMENTS),
      metadata: { category },
    };
  }
  const recommendedProductId = random.pick(PRODUCTS)[0];
  return { eventType: "recommendationClick", ...base, recommendedProductId, algorithm: random.pick(ALGORITHMS) };
}

function timeOf({ start, spacingMs }: EventFeed, index: number): number {
  return start.getTime() + index * spacingMs;
}

/** `2026-01-01T00:00:00`: as the app writes it, without a zone. */
function localTime(at: Date): string {
  return at.toISOString().slice(0, 19);
}
