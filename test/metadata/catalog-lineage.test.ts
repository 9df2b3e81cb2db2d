import test from "ava";
import fc from "fast-check";
import { syncDeclarations } from "../../src/metadata/catalog-declare.ts";
import type { Database } from "../../src/metadata/database.ts";
import { lineageForAttempt, processLineage, recordTaskIo, storeLineageEvents } from "../../src/metadata/lineage.ts";
import { columnLineageOf, lineageClosure, lineageOf } from "../../src/metadata/lineage-graph.ts";
import { ranBatch, sparkEvents } from "../api/lineage-fixture.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy } from "./fixtures.ts";

/** Everything the events made, by names instead of ids and without the times of this machine. */
async function graphOf(db: Database): Promise<unknown> {
  const rows = await db.query<{ graph: unknown }>(`
    with node as (select dataset_id as id, name from catalog_dataset union all select job_id, namespace || '/' || name from catalog_job)
    select json_build_object(
      'nodes', (select json_agg(name order by name) from node),
      'edges', (select json_agg(json_build_array(s.name, t.name, e.observed_at) order by s.name, t.name)
        from catalog_edge e join node s on s.id = e.source join node t on t.id = e.target),
      'columns', (select json_agg(json_build_array(s.name, e.source_column, t.name, e.target_column, e.transformations)
          order by s.name, e.source_column, t.name, e.target_column)
        from catalog_column_edge e join node s on s.id = e.source_dataset join node t on t.id = e.target_dataset),
      'schemas', (select json_agg(json_build_array(n.name, s.source, s.columns, s.first_seen_at, s.last_seen_at)
          order by n.name, s.source, s.digest) from catalog_schema s join node n on n.id = s.dataset_id),
      'runs', (select json_agg(json_build_array(r.run_id, n.name, r.attempt_id, r.state, r.started_at, r.ended_at) order by r.run_id)
        from lineage_run r join node n on n.id = r.job_id),
      'io', (select json_agg(json_build_array(o.run_id, n.name, o.direction, o.row_count, o.byte_count, o.at)
          order by o.run_id, n.name, o.direction) from lineage_io o join node n on n.id = o.dataset_id),
      'notes', (select json_agg(json_build_array(n.name, c.column_name, c.classification) order by n.name, c.column_name)
        from catalog_column_note c join node n on n.id = c.dataset_id),
      'aliases', (select json_agg(json_build_array(a.alias, n.name) order by a.alias) from catalog_alias a join node n on n.id = a.dataset_id)
    ) as graph`);
  return rows.rows[0]?.graph;
}

async function forget(db: Database): Promise<void> {
  await db.query(
    "truncate lineage_event, lineage_run, lineage_io, catalog_dataset, catalog_alias, catalog_schema, catalog_column_note, catalog_partition, catalog_job, catalog_edge, catalog_column_edge",
  );
}

test("a Spark job's events tie its tables to the attempt that submitted it", async (t) => {
  const db = await testDatabase(t);
  const { attemptId } = await ranBatch(db);
  await storeLineageEvents(db, sparkEvents(attemptId));
  const lineage = await lineageForAttempt(db, attemptId);
  t.true(lineage.complete);
  t.deepEqual(lineage.inputs, [
    "conformed.fact_sales",
    "staging.sales_transactions",
    "standardized.sales_transactions",
  ]);
  t.deepEqual(lineage.outputs, [
    "conformed.fact_sales",
    "enriched.most_selling_products",
    "reports.x",
    "standardized.sales_transactions",
  ]);
  const failed = await db.query("select from lineage_event where error is not null or processed_at is null");
  t.is(failed.rowCount, 0);
});

test("without a COMPLETE event an attempt's lineage is not complete", async (t) => {
  const db = await testDatabase(t);
  const { attemptId } = await ranBatch(db);
  const events = sparkEvents(attemptId);
  await storeLineageEvents(
    db,
    events.filter((event) => event.eventType !== "COMPLETE"),
  );
  t.false((await lineageForAttempt(db, attemptId)).complete);
  await storeLineageEvents(db, events);
  t.true((await lineageForAttempt(db, attemptId)).complete);
});

test("events in any order, any of them repeated, end in the same graph", async (t) => {
  const db = await testDatabase(t);
  const { attemptId } = await ranBatch(db);
  const events = sparkEvents(attemptId);
  // One event of a statement that does not say whose it is, as other producers send.
  const orphan = structuredClone(events.at(-2)) as unknown as { run: { facets: Record<string, unknown> } };
  delete orphan.run.facets.parent;
  const all = [...events, orphan];
  await storeLineageEvents(db, all);
  await processLineage(db);
  const expected = await graphOf(db);
  const anyOrder = fc.tuple(
    fc.shuffledSubarray(all, { minLength: all.length }),
    fc.array(fc.nat(all.length - 1), { maxLength: 4 }),
    fc.integer({ min: 1, max: all.length }),
  );
  await fc.assert(
    fc.asyncProperty(anyOrder, async ([shuffled, repeated, cut]) => {
      await forget(db);
      // A repeated event that differs in its text is stored and processed again.
      const again = repeated.map((index) => ({ ...shuffled[index], noise: index }));
      await storeLineageEvents(db, shuffled.slice(0, cut));
      await processLineage(db);
      await storeLineageEvents(db, [...again, ...shuffled]);
      await processLineage(db);
      t.deepEqual(await graphOf(db), expected);
    }),
    { numRuns: 12 },
  );
});

test("what nothing can be made of is kept with the reason and holds up nobody", async (t) => {
  const db = await testDatabase(t);
  const { attemptId } = await ranBatch(db);
  await storeLineageEvents(db, [{ hello: "world" }, { eventTime: "2026-01-01T00:00:00Z" }, ...sparkEvents(attemptId)]);
  await processLineage(db);
  const kept = await db.query<{ error: string }>(
    "select error from lineage_event where error is not null order by event_id",
  );
  t.is(kept.rowCount, 2);
  t.regex(kept.rows[0]?.error ?? "", /eventTime/);
  t.true((await lineageForAttempt(db, attemptId)).complete);
});

test("columns: where revenue comes from, down to the staged file, and what uses a column", async (t) => {
  const db = await testDatabase(t);
  const { attemptId } = await ranBatch(db);
  await storeLineageEvents(db, sparkEvents(attemptId));
  await processLineage(db);
  const up = await columnLineageOf(db, {
    dataset: "enriched.most_selling_products",
    column: "revenue",
    depth: 5,
    direction: "upstream",
  });
  const direct = up.edges.filter((edge) => edge.transformations.some((how) => how.startsWith("DIRECT")));
  const steps = direct.map(
    (edge) => `${edge.source_dataset}.${edge.source_column} > ${edge.target_dataset}.${edge.target_column}`,
  );
  t.true(steps.includes("conformed.fact_sales.total_paid_price > enriched.most_selling_products.revenue"));
  t.true(steps.includes("standardized.sales_transactions.unit_price > conformed.fact_sales.total_paid_price"));
  t.true(steps.includes("staging.sales_transactions.unit_price > standardized.sales_transactions.unit_price"));
  const down = await columnLineageOf(db, {
    dataset: "standardized.sales_transactions",
    column: "units",
    depth: 1,
    direction: "downstream",
  });
  t.true(down.edges.every((edge) => edge.source_column === "units"));
  t.true(down.edges.some((edge) => edge.target_column === "total_paid_price"));
});

test("declared and observed edges connect the report with the feed", async (t) => {
  const db = await testDatabase(t);
  const { attemptId } = await ranBatch(db);
  await syncDeclarations(db);
  await storeLineageEvents(db, sparkEvents(attemptId));
  await processLineage(db);
  t.deepEqual(await lineageClosure(db, "reports.b2b", "upstream"), [
    "conformed.fact_sales",
    "enriched.most_selling_products",
    "feed.sales_transactions",
    "staging.sales_transactions",
    "standardized.sales_transactions",
  ]);
  const graph = await lineageOf(db, { node: "dataset:staging.sales_transactions", depth: 1, direction: "both" });
  t.is(graph.root, "dataset:staging.sales_transactions");
  const distances = Object.fromEntries(graph.nodes.map((node) => [node.id, node.distance]));
  t.is(distances["dataset:feed.sales_transactions"], -1);
  t.is(distances["job:batch.land"], -1);
  t.is(distances["job:batch.conform"], 1);
  t.is(distances["dataset:standardized.sales_transactions"], 1);
  t.true(graph.edges.some((edge) => edge.source === "job:batch.land" && edge.target === graph.root));
  await t.throwsAsync(lineageOf(db, { node: "dataset:nope", depth: 1, direction: "both" }), { code: "NOT_FOUND" });
});

test("a new version of a DAG takes back what it no longer declares, and keeps what was seen", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a", emits: ["staging.x", "staging.y"] }]));
  t.deepEqual(await syncDeclarations(db), ["d"]);
  t.deepEqual(await syncDeclarations(db), []);
  await deploy(db, dagSpec("d", [{ id: "a", emits: ["staging.y"] }], { owner: "me" }));
  await syncDeclarations(db);
  const edges = await db.query<{ name: string }>(
    "select d.name from catalog_edge e join catalog_dataset d on d.dataset_id = e.target order by 1",
  );
  t.deepEqual(edges.rows, [{ name: "staging.y" }]);
  const owner = await db.query<{ owner: string }>("select owner from catalog_dataset where name = 'staging.y'");
  t.is(owner.rows[0]?.owner, "me");
});

test("a task that is no Spark job tells by itself what it wrote; telling it again changes nothing", async (t) => {
  const db = await testDatabase(t);
  const { attemptId } = await ranBatch(db);
  const io = {
    reads: ["feed.branches"],
    writes: [{ dataset: "staging.branches", rows: 12, partitions: ["batch=1"] }, { dataset: "staging.other" }],
  };
  await recordTaskIo(db, attemptId, io);
  await recordTaskIo(db, attemptId, io);
  const lineage = await lineageForAttempt(db, attemptId);
  t.deepEqual(lineage, {
    complete: true,
    inputs: ["feed.branches"],
    outputs: ["staging.branches", "staging.other"],
  });
  const rows = await db.query("select row_count, partitions from lineage_io where row_count is not null");
  t.deepEqual(rows.rows, [{ row_count: "12", partitions: ["batch=1"] }]);
  await t.throwsAsync(recordTaskIo(db, "00000000-0000-7000-8000-000000000000", io), { code: "NOT_FOUND" });
});
