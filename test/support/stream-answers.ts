/**
 * What a topic amounts to, from its messages alone: `JSON.parse`, maps and whole numbers. Shares nothing with the jobs it judges.
 * For messages of the feed of events (`src/feed/events.ts`).
 */

/** A message as it lies in the topic. */
export interface SentMessage {
  readonly partition: number;
  readonly offset: number;
  readonly value: Buffer | null;
}

/** Events by type and hour, what is no event, and the reports. Money is text with two decimals. */
export interface StreamAnswers {
  events: number;
  dead: Record<string, number>;
  /** What no column holds: `couponCode string`, `metadata.campaign string`, `quantity string`, sorted. */
  fields: string[];
  /** Events of each hour: `2026-01-01/08` → how many. */
  hours: Record<string, number>;
  /** `day|method` → [purchases, units, revenue]. */
  payments: Record<string, [number, number, string]>;
  /** `day|hour|category` → [events, purchases, revenue]. */
  categories: Record<string, [number, number, string]>;
  /** `day|stage` → [events, journeys, customers]. */
  funnel: Record<string, [number, number, number]>;
  /** `day|algorithm` → [clicks, customers, followed, bought]. */
  algorithms: Record<string, [number, number, number, number]>;
}

interface Event {
  type: string;
  id: string;
  at: number;
  day: string;
  hour: string;
  fields: Record<string, unknown>;
}

/** The answers for all messages of a topic. */
export function streamAnswers(messages: readonly SentMessage[]): StreamAnswers {
  const dead = new Map<string, number>();
  const landed: Event[] = [];
  const ordered = [...messages].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  for (const { value } of ordered) {
    const read = readEvent(value);
    if (typeof read === "string") add(dead, read, 1);
    else landed.push(read);
  }
  const hours = new Map<string, number>();
  for (const { day, hour } of landed) add(hours, `${day}/${hour}`, 1);
  const events = [...new Map(landed.toReversed().map((event) => [`${event.day} ${event.id}`, event])).values()];
  return {
    events: landed.length,
    dead: sorted(dead),
    fields: [...new Set(landed.flatMap(({ fields }) => unheld(fields)))].sort(),
    hours: sorted(hours),
    payments: payments(events),
    categories: categories(events),
    funnel: funnel(events),
    algorithms: algorithms(events),
  };
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?$/;

/** The event, or why the message is none. */
function readEvent(value: Buffer | null): Event | string {
  if (value === null) return "null_value";
  let text: string;
  let fields: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(value);
  } catch {
    return "not_utf8";
  }
  try {
    fields = JSON.parse(text);
  } catch {
    return "not_json";
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return "not_an_object";
  const { eventType, timestamp, eventId } = fields as Record<string, unknown>;
  if (timestamp === "") return "no_timestamp";
  const parts = TIME.exec(String(timestamp));
  const at = parts ? Date.parse(`${String(timestamp).slice(0, 19)}${parts[8] ?? "Z"}`) : Number.NaN;
  if (Number.isNaN(at)) return "bad_timestamp";
  const written = new Date(at).toISOString();
  const year = Number(written.slice(0, 4));
  if (written.startsWith("+") || year < 1900 || year > 2199) return "timestamp_out_of_range";
  return {
    type: String(eventType),
    id: String(eventId),
    at: at + Number(`0${parts?.[7] ?? ""}`) * 1000,
    day: written.slice(0, 10),
    hour: written.slice(11, 13),
    fields: fields as Record<string, unknown>,
  };
}

const isScalar = (value: unknown) => typeof value !== "object";
const isNumber = (value: unknown) => /^-?\d+(\.\d+)?$/.test(String(value)) && typeof value !== "boolean";
/** Whether a value is what was agreed of its field. */
const AGREED: Readonly<Record<string, (value: unknown) => boolean>> = {
  eventType: () => true,
  timestamp: () => true,
  eventId: isScalar,
  customerId: isScalar,
  productId: isScalar,
  paymentMethod: isScalar,
  recommendedProductId: isScalar,
  algorithm: isScalar,
  quantity: (value) => isNumber(value) && Number.isInteger(Number(value)),
  totalAmount: isNumber,
};
const AGREED_METADATA = { category: isScalar, source: isScalar };

/** Fields of an event that no column holds, with their types. */
function unheld({ metadata, ...fields }: Record<string, unknown>): string[] {
  const found = unlike(fields, AGREED);
  const kind = kindOf(metadata);
  if (kind !== "object") return kind === null || metadata === undefined ? found : [...found, `metadata ${kind}`];
  const below = unlike(metadata as Record<string, unknown>, AGREED_METADATA);
  return [...found, ...below.map((one) => `metadata.${one}`)];
}

function unlike(fields: Record<string, unknown>, agreed: Readonly<Record<string, (value: unknown) => boolean>>) {
  return Object.entries(fields).flatMap(([name, value]) => {
    const kind = kindOf(value);
    return kind === null || agreed[name]?.(value) ? [] : [`${name} ${kind}`];
  });
}

/** JSON's word; null for null, which tells no type. */
function kindOf(value: unknown): string | null {
  return value === null ? null : Array.isArray(value) ? "array" : typeof value;
}

function payments(events: readonly Event[]): StreamAnswers["payments"] {
  const found = new Map<string, [number, number, bigint]>();
  for (const { type, day, fields } of events) {
    if (type !== "purchase") continue;
    const key = `${day}|${fields.paymentMethod ?? ""}`;
    const [purchases, units, cents] = found.get(key) ?? [0, 0, 0n];
    const quantity = Number.isInteger(fields.quantity) ? Number(fields.quantity) : 0;
    found.set(key, [purchases + 1, units + quantity, cents + centsOf(fields.totalAmount)]);
  }
  return sorted(found, ([purchases, units, cents]) => [purchases, units, money(cents)]);
}

function categories(events: readonly Event[]): StreamAnswers["categories"] {
  const found = new Map<string, [number, number, bigint]>();
  for (const { type, day, hour, fields } of events) {
    const category = (fields.metadata as { category?: string } | undefined)?.category ?? "";
    const key = `${day}|${hour}|${category}`;
    const [all, purchases, cents] = found.get(key) ?? [0, 0, 0n];
    const bought = type === "purchase";
    found.set(key, [all + 1, purchases + (bought ? 1 : 0), cents + (bought ? centsOf(fields.totalAmount) : 0n)]);
  }
  return sorted(found, ([all, purchases, cents]) => [all, purchases, money(cents)]);
}

const STAGES = { view: "productView", cart: "addToCart", purchase: "purchase" } as const;

/** Ids as the table holds them: what is no text or number is no id. */
function idOf(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}

function funnel(events: readonly Event[]): StreamAnswers["funnel"] {
  const answers: StreamAnswers["funnel"] = {};
  for (const [day, ofDay] of Map.groupBy(events, (event) => event.day)) {
    const pairs = Map.groupBy(
      ofDay.filter(({ fields }) => idOf(fields.customerId) !== null && idOf(fields.productId) !== null),
      ({ fields }) => JSON.stringify([idOf(fields.customerId), idOf(fields.productId)]),
    );
    const reached = { view: new Set<string>(), cart: new Set<string>(), purchase: new Set<string>() };
    for (const [pair, ofPair] of pairs) {
      let since = Number.NEGATIVE_INFINITY;
      for (const stage of ["view", "cart", "purchase"] as const) {
        const times = ofPair.filter(({ type, at }) => type === STAGES[stage] && at >= since).map(({ at }) => at);
        if (times.length === 0) break;
        since = Math.min(...times);
        reached[stage].add(pair);
      }
    }
    for (const stage of ["view", "cart", "purchase"] as const) {
      const customers = new Set([...reached[stage]].map((pair) => (JSON.parse(pair) as string[])[0]));
      const all = ofDay.filter(({ type }) => type === STAGES[stage]).length;
      answers[`${day}|${stage}`] = [all, reached[stage].size, customers.size];
    }
  }
  return answers;
}

function algorithms(events: readonly Event[]): StreamAnswers["algorithms"] {
  const answers: StreamAnswers["algorithms"] = {};
  const byPair = Map.groupBy(
    events,
    ({ day, fields }) => `${day}|${idOf(fields.customerId)}|${idOf(fields.productId)}`,
  );
  const clicks = events.filter(({ type }) => type === "recommendationClick");
  for (const [key, group] of Map.groupBy(clicks, ({ day, fields }) => `${day}|${fields.algorithm ?? ""}`)) {
    let [followed, bought] = [0, 0];
    for (const { day, at, fields } of group) {
      const customer = idOf(fields.customerId);
      const product = byPair.get(`${day}|${customer}|${idOf(fields.recommendedProductId)}`) ?? [];
      const after = customer === null ? [] : product.filter((event) => event.at >= at);
      if (after.some(({ type }) => Object.values<string>(STAGES).includes(type))) followed++;
      if (after.some(({ type }) => type === STAGES.purchase)) bought++;
    }
    const customers = new Set(group.flatMap(({ fields }) => idOf(fields.customerId) ?? []));
    answers[key] = [group.length, customers.size, followed, bought];
  }
  return answers;
}

function add(map: Map<string, number>, key: string, more: number): void {
  map.set(key, (map.get(key) ?? 0) + more);
}

function sorted<V, R = V>(map: ReadonlyMap<string, V>, shown: (value: V) => R = (value) => value as unknown as R) {
  const entries = [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, shown(value)] as const);
  return Object.fromEntries(entries);
}

/** Hundredths of an amount that is a number; nothing for one that is none. */
function centsOf(amount: unknown): bigint {
  return typeof amount === "number" ? BigInt(Math.round(amount * 100)) : 0n;
}

const money = (cents: bigint) => `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
