/** Dataset events in the shape Airflow 3 gives asset events. */
import { z } from "zod";
import { instant, json, runState } from "./shared.ts";

/** A run that an event started. */
const createdRun = z.object({
  run_id: z.string(),
  dag_id: z.string(),
  logical_date: instant.nullable(),
  start_date: instant.nullable(),
  end_date: instant.nullable(),
  state: runState,
  data_interval_start: instant.nullable(),
  data_interval_end: instant.nullable(),
  partition_key: z.string().nullable(),
});

export const assetEvent = z
  .object({
    id: z.number(),
    asset_id: z.number(),
    /** The dataset's id; so is `name`. */
    uri: z.string(),
    name: z.string(),
    group: z.string(),
    extra: json,
    source_task_id: z.string().nullable(),
    source_dag_id: z.string().nullable(),
    source_run_id: z.string().nullable(),
    source_map_index: z.number(),
    created_dagruns: z.array(createdRun),
    timestamp: instant,
    partition_key: z.string().nullable(),
  })
  .meta({ id: "AssetEvent" });

export const assetEventCollection = z
  .object({ asset_events: z.array(assetEvent), total_entries: z.number() })
  .meta({ id: "AssetEventCollection" });

export type AssetEvent = z.infer<typeof assetEvent>;
export type AssetEventCollection = z.infer<typeof assetEventCollection>;
