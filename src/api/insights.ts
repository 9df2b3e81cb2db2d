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
    name: "compactions",
    title: "Files of compacted partitions",
    description: "Files of every table before and after compaction, with their average size.",
    dataset: "enriched.compactions",
    chart: { kind: "bar", x: "table_name", y: "files_before", series: null, x_title: "Table", y_title: "Files before" },
    sql: `select table_name, sum(files_before) as files_before, sum(files_after) as files_after, count(*) as partitions,
        sum(bytes_before) as bytes_before, sum(bytes_after) as bytes_after,
        sum(bytes_before) div sum(files_before) as average_before, sum(bytes_after) div sum(files_after) as average_after
      from enriched.compactions group by table_name order by files_before desc, table_name limit :limit`,
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
  {
    name: "app_sales_by_payment_method",
    title: "App sales by payment method",
    description: "Purchases in the app over all days, from the stream of events.",
    dataset: "enriched.sales_by_payment_method",
    chart: {
      kind: "bar",
      x: "payment_method",
      y: "revenue",
      series: null,
      x_title: "Payment method",
      y_title: "Revenue (USD)",
    },
    sql: `select payment_method, cast(sum(revenue) as decimal(18,2)) as revenue, sum(purchases) as purchases, sum(units) as units
      from enriched.sales_by_payment_method group by payment_method order by revenue desc, payment_method limit :limit`,
  },
  {
    name: "app_events_by_hour",
    title: "App events by hour",
    description: "Events in the app by hour of the day, over all days.",
    dataset: "enriched.events_by_category",
    chart: { kind: "bar", x: "hour", y: "events", series: null, x_title: "Hour", y_title: "Events" },
    // Not more hours than a chart shows unless asked for more: the latest of the day are cut, never some in between.
    sql: `select event_hour as hour, sum(events) as events, cast(sum(revenue) as decimal(18,2)) as revenue,
        sum(purchases) as purchases
      from enriched.events_by_category group by event_hour order by event_hour limit :limit`,
  },
  {
    name: "app_revenue_by_category",
    title: "App revenue by category",
    description: "What purchases in the app brought in by product category, over all days.",
    dataset: "enriched.events_by_category",
    chart: { kind: "bar", x: "category", y: "revenue", series: null, x_title: "Category", y_title: "Revenue (USD)" },
    sql: `select category, cast(sum(revenue) as decimal(18,2)) as revenue, sum(purchases) as purchases, sum(events) as events
      from enriched.events_by_category where category <> '' group by category order by revenue desc, category limit :limit`,
  },
  {
    name: "app_purchase_funnel",
    title: "From view to purchase",
    description: "Journeys (one customer, one product, one day) that reached each step in order.",
    dataset: "enriched.purchase_funnel",
    chart: { kind: "bar", x: "stage", y: "journeys", series: null, x_title: "Step", y_title: "Journeys" },
    sql: `select stage, sum(journeys) as journeys, sum(events) as events, sum(customers) as customers
      from enriched.purchase_funnel group by step, stage order by step limit :limit`,
  },
  {
    name: "app_recommendation_clicks",
    title: "Recommendations by algorithm",
    description:
      "Clicks on recommended products, and after how many the customer viewed, carted or bought the product that day.",
    dataset: "enriched.recommendation_clicks",
    chart: { kind: "bar", x: "algorithm", y: "clicks", series: null, x_title: "Algorithm", y_title: "Clicks" },
    sql: `select algorithm, sum(clicks) as clicks, sum(followed) as followed, sum(bought) as bought,
        cast(100.0 * sum(followed) / sum(clicks) as decimal(5,2)) as followed_percent
      from enriched.recommendation_clicks group by algorithm order by clicks desc, algorithm limit :limit`,
  },
];
