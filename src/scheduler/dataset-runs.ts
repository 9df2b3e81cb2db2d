/** Creates the runs of dataset schedules: every event is consumed once by every consumer, in order. */
import { checkParams } from "../dag/params.ts";
import type { DatasetCondition, Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "../metadata/database.ts";
import {
  consumeEvents,
  type DatasetConsumer,
  lockConsumer,
  markPlanned,
  waitingConsumers,
  waitingEvents,
} from "../metadata/dataset-runs.ts";
import {
  consumePartition,
  markPartitions,
  newestOf,
  readyPartitions,
  takeInEvents,
  type WaitingPartition,
  waitingPartitions,
} from "../metadata/partition-runs.ts";
import { insertRun, startRuns } from "../metadata/runs.ts";
import { holds, planDatasetRuns } from "./dataset-plan.ts";
import { createForEach, type EachDagReport } from "./each-dag.ts";

/** Creates what waiting events ask for. A DAG that cannot be served does not hold up the others. */
export async function createDatasetRuns(database: Database): Promise<EachDagReport> {
  return createForEach(database, await waitingConsumers(database), createFor);
}

async function createFor(sql: Sql, dagId: string): Promise<number> {
  const consumer = await lockConsumer(sql, dagId);
  const schedule = consumer?.spec.schedule;
  if (!consumer || schedule?.kind !== "datasets") return 0;
  const { condition, consume } = schedule;
  const created =
    consume === "partition"
      ? await createByPartition(sql, consumer, condition)
      : await createByEvents(sql, consumer, { condition, consume });
  if (consumer.replan) await markPlanned(sql, dagId);
  if (created > 0) await startRuns(sql, dagId);
  return created;
}

async function createByEvents(
  sql: Sql,
  consumer: DatasetConsumer,
  schedule: Parameters<typeof planDatasetRuns>[0],
): Promise<number> {
  const plans = planDatasetRuns(schedule, await waitingEvents(sql, consumer.dagId), consumer.room);
  for (const { events, conf } of plans) {
    const ids = events.map((event) => event.id);
    const key = await createOne(sql, consumer, { conf, newest: ids.at(-1) as number, partition: null });
    if (key !== null) await consumeEvents(sql, consumer.dagId, key, ids);
  }
  return plans.length;
}

async function createByPartition(sql: Sql, consumer: DatasetConsumer, condition: DatasetCondition): Promise<number> {
  const { dagId } = consumer;
  const touched = await takeInEvents(sql, dagId);
  // Only what has new events can have become complete, unless the condition is another one now.
  if (touched.length > 0 || consumer.replan) {
    const found = await waitingPartitions(sql, dagId, consumer.replan ? undefined : touched);
    const { ready = [], waiting = [] } = Object.groupBy(found, ({ datasets }) =>
      holds(condition, new Set(datasets)) ? "ready" : "waiting",
    );
    const namesOf = (partitions: readonly WaitingPartition[]) => partitions.map(({ partition }) => partition);
    await markPartitions(sql, dagId, { ready: namesOf(ready), waiting: namesOf(waiting) });
  }
  const partitions = await readyPartitions(sql, dagId, Math.max(0, consumer.room));
  for (const partition of partitions) {
    const newest = await newestOf(sql, dagId, partition);
    const key = await createOne(sql, consumer, { conf: {}, newest, partition: partition === "" ? null : partition });
    if (key !== null) await consumePartition(sql, dagId, key, partition);
  }
  return partitions.length;
}

interface Wanted {
  readonly conf: Json;
  /** Id of the newest of its events: no other run of the DAG has that. */
  readonly newest: number;
  readonly partition: string | null;
}

function createOne(sql: Sql, consumer: DatasetConsumer, { conf, newest, partition }: Wanted): Promise<number | null> {
  const { dagId, versionId, now } = consumer;
  return insertRun(sql, {
    dagId,
    runId: `dataset__${now.toISOString()}_${newest}`,
    versionId,
    kind: "dataset",
    logicalDate: null,
    interval: null,
    runAfter: null,
    conf,
    params: paramsOf(consumer.spec, conf),
    by: "scheduler",
    partition,
  });
}

/** An event's extra that is no object, or does not fit the DAG's params, leaves them at their defaults: it is still the conf. */
function paramsOf(spec: DatasetConsumer["spec"], conf: Json) {
  try {
    return checkParams(spec, conf);
  } catch (error) {
    if (!(error instanceof QflowError && error.code === "PARAMS_INVALID")) throw error;
    return checkParams(spec, {});
  }
}
