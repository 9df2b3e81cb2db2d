import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { createRun } from "../../src/metadata/runs.ts";
import { FINAL_TASK_STATES, legalMoves, TASK_MOVES, TASK_STATES } from "../../src/metadata/task-states.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy } from "./fixtures.ts";

test("the guard in the database lets exactly the moves of the table through", (t) => {
  const sql = readFileSync(join(import.meta.dirname, "../../migrations/functions/states.sql"), "utf8");
  const inGuard = [...sql.matchAll(/'(\w+>\w+)'/g)].map((match) => match[1] as string);
  t.deepEqual(inGuard.sort(), legalMoves().sort());
});

test("the database refuses every other move, by name", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await createRun(db, { dagId: "d", by: "test" });
  const legal = new Set(legalMoves());
  for (const from of TASK_STATES) {
    for (const to of TASK_STATES) {
      if (from === to) continue;
      // Goes around the guard to get there.
      await db.transaction(async (sql) => {
        await sql.query("set local session_replication_role = replica");
        await sql.query("update task_instance set state = $1", [from]);
      });
      const move = db.query("update task_instance set state = $1", [to]);
      if (legal.has(`${from}>${to}`)) await t.notThrowsAsync(move, `${from}>${to}`);
      else await t.throwsAsync(move, { code: "QF001", message: new RegExp(`from ${from} to ${to}`) }, `${from}>${to}`);
    }
  }
});

test("an instance is born undecided", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await createRun(db, { dagId: "d", by: "test" });
  const born = db.query(
    `insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, map_index, state, rule, expands, up_total, lane, pool, pool_slots, priority)
     select dag_run_id, version_id, dag_id, task_id, task_index, 7, 'queued', rule, false, 0, lane, pool, 1, 0 from task_instance`,
  );
  await t.throwsAsync(born, { code: "QF001" });
});

test("an ended instance leaves its state only to be done again", (t) => {
  for (const state of FINAL_TASK_STATES) t.deepEqual(TASK_MOVES[state], { clear: "none" });
});
