/** Whether the pools that DAG files name are there: what is wrong is a warning, for a pool can be made at any time. */
import type { DagSpec } from "../dag/spec.ts";
import { BUILT_IN_POOLS, poolWarningText } from "../metadata/pools.ts";
import { listPools } from "../metadata/views/pool-views.ts";
import type { CommandContext } from "./program.ts";
import { withDatabase } from "./with-database.ts";

/** A sentence for each task whose pool is not there or too small. Asks the database only where a pool is named that is not built in. */
export async function checkPools(context: CommandContext, dags: readonly DagSpec[]): Promise<string[]> {
  const tasks = dags.flatMap((dag) => dag.tasks.map((task) => ({ dagId: dag.dagId, ...task })));
  const named = tasks.filter(({ pool, poolSlots }) => !BUILT_IN_POOLS.includes(pool) || poolSlots > 1);
  if (named.length === 0) return [];
  const slots = await withDatabase(context, async (database) => {
    const { rows } = await listPools(database, {}, { limit: 100_000, offset: 0, orderBy: [] });
    return new Map(rows.map((row) => [row.name, row.slots]));
  });
  return named
    .map(({ dagId, taskId, pool, poolSlots }) => ({ dagId, taskId, pool, poolSlots, slots: slots.get(pool) ?? null }))
    .filter((one) => one.slots === null || one.poolSlots > one.slots)
    .map((one) => `DAG ${one.dagId}: ${poolWarningText(one)}`);
}
