/** Creates the runs of dataset schedules: every event is consumed once by every consumer, in order. */
import { checkParams } from "../dag/params.ts";
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "../metadata/database.ts";
import {
  consumeEvents,
  type DatasetConsumer,
  lockConsumer,
  waitingConsumers,
  waitingEvents,
} from "../metadata/dataset-runs.ts";
import { insertRun, startRuns } from "../metadata/runs.ts";
import { isTransient } from "../metadata/transient.ts";
import { type DatasetRunPlan, planDatasetRuns } from "./dataset-plan.ts";

/** What a look at waiting events did. */
export interface DatasetReport {
  readonly created: number;
  /** DAGs for which no run could be made; their events keep waiting. */
  readonly refused: readonly { readonly dagId: string; readonly error: unknown }[];
}

/** Creates what waiting events ask for. A DAG that cannot be served does not hold up the others. */
export async function createDatasetRuns(database: Database): Promise<DatasetReport> {
  let created = 0;
  const refused: { dagId: string; error: unknown }[] = [];
  for (const dagId of await waitingConsumers(database)) {
    try {
      created += await database.transaction((sql) => createFor(sql, dagId));
    } catch (error) {
      if (isTransient(error)) throw error;
      refused.push({ dagId, error });
    }
  }
  return { created, refused };
}

async function createFor(sql: Sql, dagId: string): Promise<number> {
  const consumer = await lockConsumer(sql, dagId);
  const schedule = consumer?.spec.schedule;
  if (!consumer || schedule?.kind !== "datasets") return 0;
  const plans = planDatasetRuns(schedule, await waitingEvents(sql, dagId), consumer.room);
  for (const plan of plans) await createOne(sql, consumer, plan);
  if (plans.length > 0) await startRuns(sql, dagId);
  return plans.length;
}

async function createOne(sql: Sql, consumer: DatasetConsumer, plan: DatasetRunPlan): Promise<void> {
  const { dagId, versionId, now } = consumer;
  const ids = plan.events.map((event) => event.id);
  const key = await insertRun(sql, {
    dagId,
    runId: `dataset__${now.toISOString()}_${ids.at(-1)}`,
    versionId,
    kind: "dataset",
    logicalDate: null,
    interval: null,
    runAfter: null,
    conf: plan.conf,
    params: paramsOf(consumer.spec, plan.conf),
    by: "scheduler",
  });
  if (key !== null) await consumeEvents(sql, dagId, key, ids);
}

/** An event's extra that is no object, or does not fit the DAG's params, leaves them at their defaults: it is still the conf. */
function paramsOf(spec: DatasetConsumer["spec"], conf: DatasetRunPlan["conf"]) {
  try {
    return checkParams(spec, conf);
  } catch (error) {
    if (!(error instanceof QflowError && error.code === "PARAMS_INVALID")) throw error;
    return checkParams(spec, {});
  }
}
