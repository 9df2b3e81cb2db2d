import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { ErrorCode, QflowError } from "../../src/errors.ts";
import { run } from "../../src/operators/load-record.run.ts";
import { loadRecordSchema } from "../../src/operators/load-record.ts";
import { operatorContext } from "../support/operator-context.ts";
import { type FeedWorld, feedWorld } from "./feed.ts";

async function landed(t: ExecutionContext) {
  const world = await feedWorld(t);
  world.batch(1);
  const { files } = await world.ingest(1);
  return { world, files };
}

async function record(world: FeedWorld, config: unknown) {
  const home = await mkdtemp(join(tmpdir(), "qflow-record-"));
  await rm(home, { recursive: true });
  const { context, recorded } = operatorContext({ database: world.database, home });
  return { totals: await run(loadRecordSchema.parse(config), context), recorded };
}

const states = async (world: FeedWorld) =>
  (await world.database.query("select state from file_manifest order by file_id")).rows.map((row) => row.state);

test("balanced counts are recorded with their reasons, and a second time the same", async (t) => {
  const { world, files } = await landed(t);
  const counts = files.map(({ fileId }, i) => ({
    fileId,
    read: 10 + i,
    loaded: 7,
    duplicate: 2,
    conflict: 1,
    quarantined: 1 + i,
    reasons: { "units: not a number": 1 },
  }));
  const { totals, recorded } = await record(world, { files, counts });
  t.deepEqual(totals, { files: 3, read: 33, loaded: 21, duplicate: 6, conflict: 3, quarantined: 6, superseded: [] });
  t.is(recorded.permits, 1);
  t.deepEqual((await record(world, { files, counts })).totals, totals);
  t.deepEqual(await states(world), ["loaded", "loaded", "loaded"]);
  const row = await world.database.query("select reasons, rows_conflict from file_manifest limit 1");
  t.deepEqual(row.rows[0], { reasons: { "units: not a number": 1 }, rows_conflict: "1" });
});

test("counts that do not balance, are missing or foreign are refused by name and write nothing", async (t) => {
  const { world, files } = await landed(t);
  const good = files.map(({ fileId }) => ({ fileId, read: 3, loaded: 3 }));
  const [first, ...others] = good;
  const cases: [unknown[], ErrorCode, RegExp][] = [
    [
      [{ ...first, read: 4 }, ...others],
      "LOAD_UNBALANCED",
      /file \d+: 4 rows read, but 3 loaded \+ 0 duplicate \+ 0 quarantined/,
    ],
    [
      [{ ...first, read: 4, duplicate: 1, conflict: 2 }, ...others],
      "LOAD_UNBALANCED",
      /2 conflicts among 1 duplicates/,
    ],
    [others, "LOAD_INCOMPLETE", /no counts for file/],
    [[...good, { fileId: 999, read: 0, loaded: 0 }], "LOAD_INCOMPLETE", /999/],
    [[...good, first], "LOAD_INCOMPLETE", /counted twice/],
  ];
  for (const [counts, code, message] of cases) {
    const error = await t.throwsAsync(record(world, { files, counts }), { message });
    t.is((error as QflowError).code, code);
  }
  t.deepEqual(await states(world), ["verified", "verified", "verified"]);
});

test("nothing landed is nothing to record", async (t) => {
  const world = await feedWorld(t);
  const { totals } = await record(world, { files: [], counts: [] });
  t.is(totals.read, 0);
});
