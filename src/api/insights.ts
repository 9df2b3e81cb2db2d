/** The marketing insights: what each chart asks of the enriched tables, and how it is drawn. */
import type { InsightSummary } from "./contract.ts";

/** An insight with its query; `:limit` is replaced by a checked whole number. */
export interface InsightQuery extends InsightSummary {
  readonly sql: string;
}

/** In the order they are shown. */
export const INSIGHTS: readonly InsightQuery[] = [
  {
    name: "most_selling_products",
    title: "Most selling products",
    description: "Units sold of every product over all sales, online and in branches, with revenue.",
    dataset: "enriched.most_selling_products",
    chart: { kind: "bar", x: "product_name", y: "units_sold", series: null, x_title: "Product", y_title: "Units sold" },
    sql: `select product_name, units_sold, online_units, offline_units, revenue, product_id
      from enriched.most_selling_products order by units_sold desc, product_id limit :limit`,
  },
  {
    name: "most_redeemed_offers",
    title: "Most redeemed offers",
    description: "How often each offer was redeemed, and the discount it gave.",
    dataset: "enriched.most_redeemed_offers",
    chart: { kind: "bar", x: "offer", y: "redemptions", series: null, x_title: "Offer", y_title: "Redemptions" },
    sql: `select offer, redemptions, online_redemptions, offline_redemptions, discount_given
      from enriched.most_redeemed_offers order by redemptions desc, offer limit :limit`,
  },
  {
    name: "most_redeemed_offers_per_product",
    title: "Most redeemed offers per product",
    description: "Redemptions of each offer by product, the most redeemed first.",
    dataset: "enriched.most_redeemed_offers_per_product",
    chart: {
      kind: "bar",
      x: "product_name",
      y: "redemptions",
      series: "offer",
      x_title: "Product",
      y_title: "Redemptions",
    },
    sql: `select product_name, offer, redemptions, online_redemptions, offline_redemptions, product_id
      from enriched.most_redeemed_offers_per_product order by redemptions desc, product_id, offer limit :limit`,
  },
  {
    name: "least_performing_cities_online",
    title: "Least performing cities online",
    description: "Cities with the smallest online sales.",
    dataset: "enriched.least_performing_cities_online",
    chart: { kind: "bar", x: "place", y: "total_sales", series: null, x_title: "City", y_title: "Online sales (USD)" },
    sql: `select concat_ws(', ', nullif(city, ''), state) as place, total_sales, orders, units, city, state
      from enriched.least_performing_cities_online order by total_sales, city, state limit :limit`,
  },
  {
    name: "sales_agent_performance",
    title: "Sales agents by units sold",
    description: "Units each sales agent sold in branches, over all days.",
    dataset: "enriched.sales_agent_performance",
    chart: {
      kind: "bar",
      x: "sales_agent_name",
      y: "total_sold_units",
      series: null,
      x_title: "Sales agent",
      y_title: "Units sold",
    },
    sql: `select sales_agent_name, sum(total_sold_units) as total_sold_units, count(distinct transaction_date) as days
      from enriched.sales_agent_performance group by sales_agent_name
      order by total_sold_units desc, sales_agent_name limit :limit`,
  },
];
