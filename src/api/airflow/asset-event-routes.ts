/** Dataset events in Airflow's words: asset events. */
import { type DatasetEventRow, listUpstreamEvents, type StartedRun } from "../../metadata/views/dataset-event-view.ts";
import { type AssetEvent, type AssetEventCollection, assetEventCollection, type RunState } from "../contract.ts";
import { route } from "../route.ts";
import { iso, isoOrNull } from "./shape.ts";

function createdRun(run: StartedRun): AssetEvent["created_dagruns"][number] {
  return {
    run_id: run.run_id,
    dag_id: run.dag_id,
    logical_date: isoOrNull(run.logical_date),
    start_date: isoOrNull(run.started_at),
    end_date: isoOrNull(run.ended_at),
    state: run.state as RunState,
    data_interval_start: isoOrNull(run.interval_start),
    data_interval_end: isoOrNull(run.interval_end),
    partition_key: run.partition,
  };
}

function assetEvent(row: DatasetEventRow): AssetEvent {
  return {
    id: row.id,
    asset_id: row.dataset_id,
    uri: row.dataset,
    name: row.dataset,
    group: "asset",
    // Airflow's clients take it for an object.
    extra: row.extra ?? {},
    source_task_id: row.source_task_id,
    source_dag_id: row.source_dag_id,
    source_run_id: row.source_run_id,
    source_map_index: row.source_map_index,
    created_dagruns: row.started_runs.map(createdRun),
    timestamp: iso(row.at),
    partition_key: row.partition,
  };
}

const upstream = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/dagRuns/:run_id/upstreamAssetEvents",
  guard: "viewer",
  summary: "Dataset events that started a run, oldest first.",
  response: assetEventCollection,
  handle: async ({ api, params }): Promise<AssetEventCollection> => {
    const rows = await listUpstreamEvents(api.database, params.dag_id, params.run_id);
    return { asset_events: rows.map(assetEvent), total_entries: rows.length };
  },
});

/** Dataset events. */
export const assetEventRoutes = [upstream];
