import test from "ava";
import { INSIGHTS } from "../../src/api/insights.ts";
import type { QueryEngine } from "../../src/api/query-engine.ts";
import { QflowError } from "../../src/errors.ts";
import { ensureDatasets, recordClasses, recordSchemas } from "../../src/metadata/catalog-nodes.ts";
import { recordTaskIo } from "../../src/metadata/lineage.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

/** An endpoint that answers every query with two products and remembers what it was asked. */
function fakeEngine() {
  const asked: string[] = [];
  const engine: QueryEngine = {
    query: async (sql, { maxRows }) => {
      asked.push(sql);
      if (sql.includes("events_by_category"))
        throw new QflowError("HIVE_QUERY_INVALID", "no such table", { details: { sqlState: "42P01" } });
      if (sql.includes("boom")) throw new QflowError("HIVE_QUERY_INVALID", "no such column: boom");
      const rows = [
        ["Laptop", "20", "1999.98"],
        ["Phone", "10", "699.00"],
      ];
      const columns = [
        { name: "product_name", type: "string" },
        { name: "units_sold", type: "bigint" },
        { name: "revenue", type: "decimal(14,2)" },
      ];
      return { columns, rows: rows.slice(0, maxRows), truncated: rows.length > maxRows };
    },
    session: () => Promise.reject(new Error("not asked for")),
  };
  return { engine, asked };
}

test("SQL: rows with exact values, a limit, an audit row; a wrong query is the caller's mistake", async (t) => {
  const { engine, asked } = fakeEngine();
  const { db, as, defects } = await startTestApi(t, engine);
  const call = await as("viewer");
  const answer = await call("POST", "/api/sql", { sql: "select * from enriched.most_selling_products", max_rows: 1 });
  t.is(answer.status, 200);
  t.deepEqual(answer.body.rows, [["Laptop", "20", "1999.98"]]);
  t.true(answer.body.truncated);
  t.is(asked.length, 1);
  const audit = await db.query<{ details: { sql: string } }>(
    "select details from audit_log where action = 'sql.query'",
  );
  t.regex(audit.rows[0]?.details.sql ?? "", /most_selling/);
  const wrong = await call("POST", "/api/sql", { sql: "select boom" });
  t.is(wrong.status, 400);
  t.is(wrong.body.code, "HIVE_QUERY_INVALID");
  const write = await call("POST", "/api/sql", { sql: "drop table conformed.fact_sales" });
  t.is(write.body.code, "SQL_NOT_READ_ONLY");
  t.is(asked.length, 2);
  t.is((await call("POST", "/api/sql", { sql: "select 1", max_rows: 1_000_000 })).status, 422);
  t.deepEqual(defects, []);
});

test("an insight whose table is not there yet has no rows", async (t) => {
  const { as } = await startTestApi(t, fakeEngine().engine);
  const empty = await (await as("viewer"))("GET", "/api/insights/app_events_by_hour");
  t.is(empty.status, 200);
  t.deepEqual(empty.body.rows, []);
});

test("an insight is read once a write, and names the run that wrote it", async (t) => {
  const { engine, asked } = fakeEngine();
  const { db, as } = await startTestApi(t, engine);
  await deploy(db, dagSpec("insights", [{ id: "insights" }]));
  const write = async (runId: string) => {
    await createRun(db, { dagId: "insights", runId, by: "test" });
    const [ran] = await work(db, () => success());
    await recordTaskIo(db, ran?.attemptId as string, {
      reads: [],
      writes: [{ dataset: "enriched.most_selling_products" }],
    });
  };
  await write("one");
  const call = await as("viewer");
  const first = await call("GET", "/api/insights/most_selling_products");
  t.is(first.body.written_by.dag_run_id, "one");
  t.is(first.body.chart.y, "units_sold");
  t.deepEqual(first.body.rows[1], ["Phone", "10", "699.00"]);
  await call("GET", "/api/insights/most_selling_products");
  t.is(asked.length, 1);
  await write("two");
  const again = await call("GET", "/api/insights/most_selling_products");
  t.is(again.body.written_by.dag_run_id, "two");
  t.is(asked.length, 2);
  t.is((await call("GET", "/api/insights/nope")).status, 404);
});

test("a sample hides personal data from everybody but admins", async (t) => {
  const { engine } = fakeEngine();
  const { db, as } = await startTestApi(t, engine);
  const ids = await ensureDatasets(db, ["enriched.most_selling_products", "staging.sales"]);
  const datasetId = ids.get("enriched.most_selling_products") as string;
  const columns = [{ name: "product_name", type: "string" }];
  await recordSchemas(db, [{ datasetId, dataset: "x", source: "hive", columns, at: new Date() }]);
  await recordClasses(db, [{ dataset_id: datasetId, column_name: "product_name", classification: "pii.declared" }]);
  const path = "/api/catalog/datasets/enriched.most_selling_products/sample";
  const user = await (await as("user"))("GET", path);
  t.deepEqual(user.body.rows[0], ["•••", "20", "1999.98"]);
  t.deepEqual(user.body.masked, ["product_name"]);
  const admin = await (await as("admin"))("GET", path);
  t.is(admin.body.rows[0][0], "Laptop");
  t.is((await (await as("user"))("GET", "/api/catalog/datasets/staging.sales/sample")).status, 501);
});

test("every insight draws columns that its query has", async (t) => {
  const { as } = await startTestApi(t);
  const call = await as("viewer");
  const list = await call("GET", "/api/insights");
  t.is(list.body.insights.length, INSIGHTS.length);
  t.false("sql" in list.body.insights[0]);
  for (const { chart, sql, name } of INSIGHTS) {
    for (const column of [chart.x, chart.y, chart.series])
      if (column) t.true(sql.includes(column), `${name}: ${column}`);
  }
  const absent = await call("GET", "/api/insights/most_redeemed_offers");
  t.is(absent.status, 503);
  t.is(absent.body.code, "HIVE_UNAVAILABLE");
});
