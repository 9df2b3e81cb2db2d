import test from "ava";
import { createWorker } from "../../src/worker/worker.ts";
import { testDatabase } from "../support/database.ts";
import { testConfig, testHome, until } from "./support.ts";

test("a worker that is told to stop while it registers does not come up, and leaves no session", async (t) => {
  const database = await testDatabase(t);
  const worker = await createWorker({ database, config: testConfig(await testHome(t)), warn: () => {} });
  const told = await database.transaction(async (holder) => {
    await holder.query("lock table worker in share mode");
    const started = worker.start();
    await until(async () => (await holder.query(WAITING)).rowCount === 1);
    return [started, worker.stop("drain")];
  });
  await Promise.all(told);
  const { rows } = await database.query("select state, ended_at is not null as ended from worker");
  t.deepEqual(rows, [{ state: "ended", ended: true }]);
});

/** Whoever waits for the table in the test's own database. */
const WAITING = `select from pg_locks l join pg_database d on d.oid = l.database
                  where d.datname = current_database() and l.relation = 'worker'::regclass and not l.granted`;
