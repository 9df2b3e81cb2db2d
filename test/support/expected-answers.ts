/**
 * The right answers for a feed, from a CSV reader and whole-number arithmetic alone: shares nothing with the jobs it judges.
 * Same shape as the recorded `expected.json`. For feeds whose rows are all valid.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What a feed amounts to. Money is text with two decimals. */
export interface Answers {
  rows_read: number;
  transactions: number;
  duplicates: number;
  online: number;
  customers: number;
  clean_emails: number;
  branches: number;
  sales_agents: number;
  products: number;
  total_paid: string;
  dates: number;
  top_products_by_units: [string, number][];
  revenue_by_product: Record<string, string>;
  offers: Record<string, number>;
  top_offers_per_product: [string, number][];
  lowest_cities_online: [string, string][];
  cities_online: number;
  agent_report: { date: string; rows: [string, string, number][] };
}

/** Every cell of a file, by RFC 4180. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[at + 1] === '"') {
        cell += '"';
        at++;
      } else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ",") {
      row.push(cell);
      cell = "";
    } else if (char === "\n") {
      rows.push([...row, cell]);
      row = [];
      cell = "";
    } else if (char !== "\r") cell += char;
  }
  if (cell !== "" || row.length > 0) rows.push([...row, cell]);
  return rows;
}

/** Reads `groupN/<feed>_SS_raw_N.csv` of the batches, in this order. */
async function readFeed(folder: string, feed: string, batches: readonly number[]): Promise<string[][]> {
  const rows: string[][] = [];
  for (const n of batches) {
    const [, ...data] = parseCsv(await readFile(join(folder, `group${n}`, `${feed}_SS_raw_${n}.csv`), "utf8"));
    rows.push(...data);
  }
  return rows;
}

interface Sale {
  date: string;
  customer: string;
  email: string;
  agent: string;
  product: string;
  offer: string | null;
  units: number;
  /** Hundredths. */
  paid: bigint;
  city: string | null;
}

function saleOf(cells: string[]): Sale {
  const at = (index: number) => cells[index] ?? "";
  const offer = [11, 12, 13, 14, 15].findIndex((index) => at(index) !== "") + 1;
  const [year = "", month = "", day = ""] = at(0).split("-");
  const address = at(20).split("/");
  const gross = BigInt(at(16)) * BigInt(at(17).replace(".", "")) * BigInt(100 - 5 * offer);
  return {
    date: `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`,
    customer: at(2),
    email: at(5).slice(0, at(5).indexOf(".com") + 4),
    agent: at(6),
    product: `${at(8)}|${at(9)}`,
    offer: offer === 0 ? null : `offer_${offer}`,
    units: Number(at(16)),
    paid: (gross + 50n) / 100n,
    city: at(18) === "yes" ? `${address.at(-3)}|${address.at(-2)}` : null,
  };
}

function add<V>(map: Map<string, V>, key: string, value: V, plus: (a: V, b: V) => V): void {
  const before = map.get(key);
  map.set(key, before === undefined ? value : plus(before, value));
}

const sumNumbers = (a: number, b: number) => a + b;
const sumMoney = (a: bigint, b: bigint) => a + b;
const money = (hundredths: bigint) => `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}`;
const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The answers for some batches of a feed, first arrival winning. */
export async function expectedAnswers(folder: string, batches: readonly number[]): Promise<Answers> {
  const read = await readFeed(folder, "sales_transactions", batches);
  const first = new Map<string, Sale>();
  for (const cells of read) {
    const id = cells[1] ?? "";
    if (!first.has(id)) first.set(id, saleOf(cells));
  }
  const sales = [...first.values()];
  const agents = new Map((await readFeed(folder, "sales_agents", batches)).map(([id = "", name = ""]) => [id, name]));
  const branches = new Set((await readFeed(folder, "branches", batches)).map(([id]) => id));
  return {
    rows_read: read.length,
    transactions: sales.length,
    duplicates: read.length - sales.length,
    online: sales.filter((sale) => sale.city !== null).length,
    customers: new Set(sales.map((sale) => sale.customer)).size,
    clean_emails: new Set(sales.map((sale) => sale.email)).size,
    branches: branches.size,
    sales_agents: agents.size,
    dates: new Set(sales.map((sale) => sale.date)).size,
    total_paid: money(sales.reduce((sum, sale) => sum + sale.paid, 0n)),
    ...productAnswers(sales),
    ...cityAnswers(sales),
    agent_report: agentReport(sales, agents),
  };
}

function productAnswers(sales: readonly Sale[]) {
  const units = new Map<string, number>();
  const revenue = new Map<string, bigint>();
  const offers = new Map<string, number>();
  const perProduct = new Map<string, number>();
  for (const sale of sales) {
    add(units, sale.product, sale.units, sumNumbers);
    add(revenue, sale.product, sale.paid, sumMoney);
    if (sale.offer === null) continue;
    add(offers, sale.offer, 1, sumNumbers);
    add(perProduct, `${sale.product}|${sale.offer}`, 1, sumNumbers);
  }
  const top = (counts: Map<string, number>) => [...counts].sort(([a, x], [b, y]) => y - x || byText(a, b)).slice(0, 5);
  return {
    products: units.size,
    top_products_by_units: top(units),
    revenue_by_product: Object.fromEntries([...revenue].map(([product, sum]) => [product, money(sum)])),
    offers: Object.fromEntries([...offers].sort(([a], [b]) => byText(a, b))),
    top_offers_per_product: top(perProduct),
  };
}

function cityAnswers(sales: readonly Sale[]) {
  const cities = new Map<string, bigint>();
  for (const sale of sales) if (sale.city !== null) add(cities, sale.city, sale.paid, sumMoney);
  const lowest = [...cities].sort(([a, x], [b, y]) => Number(x - y) || byText(a, b)).slice(0, 10);
  return {
    cities_online: cities.size,
    lowest_cities_online: lowest.map(([city, sum]): [string, string] => [city, money(sum)]),
  };
}

/** Branch sales by agent and product, of one day. */
export function agentRows(
  sales: readonly Sale[],
  agents: ReadonlyMap<string, string>,
  date: string,
): [string, string, number][] {
  const units = new Map<string, number>();
  for (const sale of sales) {
    if (sale.date !== date || sale.city !== null) continue;
    const key = JSON.stringify([agents.get(sale.agent) ?? "", sale.product.split("|")[1]]);
    add(units, key, sale.units, sumNumbers);
  }
  const rows = [...units].map(([key, sum]): [string, string, number] => [
    ...(JSON.parse(key) as [string, string]),
    sum,
  ]);
  return rows.sort(([a, x], [b, y]) => byText(a, b) || byText(x, y));
}

/** The day on which branches sold most units (the earliest of several), and its rows. */
function agentReport(sales: readonly Sale[], agents: ReadonlyMap<string, string>): Answers["agent_report"] {
  const perDay = new Map<string, number>();
  for (const sale of sales) if (sale.city === null) add(perDay, sale.date, sale.units, sumNumbers);
  const [busiest] = [...perDay].sort(([a, x], [b, y]) => y - x || byText(a, b));
  const date = busiest?.[0] ?? "";
  return { date, rows: agentRows(sales, agents, date) };
}
