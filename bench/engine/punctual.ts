/** punctual: how late DAGs start that are all due in the same minute. */
import { setTimeout as sleep } from "node:timers/promises";
import { fleet } from "./dag-files.ts";
import { percentiles } from "./readings.ts";
import type { Row } from "./row.ts";

const MINUTE_MS = 60_000;
/** A minute that is nearly over is not waited for: the schedules are planned first. */
const MARGIN_MS = 5_000;
const DAGS = 200;

/** 200 DAGs of one task, every minute; one minute is measured. */
export const punctual: Row = {
  dags: fleet("punctual", { dags: DAGS, tasks: 1 }, 'cron("* * * * *", { timezone: "UTC" })'),
  async *measure(stand) {
    const left = MINUTE_MS - (Date.now() % MINUTE_MS);
    if (left < MARGIN_MS) await sleep(left);
    await stand.unpause("punctual_%");
    const rest = MINUTE_MS - (Date.now() % MINUTE_MS);
    await sleep(rest + MARGIN_MS);
    await stand.pause("punctual_%");
    const { rows } = await stand.database.query<{ ms: number }>(
      `select extract(epoch from t.started_at - r.run_after)::float8 * 1000 as ms
       from dag_run r join task_instance t on t.dag_run_id = r.id where r.kind = 'scheduled' and t.started_at is not null`,
    );
    if (rows.length !== DAGS) throw new Error(`${rows.length} of ${DAGS} DAGs started in their minute`);
    const delays = rows.map((row) => row.ms);
    yield* percentiles("punctual start delay", "ms", [delays]);
  },
};
