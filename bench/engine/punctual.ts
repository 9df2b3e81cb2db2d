/** punctual: how late DAGs start that are all due in the same minute. */
import { setTimeout as sleep } from "node:timers/promises";
import { fleet } from "./dag-files.ts";
import { percentiles } from "./readings.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

const MINUTE_MS = 60_000;
/** A minute that is nearly over is not waited for: the schedules are planned first. */
const MARGIN_MS = 5_000;
const DAGS = 200;

/** 200 DAGs of one task, every minute; two minutes are measured: runners rest before the first and are warm in the second. */
export const punctual: Row = {
  dags: fleet("punctual", { dags: DAGS, tasks: 1 }, 'cron("* * * * *", { timezone: "UTC" })'),
  async *measure(stand) {
    const left = MINUTE_MS - (Date.now() % MINUTE_MS);
    if (left < MARGIN_MS) await sleep(left);
    await stand.unpause("punctual_%");
    for (const name of ["first minute", "start delay"]) {
      await sleep(MINUTE_MS - (Date.now() % MINUTE_MS));
      const minute = new Date(Math.round(Date.now() / MINUTE_MS) * MINUTE_MS);
      const { rows } = await untilStarted(stand, minute);
      yield* percentiles(`punctual ${name}`, "ms", [rows.map((row) => row.ms)]);
    }
    await stand.pause("punctual_%");
  },
};

/** The delays of what was due in a minute, when all has started. */
async function untilStarted(stand: Stand, minute: Date) {
  for (let waited = 0; ; waited += 500) {
    const found = await stand.database.query<{ ms: number }>(
      `select extract(epoch from t.started_at - r.run_after)::float8 * 1000 as ms from dag_run r join task_instance t on t.dag_run_id = r.id
       where r.kind = 'scheduled' and r.run_after = $1 and t.started_at is not null`,
      [minute],
    );
    if (found.rows.length === DAGS) return found;
    if (waited >= MINUTE_MS) throw new Error(`${found.rows.length} of ${DAGS} DAGs started in their minute`);
    await sleep(500);
  }
}
