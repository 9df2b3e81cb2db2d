/** Whether the pools that DAG files name are there: what is wrong is a warning, for a pool can be made at any time. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DagSpec } from "../dag/spec.ts";
import { BUILT_IN_POOLS, poolWarningText } from "../metadata/pools.ts";
import { listPools } from "../metadata/views/pool-views.ts";
import type { CommandContext } from "./program.ts";
import { withDatabase } from "./with-database.ts";

/**
 * A sentence for each task whose pool is not there or too small. Asks the database only where the built-in pools do not do, and
 * makes none for that.
 */
export async function checkPools(context: CommandContext, dags: readonly DagSpec[]): Promise<string[]> {
  const tasks = dags.flatMap((dag) => dag.tasks.map((task) => ({ dagId: dag.dagId, ...task })));
  const suffices = (slots: number | undefined, needed: number) => slots !== undefined && slots >= needed;
  if (tasks.every(({ pool, poolSlots }) => suffices(BUILT_IN_POOLS.get(pool), poolSlots))) return [];
  const slots = await slotsByPool(context);
  return tasks
    .filter(({ pool, poolSlots }) => !suffices(slots.get(pool), poolSlots))
    .map((task) => `DAG ${task.dagId}: ${poolWarningText({ ...task, slots: slots.get(task.pool) ?? null })}`);
}

async function slotsByPool(context: CommandContext): Promise<ReadonlyMap<string, number>> {
  const { databaseUrl, home } = context.config;
  if (databaseUrl === null && !existsSync(join(home, "pg"))) return BUILT_IN_POOLS;
  return withDatabase(context, async (database) => {
    const { rows } = await listPools(database, {}, { limit: 100_000, offset: 0, orderBy: [] });
    return new Map(rows.map((row) => [row.name, row.slots]));
  });
}
