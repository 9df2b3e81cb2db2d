import test from "ava";
import {
  consumerOffsets,
  consumptionOf,
  type NewConsumption,
  recordConsumption,
} from "../../src/metadata/consumers.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { type ClaimedTask, finishAndClaim } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, worker } from "./fixtures.ts";

/** A consumption of offsets `from` to `to` of partition 0, by an attempt that saw `from` when it began. */
function consumed({ attemptId, token }: ClaimedTask, from: number, to: number): NewConsumption {
  const range = { partition: 0, known: from === 0 ? null : from, from, to, end: 100 };
  const names = { dagId: "d", taskId: "t", consumer: "c", topic: "orders", topicId: "1" };
  return { attempt: { attemptId, token }, ...names, ranges: [range], result: to, staged: null, file: null, dead: [] };
}

test("of two attempts that consumed the same, one moves the offsets; the other changes nothing", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "t" }]));
  for (const runId of ["a", "b", "c"]) await createRun(db, { dagId: "d", runId, by: "test" });
  const { claimed } = await finishAndClaim(db, await worker(db), [], { functions: 3, operators: 0 });
  const [first, second, third] = claimed as [ClaimedTask, ClaimedTask, ClaimedTask];
  await db.transaction((sql) => recordConsumption(sql, consumed(first, 0, 5)));
  await db.transaction((sql) => recordConsumption(sql, consumed(second, 5, 9)));
  for (const late of [consumed(third, 0, 7), consumed(third, 5, 7)])
    await t.throwsAsync(
      db.transaction((sql) => recordConsumption(sql, late)),
      { code: "KAFKA_FENCED" },
    );
  t.deepEqual(await consumerOffsets(db, "c", "orders"), [{ partition: 0, topicId: "1", next: 9 }]);
  t.is(await consumptionOf(db, third), null);
  const stranger = { ...consumed(third, 9, 12), attempt: { ...first, attemptId: third.attemptId } };
  await t.throwsAsync(
    db.transaction((sql) => recordConsumption(sql, stranger)),
    { code: "FENCED" },
  );
});
