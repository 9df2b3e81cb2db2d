/** The rows of one batch, as delivered: ragged, with junk, drifting. */
import { type Random, randomFor } from "./random.ts";
import {
  AGENTS,
  BRANCHES,
  CITIES,
  FIRST_NAMES,
  LAST_NAMES,
  MAIL_HOSTS,
  MAIL_JUNK,
  OFFLINE_PAYMENTS,
  ONLINE_PAYMENTS,
  PRODUCTS,
  STREETS,
} from "./retailer.ts";

/** Which batch of which feed. */
export interface BatchId {
  readonly seed: number;
  readonly batch: number;
  readonly rows: number;
}

/** From here on the header of the transactions is misspelt. */
const DRIFT_FROM = 3;
/** Every fourth batch is sent a second time: batch 3 holds what batch 1 held, 7 what 5 held. */
const REPEAT_EVERY = 4;
/** Customers there are in the first batch, and how many come with each. */
const CUSTOMERS = 90;
const NEW_CUSTOMERS = 4;
const FIRST_CUSTOMER = 85_462;
const OFFERS = 5;
const DAYS = 730;
const FIRST_DAY = Date.UTC(2022, 0, 1);
const DAY_MS = 86_400_000;

/** Agents and branches that come later: from this batch on, and one more agent with every four batches after. */
const NEWCOMERS_FROM = 4;

/** Lines of `branches_SS_raw_N.csv`. */
export function* branchLines(id: BatchId): Generator<string> {
  yield "branch_id,location,establish_date,class";
  for (const [index, branch] of BRANCHES.slice(0, branchCount(id.batch)).entries())
    yield `${index + 1},${branch.join(",")}`;
}

/** Lines of `sales_agents_SS_raw_N.csv`. Dates are not padded, and differ between batches. */
export function* agentLines(id: BatchId): Generator<string> {
  yield "sales_person_id,name,hire_date";
  const random = randomFor(id.seed, id.batch, 1);
  for (let agent = 1; agent <= agentCount(id.batch); agent++) {
    const name = AGENTS[agent - 1] ?? `${random.pick(FIRST_NAMES)} ${random.pick(LAST_NAMES)} ${agent}`;
    yield `${agent},${name},${2018 + random.below(4)}-${1 + random.below(12)}-${1 + random.below(28)}`;
  }
}

/** Lines of `sales_transactions_SS_raw_N.csv`. */
export function* transactionLines(id: BatchId): Generator<string> {
  const [last, mail] =
    id.batch >= DRIFT_FROM ? ["cusomter_lname", "cusomter_email"] : ["customer_lname", "customer_email"];
  yield `transaction_date,transaction_id,customer_id,customer_fname,${last},${mail},sales_agent_id,branch_id,product_id,product_name,product_category,offer_1,offer_2,offer_3,offer_4,offer_5,units,unit_price,is_online,payment_method,shipping_address`;
  const batch = originOf(id.batch);
  const random = randomFor(id.seed, batch, 2);
  for (let row = 0; row < id.rows; row++) yield transaction({ ...id, batch }, row, random);
}

/** The batch whose transactions this one holds: itself, or for a repeated one an earlier. */
export function originOf(batch: number): number {
  return batch % REPEAT_EVERY === REPEAT_EVERY - 1 ? batch - 2 : batch;
}

function branchCount(batch: number): number {
  return batch >= NEWCOMERS_FROM ? BRANCHES.length : BRANCHES.length - 1;
}

function agentCount(batch: number): number {
  return batch < NEWCOMERS_FROM ? AGENTS.length - 1 : AGENTS.length + Math.floor((batch - NEWCOMERS_FROM) / 4);
}

function transaction(id: BatchId, row: number, random: Random): string {
  const product = random.pick(PRODUCTS);
  const offer = random.chance(0.5) ? random.below(OFFERS) : -1;
  const offers = Array.from({ length: OFFERS }, (_, index) => (index === offer ? "True" : ""));
  const online = random.chance(1 / 3);
  const place = online
    ? ["", ""]
    : [`${1 + random.below(agentCount(id.batch))}`, `${1 + random.below(branchCount(id.batch))}`];
  const tail = online
    ? ["yes", random.pick(ONLINE_PAYMENTS), address(random)]
    : // Offline rows end here: one field short of the header.
      ["no", random.pick(OFFLINE_PAYMENTS)];
  return [
    date(random),
    transactionId(id, row),
    ...customer(id, random),
    ...place,
    ...product.slice(0, 3),
    ...offers,
    `${1 + random.below(10)}`,
    product[3],
    ...tail,
  ].join(",");
}

/** Not padded: 2022-1-9. */
function date(random: Random): string {
  const day = new Date(FIRST_DAY + random.below(DAYS) * DAY_MS);
  return `${day.getUTCFullYear()}-${day.getUTCMonth() + 1}-${day.getUTCDate()}`;
}

/** A prime: multiplying by another number modulo it gives every row another place. */
const ROW_PLACES = 9_999_991;
const BATCH_PLACES = 80_000;

/** Twelve digits, different for every row of every batch of a feed (up to 9,999,991 rows and 80,000 batches). */
function transactionId({ seed, batch }: BatchId, row: number): string {
  const place = (seed * 7_919 + batch) % BATCH_PLACES;
  return `trx-${100_000_000_000 + place * 10_000_000 + ((row * 6_364_137) % ROW_PLACES)}`;
}

/** A customer's id comes with ever other names; the e-mail follows the name and always trails junk. */
function customer({ batch }: BatchId, random: Random): string[] {
  const id = FIRST_CUSTOMER + random.below(CUSTOMERS + NEW_CUSTOMERS * batch);
  const first = random.pick(FIRST_NAMES);
  const last = random.pick(LAST_NAMES);
  const mail = `${first}.${last}@${random.pick(MAIL_HOSTS)}.com`.toLowerCase() + random.pick(MAIL_JUNK);
  return [String(id), first, last, quoted(mail)];
}

function address(random: Random): string {
  const [city, state, zip] = random.pick(CITIES);
  return quoted(`${1 + random.below(9_999)} ${random.pick(STREETS)}/${city}/${state}/${zip}${10 + random.below(90)}`);
}

function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
