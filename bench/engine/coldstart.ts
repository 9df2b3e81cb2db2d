/** coldstart: from the start of the processes to the first task, the database being there. */
import { figure } from "../figure.ts";
import { chain } from "./dag-files.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

const TIMES = 3;

/** A run waits; scheduler and worker are started. */
export const coldstart: Row = {
  dags: { "cold.ts": chain("cold", 1, 10) },
  async *measure(stand) {
    await stand.unpause("cold");
    const seconds: number[] = [];
    for (let i = 0; i < TIMES; i++) seconds.push(await once(stand));
    yield figure("coldstart", "s", seconds);
  },
};

async function once(stand: Stand): Promise<number> {
  await stand.stopProcess("worker");
  await stand.stopProcess("scheduler");
  const [run] = await stand.trigger("cold");
  const startedAt = Date.now();
  await stand.startProcess("scheduler");
  await stand.startProcess("worker");
  await stand.untilEnded([run ?? 0]);
  const { rows } = await stand.database.query<{ at: Date }>(
    "select min(started_at) as at from task_instance where dag_run_id = $1",
    [run],
  );
  return ((rows[0]?.at.getTime() ?? Number.NaN) - startedAt) / 1000;
}
