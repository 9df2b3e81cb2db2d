import { gzipSync } from "node:zlib";
import test from "ava";
import { syncDeclarations } from "../../src/metadata/catalog-declare.ts";
import { type HiveReader, syncCatalog } from "../../src/metadata/catalog-sync.ts";
import { markStable, observeFiles } from "../../src/metadata/file-manifest.ts";
import { processLineage } from "../../src/metadata/lineage.ts";
import { ranBatch, sparkEvents } from "./lineage-fixture.ts";
import { type ApiUnderTest, LINEAGE_TOKEN, startTestApi } from "./support.ts";

async function sendLineage({ api }: ApiUnderTest, body: unknown, path = "/api/v1/lineage") {
  const response = await fetch(api.url + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${LINEAGE_TOKEN}`,
      "content-type": "application/json",
      "content-encoding": "gzip",
    },
    body: gzipSync(JSON.stringify(body)),
  });
  return { status: response.status, body: await response.json() };
}

/** The batch ran, its Spark events came in over HTTP, declarations are in. */
async function filled(api: ApiUnderTest): Promise<string> {
  const { attemptId } = await ranBatch(api.db);
  for (const event of sparkEvents(attemptId)) {
    const answer = await sendLineage(api, event);
    if (answer.status !== 201) throw new Error(JSON.stringify(answer));
  }
  await syncDeclarations(api.db);
  await processLineage(api.db);
  return attemptId;
}

test("lineage comes in one by one, in arrays, in batches, gzipped, and twice", async (t) => {
  const api = await startTestApi(t);
  const { attemptId } = await ranBatch(api.db);
  const events = sparkEvents(attemptId);
  t.deepEqual((await sendLineage(api, events)).body, { received: events.length, stored: events.length });
  t.deepEqual((await sendLineage(api, events[0])).body, { received: 1, stored: 0 });
  const batch = await sendLineage(api, [...events.slice(0, 2), "no event"], "/api/v1/lineage/batch");
  t.is((batch.body as { status: string }).status, "partial_success");
  t.is((await sendLineage(api, "text")).status, 422);
});

test("datasets: found by name and column, with rows, writer and neighbours", async (t) => {
  const api = await startTestApi(t);
  const attemptId = await filled(api);
  const call = await api.as("viewer");
  const all = await call("GET", "/api/catalog/datasets?limit=3");
  t.is(all.body.datasets.length, 3);
  const rest = await call("GET", `/api/catalog/datasets?limit=100&after=${all.body.next}`);
  t.is(all.body.datasets.length + rest.body.datasets.length, all.body.total_entries);
  const found = await call("GET", "/api/catalog/datasets?search=customer_email&layer=standardized");
  t.deepEqual(
    found.body.datasets.map((one: { id: string }) => one.id),
    ["standardized.sales_transactions"],
  );
  t.true(found.body.datasets[0].has_pii);

  const fact = (await call("GET", "/api/catalog/datasets/conformed.fact_sales")).body;
  t.is(fact.layer, "conformed");
  t.deepEqual(
    fact.upstream.map((one: { id: string }) => one.id).sort(),
    ["standardized.sales_transactions", "staging.sales_transactions"].sort(),
  );
  t.is(fact.last_writer.attempt_id, attemptId);
  t.is(fact.last_writer.task_id, "conform");
  t.is(fact.writes[0].rows, 2);
  t.true(
    fact.columns.some(
      (column: { name: string; type: string }) => column.name === "total_paid_price" && column.type === "decimal(12,2)",
    ),
  );
  t.deepEqual(fact.producers, [{ dag_id: "batch", task_id: "conform" }]);
  t.is((await call("GET", "/api/catalog/datasets/nope")).status, 404);
  const byPath = await call("GET", `/api/catalog/datasets/${encodeURIComponent(fact.aliases[0])}`);
  t.is(byPath.body.id, "conformed.fact_sales");
});

test("a dataset that only a declaration knows has its writer from the run of the task", async (t) => {
  const api = await startTestApi(t);
  await filled(api);
  const call = await api.as("viewer");
  const report = (await call("GET", "/api/catalog/datasets/reports.b2b")).body;
  t.is(report.last_writer.task_id, "report");
  t.is(report.layer, "report");
  t.deepEqual(report.upstream, [{ id: "enriched.most_selling_products", layer: "enriched" }]);
});

test("lineage over HTTP: graph and columns", async (t) => {
  const api = await startTestApi(t);
  await filled(api);
  const call = await api.as("viewer");
  const graph = await call("GET", "/api/catalog/lineage?node=dataset:enriched.most_selling_products&depth=1");
  const ids = graph.body.nodes.map((node: { id: string }) => node.id);
  t.true(ids.includes("job:batch.conform"));
  t.true(ids.includes("dataset:reports.b2b"));
  const deep = await call("GET", "/api/catalog/lineage?node=dataset:reports.b2b&depth=10&direction=upstream");
  t.true(deep.body.nodes.some((node: { id: string }) => node.id === "dataset:feed.sales_transactions"));
  t.is((await call("GET", "/api/catalog/lineage?node=fact")).status, 422);
  const columns = await call(
    "GET",
    "/api/catalog/column-lineage?dataset=conformed.fact_sales&column=units&direction=upstream",
  );
  t.deepEqual(columns.body.edges[0].source.dataset, "standardized.sales_transactions");
});

/** A metastore with one partitioned table. */
const METASTORE: HiveReader = {
  rows: async (sql) => {
    if (sql === "show databases") return [["conformed"], ["default"]];
    if (sql.startsWith("show tables"))
      return [
        ["conformed", "dim_customer", false],
        ["conformed", "broken", false],
      ];
    if (sql.includes("broken")) throw new Error("unreadable");
    if (sql.startsWith("describe")) {
      return [
        ["customer_id", "string", "Id as delivered"],
        ["fullname", "string", null],
        ["valid_from", "date", null],
        ["# Partition Information", "", ""],
        ["# col_name", "data_type", "comment"],
        ["valid_from", "date", null],
        ["", "", ""],
        ["# Detailed Table Information", "", ""],
        ["Comment", "Customers with history", ""],
        ["Table Properties", "[owner_team=data-platform, pii_columns=fullname,customer_id, x=1]", ""],
      ];
    }
    return [
      ["2026-01-01", "3"],
      ["2026-01-02", 4],
    ];
  },
};

test("the metastore gives columns, comments, partitions, rows and declared personal data", async (t) => {
  const api = await startTestApi(t);
  const report = await syncCatalog(api.db, METASTORE);
  t.deepEqual(report, { tables: 1, failed: [{ table: "conformed.broken", reason: "unreadable" }] });
  await syncCatalog(api.db, METASTORE);
  const call = await api.as("viewer");
  const dim = (await call("GET", "/api/catalog/datasets/conformed.dim_customer")).body;
  t.is(dim.description, "Customers with history");
  t.is(dim.owner, "data-platform");
  t.is(dim.row_count, 7);
  t.deepEqual(
    dim.partitions.map((one: { spec: string; row_count: number }) => [one.spec, one.row_count]),
    [
      ["valid_from=2026-01-02", 4],
      ["valid_from=2026-01-01", 3],
    ],
  );
  t.deepEqual(
    dim.columns.map((one: { name: string; is_partition: boolean; classification: string | null }) => [
      one.name,
      one.is_partition,
      one.classification,
    ]),
    [
      ["customer_id", false, "pii.declared"],
      ["fullname", false, "pii.declared"],
      ["valid_from", true, null],
    ],
  );
  t.is(dim.schema_version, 1);
  const refused = await call("POST", "/api/sql", { sql: "select * from conformed.dim_customer" });
  t.is(refused.status, 403);
  t.regex(refused.body.detail, /personal data/);
});

test("files show their balance", async (t) => {
  const { db, as } = await startTestApi(t);
  const file = { path: "/group1/a.csv", feed: "branches", batch: 1, bytes: 10, ftpTime: null };
  const [pending] = await observeFiles(db, "ftp", [file]);
  await markStable(db, [pending?.fileId as number]);
  const call = await as("viewer");
  const page = await call("GET", "/api/catalog/files?feed=branches");
  t.is(page.body.total_entries, 1);
  t.is(page.body.files[0].state, "stable");
  t.is(page.body.files[0].balanced, null);
  await db.query(
    "update file_manifest set state = 'loaded', sha256 = 'x', rows_read = 5, rows_loaded = 3, rows_duplicate = 1, rows_quarantined = 1, finished_at = now()",
  );
  const loaded = await call("GET", "/api/catalog/files?state=loaded&batch=1");
  t.true(loaded.body.files[0].balanced);
  t.is((await call("GET", "/api/catalog/files?state=eaten")).status, 422);
});
