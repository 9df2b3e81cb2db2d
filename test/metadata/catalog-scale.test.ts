import test from "ava";
import { searchDatasets } from "../../src/metadata/catalog.ts";
import type { Database } from "../../src/metadata/database.ts";
import { lineageClosure, lineageOf } from "../../src/metadata/lineage-graph.ts";
import { testDatabase } from "../support/database.ts";

const JOBS = 20_000;

/** A binary tree of datasets: `t.1` feeds `t.2` and `t.3`, and so on, by one job each. */
async function grow(db: Database): Promise<void> {
  await db.query(
    `insert into catalog_dataset (dataset_id, name, layer, kind) select n, 't.' || n, 'other', 'table' from generate_series(1, $1) n`,
    [JOBS],
  );
  await db.query(
    `insert into catalog_job (job_id, namespace, name) select 1000000 + n, 'test', 'j' || n from generate_series(2, $1) n`,
    [JOBS],
  );
  await db.query(
    `insert into catalog_edge (source, target, observed_at)
     select n / 2, 1000000 + n, now() from generate_series(2, $1) n union all select 1000000 + n, n, now() from generate_series(2, $1) n`,
    [JOBS],
  );
  await db.query("analyze catalog_edge, catalog_dataset, catalog_job");
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startedAt = performance.now();
  return [await work(), performance.now() - startedAt];
}

test("with 20,000 jobs one hop, a long path and a page stay fast, and what is too much is cut and said", async (t) => {
  const db = await testDatabase(t);
  await grow(db);
  const [up, upMs] = await timed(() => lineageClosure(db, `t.${JOBS}`, "upstream"));
  t.is(up.length, Math.floor(Math.log2(JOBS)));
  const [hop, hopMs] = await timed(() => lineageOf(db, { node: "dataset:t.100", depth: 1, direction: "both" }));
  t.is(hop.nodes.length, 7);
  t.true(hop.nodes.find((node) => node.id === "dataset:t.200")?.more_downstream);
  const [all, allMs] = await timed(() => lineageOf(db, { node: "dataset:t.1", depth: 20, direction: "downstream" }));
  t.true(all.truncated);
  const [page, pageMs] = await timed(() => searchDatasets(db, { limit: 100 }));
  t.is(page.total, JOBS);
  t.log({ upMs, hopMs, allMs, pageMs });
  for (const ms of [upMs, hopMs, allMs, pageMs]) t.true(ms < 30_000);
});
