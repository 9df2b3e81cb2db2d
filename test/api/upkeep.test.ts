import test from "ava";
import type { QueryEngine } from "../../src/api/query-engine.ts";
import { tablesToSync } from "../../src/metadata/catalog.ts";
import type { Database } from "../../src/metadata/database.ts";
import { recordTaskIo, storeLineageEvents } from "../../src/metadata/lineage.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";
import { ranBatch, sparkEvents } from "./lineage-fixture.ts";
import { startTestApi } from "./support.ts";

/** A lake with two tables, one of which no run has written. */
const LAKE: QueryEngine = {
  query: () => Promise.reject(new Error("not asked for")),
  session: (use) =>
    use({
      rows: async (sql) => {
        if (sql === "show databases") return [["conformed"]];
        if (sql.startsWith("show tables"))
          return [
            ["conformed", "fact_sales", false],
            ["conformed", "dim_date", false],
          ];
        return sql.startsWith("describe") ? [["id", "string", null]] : [["41"]];
      },
    }),
};

/** Polls until `check` gives something. */
async function eventually<T>(check: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function rowsOf(db: Database, name: string): Promise<string | undefined> {
  const found = await db.query<{ row_count: string | null }>("select row_count from catalog_dataset where name = $1", [
    name,
  ]);
  return found.rows[0]?.row_count ?? undefined;
}

test("the API takes up new declarations, leftover events, and tables that runs have written", async (t) => {
  const { db, defects } = await startTestApi(t, LAKE);
  const { attemptId } = await ranBatch(db);
  await storeLineageEvents(db, sparkEvents(attemptId));
  t.is(await eventually(() => rowsOf(db, "conformed.fact_sales")), "41");
  t.is(await eventually(() => rowsOf(db, "conformed.dim_date")), "41");
  const declared = await db.query("select from catalog_declared where dag_id = 'batch'");
  t.is(declared.rowCount, 1);
  t.deepEqual(defects, []);
});

test("while a run is going the lake is left to it", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("busy", [{ id: "a" }]), dagSpec("writer", [{ id: "w" }]));
  await createRun(db, { dagId: "writer", by: "test" });
  const [ran] = await work(db, () => success());
  await recordTaskIo(db, ran?.attemptId as string, { reads: [], writes: [{ dataset: "conformed.fact_sales" }] });
  t.deepEqual(await tablesToSync(db), ["conformed.fact_sales"]);
  await createRun(db, { dagId: "busy", by: "test" });
  t.deepEqual(await tablesToSync(db), []);
  await db.query("update lineage_io set at = now() - interval '4 minutes'");
  t.deepEqual(await tablesToSync(db), ["conformed.fact_sales"]);
});
