/** What the lake says, read back through HiveServer2, in the shape of the right answers. */
import type { HiveSession } from "../../src/operators/clients/hive.ts";
import type { Answers } from "./expected-answers.ts";

/** The figures of {@link Answers} that tables hold; what was read is in the file manifest. */
export type LakeAnswers = Omit<Answers, "rows_read" | "duplicates">;

const LIMITS = { timeoutMs: 300_000, maxRows: 1_000_000 };

/** Reads every figure from the conformed and enriched tables. `reportDate` = the day whose agent report is read. */
export async function lakeAnswers(hive: Pick<HiveSession, "query">, reportDate: string): Promise<LakeAnswers> {
  const rows = async (sql: string) => (await hive.query(sql, LIMITS)).rows;
  const texts = async (sql: string) => (await rows(sql)).map((row) => row.map((cell) => String(cell)));
  const [totals = []] = await texts(
    `select count(*), count(if(is_online, 1, null)), count(distinct customer_id), count(distinct product_id),
            sum(total_paid_price), count(distinct transaction_date) from conformed.fact_sales`,
  );
  const count = async (sql: string) => Number((await texts(sql))[0]?.[0]);
  const products = await texts(
    "select concat(product_id, '|', product_name), units_sold, revenue from enriched.most_selling_products",
  );
  const offers = await texts("select offer, redemptions from enriched.most_redeemed_offers order by offer");
  const perProduct = await texts(
    "select concat(product_id, '|', product_name, '|', offer), redemptions from enriched.most_redeemed_offers_per_product",
  );
  const cities = await texts(
    "select concat(city, '|', state), total_sales from enriched.least_performing_cities_online",
  );
  const report = await texts(
    `select sales_agent_name, product_name, total_sold_units from enriched.sales_agent_performance
      where transaction_date = date'${reportDate}' order by 1, 2`,
  );
  return {
    transactions: Number(totals[0]),
    online: Number(totals[1]),
    customers: Number(totals[2]),
    products: Number(totals[3]),
    total_paid: String(totals[4]),
    dates: Number(totals[5]),
    clean_emails: await count("select count(distinct customer_email) from standardized.sales_transactions"),
    branches: await count("select count(*) from conformed.dim_branch"),
    sales_agents: await count("select count(*) from conformed.dim_sales_agent"),
    top_products_by_units: topFive(products.map(([name = "", units]) => [name, Number(units)])),
    revenue_by_product: Object.fromEntries(products.map(([name, , revenue]) => [name, revenue])),
    offers: Object.fromEntries(offers.map(([offer, redeemed]) => [offer, Number(redeemed)])),
    top_offers_per_product: topFive(perProduct.map(([name = "", redeemed]) => [name, Number(redeemed)])),
    lowest_cities_online: lowestTen(cities.map(([city = "", sales = ""]) => [city, sales])),
    cities_online: cities.length,
    agent_report: {
      date: reportDate,
      rows: report.map(([agent = "", product = "", units]) => [agent, product, Number(units)]),
    },
  };
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function topFive(rows: [string, number][]): [string, number][] {
  return rows.sort(([a, x], [b, y]) => y - x || byText(a, b)).slice(0, 5);
}

function lowestTen(rows: [string, string][]): [string, string][] {
  const cents = (text: string) => Number(text.replace(".", ""));
  return rows.sort(([a, x], [b, y]) => cents(x) - cents(y) || byText(a, b)).slice(0, 10);
}
