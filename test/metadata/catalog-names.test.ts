import test from "ava";
import { canonicalName, classify, kindOf, layerOf } from "../../src/metadata/catalog-names.ts";

const named = test.macro({
  exec: (t, namespace: string, name: string, expected: string, table?: string) => {
    const symlinks = table ? [{ namespace: "hive://x", name: table, type: "TABLE" }] : [];
    t.is(canonicalName({ namespace, name, symlinks }), expected);
  },
  title: (_, namespace, name) => `${namespace} ${name}`,
});

test(named, "file", "/lake/warehouse/conformed.db/fact_sales", "conformed.fact_sales");
test(named, "file", "/lake/warehouse/conformed.db/fact_sales/transaction_date=2023-05-20", "conformed.fact_sales");
test(named, "file", "/anywhere/else", "conformed.fact_sales", "spark_catalog.conformed.fact_sales");
test(named, "file", "/lake/staging/branches/2026-11-22/10/batch=1/branches raw 1.csv", "staging.branches");
test(named, "hdfs://nn:8020", "/lake/staging/branches", "staging.branches");
test(named, "file", "/q/reports/b2b/sales_2023-05-20.csv", "reports.b2b");
test(named, "file", "/data/events/dt=2026-11-22/hour=10/part-0.parquet", "/data/events");
test(named, "file", "/data/events/2026/11/22", "/data/events");
test(named, "postgres://db:5432", "public.orders", "public.orders");

test("a name says its layer and kind", (t) => {
  t.is(layerOf("feed.branches"), "source");
  t.is(layerOf("conformed.dim_date"), "conformed");
  t.is(layerOf("reports.b2b"), "report");
  t.is(layerOf("/data/events"), "other");
  t.is(kindOf("conformed.dim_date"), "table");
  t.is(kindOf("staging.branches"), "files");
});

test("personal columns are recognised, employees and products are not customers", (t) => {
  t.is(classify("standardized.sales_transactions", "customer_email"), "pii.email");
  t.is(classify("standardized.sales_transactions", "cusomter_lname"), "pii.name");
  t.is(classify("conformed.dim_customer", "name"), "pii.name");
  t.is(classify("standardized.sales_transactions", "shipping_address"), "pii.address");
  t.is(classify("standardized.sales_transactions", "raw_line"), "pii.raw");
  t.is(classify("conformed.dim_sales_agent", "name"), null);
  t.is(classify("conformed.dim_product", "product_name"), null);
});
