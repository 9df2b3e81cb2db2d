import test from "ava";
import fc from "fast-check";
import { dataset } from "../../src/dag/datasets.ts";
import { showDataset, tablesToSync } from "../../src/metadata/catalog.ts";
import { syncDeclarations } from "../../src/metadata/catalog-declare.ts";
import { ensureDatasets, recordSchemas } from "../../src/metadata/catalog-nodes.ts";
import { schemaHistory, versionsOf } from "../../src/metadata/catalog-schemas.ts";
import type { Database } from "../../src/metadata/database.ts";
import { lineageOf } from "../../src/metadata/lineage-graph.ts";
import { resumeService } from "../../src/metadata/services/actions.ts";
import type { ClaimedService, FieldNote } from "../../src/metadata/services/types.ts";
import { reportService } from "../../src/metadata/services/work.ts";
import { testDatabase } from "../support/database.ts";
import { claimOne, deployServices, serviceSpec, serviceWorker } from "./service-fixture.ts";

const TABLE = "standardized.app_events";
const OPTIONS = {
  owner: "stream-team",
  reads: [dataset("kafka.app-events")],
  emits: [dataset(TABLE, { description: "What the app does" })],
};

async function running(db: Database): Promise<ClaimedService> {
  await deployServices(db, serviceSpec("a", OPTIONS));
  await resumeService(db, "s");
  const claimed = await claimOne(db, await serviceWorker(db));
  await syncDeclarations(db);
  return claimed;
}

function say(db: Database, claimed: ClaimedService, number: number, fields: readonly FieldNote[]): Promise<boolean> {
  const events = [{ dataset: TABLE, partition: "2026-11-22/10" }];
  return reportService(db, claimed, { number, seen: true, batches: [], events, fields });
}

const field = (name: string, type = "string") => ({ dataset: TABLE, name, type });

test("what a service reads and emits is in the lineage as it declares it, until it declares it no more", async (t) => {
  const db = await testDatabase(t);
  await running(db);
  const shown = await showDataset(db, TABLE);
  t.deepEqual(shown.producing_services, ["s"]);
  t.deepEqual(
    shown.upstream.map(({ id }) => id),
    ["kafka.app-events"],
  );
  t.like(shown, { description: "What the app does", owner: "stream-team", kind: "table" });
  const topic = await showDataset(db, "kafka.app-events");
  t.like(topic, { kind: "topic", layer: "source", consuming_services: ["s"] });
  const graph = await lineageOf(db, { node: `dataset:${TABLE}`, depth: 1, direction: "upstream" });
  t.is(graph.nodes.find(({ kind }) => kind === "job")?.service_id, "s");
  t.deepEqual(await syncDeclarations(db), []);

  await deployServices(db, serviceSpec("a", { ...OPTIONS, reads: [] }));
  t.deepEqual(await syncDeclarations(db), ["s"]);
  t.deepEqual((await showDataset(db, "kafka.app-events")).consuming_services, []);
  await deployServices(db);
  t.deepEqual(await syncDeclarations(db), ["s"]);
  t.deepEqual((await showDataset(db, TABLE)).producing_services, []);
});

test("a dataset was last written when a service announced it, and is looked up in the metastore now and then", async (t) => {
  const db = await testDatabase(t);
  const claimed = await running(db);
  t.is((await showDataset(db, TABLE)).written_at, null);
  t.deepEqual(await tablesToSync(db), []);
  await say(db, claimed, 1, []);
  const shown = await showDataset(db, TABLE);
  t.like(shown.last_service_write, { service_id: "s", attempt_number: 1, row_count: null });
  t.true(shown.written_at !== null && shown.age !== null && shown.age < 60);
  t.deepEqual(await tablesToSync(db), [TABLE]);
  // It writes all the time: that is no reason to count its rows all the time.
  const syncedAgo = async (age: string) => {
    await db.query("update catalog_dataset set synced_at = now() - $2::interval where name = $1", [TABLE, age]);
    return tablesToSync(db);
  };
  t.deepEqual(await syncedAgo("9 minutes"), []);
  t.deepEqual(await syncedAgo("11 minutes"), [TABLE]);
});

test("a field or a type that lands for the first time makes a new version of the schema", async (t) => {
  const db = await testDatabase(t);
  const claimed = await running(db);
  const { dataset_id: datasetId } = await showDataset(db, TABLE);
  const columns = [{ name: "event_type", type: "string" }];
  const at = new Date(Date.now() - 60_000);
  await recordSchemas(db, [{ datasetId, dataset: TABLE, source: "hive", columns, at }]);
  t.is((await showDataset(db, TABLE)).schema_version, 1);

  await say(db, claimed, 1, [field("couponCode")]);
  // A report that is told again, and a field that is known.
  await say(db, claimed, 1, [field("late")]);
  await say(db, claimed, 2, [field("couponCode")]);
  t.is((await showDataset(db, TABLE)).schema_version, 2);
  await say(db, claimed, 3, [field("couponCode", "object"), field("metadata.campaign")]);
  const wider = [...columns, { name: "coupon_code", type: "string" }];
  await recordSchemas(db, [
    { datasetId, dataset: TABLE, source: "hive", columns: wider, at: new Date(Date.now() + 60_000) },
  ]);

  const { versions, fields } = await schemaHistory(db, datasetId);
  t.is((await showDataset(db, TABLE)).schema_version, 4);
  t.deepEqual(
    versions.map(({ at: _, removed: __, ...version }) => version),
    [
      { version: 1, kind: "columns", added: [{ name: "event_type", type: "string" }], changed: [] },
      { version: 2, kind: "fields", added: [{ name: "couponCode", type: "string" }], changed: [] },
      {
        version: 3,
        kind: "fields",
        added: [{ name: "metadata.campaign", type: "string" }],
        changed: [{ name: "couponCode", type: "object", before: "string" }],
      },
      { version: 4, kind: "columns", added: [{ name: "coupon_code", type: "string" }], changed: [] },
    ],
  );
  t.deepEqual(
    fields.map(({ name, type, service_id: by }) => [name, type, by]),
    [
      ["couponCode", "string", "s"],
      ["couponCode", "object", "s"],
      ["metadata.campaign", "string", "s"],
    ],
  );
});

test("whoever sends documents cannot fill the catalog with names", async (t) => {
  const db = await testDatabase(t);
  const claimed = await running(db);
  const many = (from: number) => Array.from({ length: 600 }, (_, at) => field(`f${from + at}`));
  await say(db, claimed, 1, many(0));
  await say(db, claimed, 2, many(600));
  await say(db, claimed, 3, many(1_200));
  const count = async () => (await db.query("select from catalog_field")).rowCount;
  t.is(await count(), 1_200);
  await db.query("update catalog_field set last_seen_at = now() - interval '2 hours'");
  await say(db, claimed, 4, [field("f0")]);
  const seen = await db.query<{ name: string }>(
    "select name from catalog_field where last_seen_at > now() - interval '1 hour'",
  );
  t.deepEqual(seen.rows, [{ name: "f0" }]);
});

test("what is declared of a dataset that nobody has named before is in the catalog under its kind", async (t) => {
  const db = await testDatabase(t);
  await ensureDatasets(db, ["kafka.clicks", "enriched.x"]);
  t.is((await showDataset(db, "kafka.clicks")).kind, "topic");
  t.is((await showDataset(db, "enriched.x")).kind, "table");
});

test("property: changes applied one after the other give every schema again", (t) => {
  const schema = fc
    .dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("int", "string"))
    .map((columns) => Object.entries(columns).map(([name, type]) => ({ name, type })));
  const history = fc.array(schema, { maxLength: 8 });
  fc.assert(
    fc.property(history, (schemas) => {
      const versions = versionsOf(schemas.map((columns) => ({ at: new Date(), kind: "columns" as const, columns })));
      const now = new Map<string, string | null>();
      return versions.every(({ added, removed, changed }, index) => {
        for (const { name } of removed) if (!now.delete(name)) return false;
        for (const { name, type } of added) {
          if (now.has(name)) return false;
          now.set(name, type);
        }
        for (const { name, type, before } of changed) {
          if (now.get(name) !== before || before === type) return false;
          now.set(name, type);
        }
        const expected = schemas[index] ?? [];
        return now.size === expected.length && expected.every(({ name, type }) => now.get(name) === type);
      });
    }),
  );
  t.pass();
});
