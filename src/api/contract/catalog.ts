/** `/api/catalog…`: datasets, lineage, columns and files. qflow's own. */
import { z } from "zod";
import { FILE_STATES } from "./file-states.ts";
import { instant } from "./shared.ts";

/** Where a dataset lives in the lake; `source` = outside systems and raw files, `report` = files for people. */
export const LAYERS = ["source", "staging", "standardized", "conformed", "enriched", "report", "other"] as const;
export const layer = z.enum(LAYERS);

/** The run, task and try behind a fact; every one can be opened. */
export const runRef = z.object({
  dag_id: z.string(),
  dag_run_id: z.string(),
  task_id: z.string(),
  map_index: z.number(),
  try_number: z.number(),
  attempt_id: z.string(),
  at: instant,
});

/** How fresh a dataset is. `ok` = written no longer ago than twice its usual gap; `unknown` = fewer than three writes. */
export const freshness = z.object({
  status: z.enum(["ok", "late", "unknown"]),
  written_at: instant.nullable(),
  /** Median seconds between writes, where known. */
  usual_gap_seconds: z.number().nullable(),
});

/** What a service announced last of a dataset. */
export const serviceWrite = z.object({
  service_id: z.string(),
  attempt_number: z.number(),
  at: instant,
  rows: z.number().nullable(),
});

export const datasetSummary = z
  .object({
    /** The catalog's name, e.g. `conformed.fact_sales`; ids in paths are URL-encoded. */
    id: z.string(),
    layer,
    kind: z.enum(["table", "files", "topic", "other"]),
    description: z.string().nullable(),
    owner: z.string().nullable(),
    column_count: z.number(),
    row_count: z.number().nullable(),
    partition_count: z.number().nullable(),
    has_pii: z.boolean(),
    freshness,
    last_writer: runRef.nullable(),
    last_service_write: serviceWrite.nullable(),
    upstream_count: z.number(),
    downstream_count: z.number(),
  })
  .meta({ id: "DatasetSummary" });

/** `GET /api/catalog/datasets?search=&layer=&limit=&after=`; `next` is the `after` of the next page, or null. */
export const datasetPage = z
  .object({ datasets: z.array(datasetSummary), total_entries: z.number(), next: z.string().nullable() })
  .meta({ id: "DatasetPage" });

export const column = z.object({
  name: z.string(),
  /** As Spark names it: `string`, `decimal(12,2)`, … */
  type: z.string().nullable(),
  position: z.number(),
  description: z.string().nullable(),
  is_partition: z.boolean(),
  /** `pii.name`, `pii.email`, `pii.address`, … or null. */
  classification: z.string().nullable(),
});

export const partition = z.object({
  /** Hive's words, e.g. `transaction_date=2023-05-20`. */
  spec: z.string(),
  row_count: z.number().nullable(),
  updated_at: instant.nullable(),
});

/** One write or read of a dataset by a task. */
export const datasetAccess = z.object({
  run: runRef,
  rows: z.number().nullable(),
  bytes: z.number().nullable(),
});

export const datasetDetails = datasetSummary
  .extend({
    columns: z.array(column),
    /** Newest schema's number; it grows by one with every change of columns, and when documents in it have new fields or types. */
    schema_version: z.number(),
    /** The first 500, newest first; `partition_count` says how many there are. */
    partitions: z.array(partition),
    /** Other names of the same data: storage paths, `hive://…`. */
    aliases: z.array(z.string()),
    tags: z.array(z.string()),
    /** Direct neighbours. */
    upstream: z.array(z.object({ id: z.string(), layer })),
    downstream: z.array(z.object({ id: z.string(), layer })),
    /** DAG tasks that declare or were seen to write and read it. */
    producers: z.array(z.object({ dag_id: z.string(), task_id: z.string() })),
    consumers: z.array(z.object({ dag_id: z.string(), task_id: z.string() })),
    /** Services that declare to write and read it. */
    producing_services: z.array(z.string()),
    consuming_services: z.array(z.string()),
    /** Newest first, at most 20. */
    writes: z.array(datasetAccess),
  })
  .meta({ id: "DatasetDetails" });

const namedType = z.object({ name: z.string(), type: z.string().nullable() });

/** `GET /api/catalog/datasets/:id/schemas`. */
export const datasetSchemas = z
  .object({
    /** Newest first; each says what is other than in the one before. */
    versions: z.array(
      z.object({
        version: z.number(),
        at: instant,
        /** `columns` = of the table, `fields` = of documents in it: fields that no column holds. */
        kind: z.enum(["columns", "fields"]),
        added: z.array(namedType),
        removed: z.array(namedType),
        /** The same name with another type; of fields, with one more. */
        changed: z.array(namedType.extend({ before: z.string().nullable() })),
      }),
    ),
    /** Fields of documents by name, at most 1,000; one that was seen with two types is there twice. */
    fields: z.array(
      namedType.extend({
        service_id: z.string(),
        first_seen_at: instant,
        /** To the hour. */
        last_seen_at: instant,
      }),
    ),
  })
  .meta({ id: "DatasetSchemas" });

/** Newest rows of a dataset; PII columns read `•••` unless the reader is an admin. */
export const datasetSample = z
  .object({ columns: z.array(z.string()), rows: z.array(z.array(z.string().nullable())), masked: z.array(z.string()) })
  .meta({ id: "DatasetSample" });

export const lineageNode = z.object({
  /** `dataset:conformed.fact_sales`, `job:qcompany_batch.conform` or `job:qflow-service/app_events`. */
  id: z.string(),
  kind: z.enum(["dataset", "job"]),
  name: z.string(),
  layer: layer.nullable(),
  /** Of a job. */
  dag_id: z.string().nullable(),
  task_id: z.string().nullable(),
  service_id: z.string().nullable(),
  freshness: freshness.nullable(),
  row_count: z.number().nullable(),
  has_pii: z.boolean(),
  /** Distance from the node asked for: negative upstream, positive downstream. */
  distance: z.number(),
  /** True where neighbours exist on that side that are not in this answer. */
  more_upstream: z.boolean(),
  more_downstream: z.boolean(),
});

/** `GET /api/catalog/lineage?node=dataset:ID&depth=1&direction=both|upstream|downstream`; depth counts datasets. */
export const lineageGraph = z
  .object({
    root: z.string(),
    nodes: z.array(lineageNode),
    /** Data flows from `source` to `target`: dataset → job (reads) or job → dataset (writes). */
    edges: z.array(z.object({ source: z.string(), target: z.string() })),
    /** True when the server's cap of nodes was reached. */
    truncated: z.boolean(),
  })
  .meta({ id: "LineageGraph" });

/** One column feeding another. */
export const columnEdge = z.object({
  source: z.object({ dataset: z.string(), column: z.string() }),
  target: z.object({ dataset: z.string(), column: z.string() }),
  /** OpenLineage's words: `DIRECT:IDENTITY`, `DIRECT:AGGREGATION`, `INDIRECT:FILTER`, … */
  transformations: z.array(z.string()),
});

/** `GET /api/catalog/column-lineage?dataset=&column=&depth=&direction=`. */
export const columnLineage = z
  .object({ dataset: z.string(), column: z.string().nullable(), edges: z.array(columnEdge), truncated: z.boolean() })
  .meta({ id: "ColumnLineage" });

/** One version of one delivered file, with its balance: read = loaded + duplicate + quarantined. */
export const feedFile = z
  .object({
    file_id: z.string(),
    feed: z.string(),
    batch: z.string().nullable(),
    name: z.string(),
    state: z.enum(FILE_STATES),
    bytes: z.number().nullable(),
    sha256: z.string().nullable(),
    load_seq: z.number().nullable(),
    seen_at: instant,
    loaded_at: instant.nullable(),
    rows_read: z.number().nullable(),
    rows_loaded: z.number().nullable(),
    rows_duplicate: z.number().nullable(),
    rows_quarantined: z.number().nullable(),
    /** Null until counts are in. */
    balanced: z.boolean().nullable(),
    reason: z.string().nullable(),
    staging_path: z.string().nullable(),
  })
  .meta({ id: "FeedFile" });

/** `GET /api/catalog/files?feed=&state=&batch=&limit=&after=`. */
export const feedFilePage = z
  .object({ files: z.array(feedFile), total_entries: z.number(), next: z.string().nullable() })
  .meta({ id: "FeedFilePage" });

export type Layer = z.infer<typeof layer>;
export type RunRef = z.infer<typeof runRef>;
export type Freshness = z.infer<typeof freshness>;
export type DatasetSummary = z.infer<typeof datasetSummary>;
export type DatasetPage = z.infer<typeof datasetPage>;
export type DatasetColumn = z.infer<typeof column>;
export type DatasetPartition = z.infer<typeof partition>;
export type DatasetAccess = z.infer<typeof datasetAccess>;
export type DatasetDetails = z.infer<typeof datasetDetails>;
export type DatasetSchemas = z.infer<typeof datasetSchemas>;
export type DatasetSample = z.infer<typeof datasetSample>;
export type LineageNode = z.infer<typeof lineageNode>;
export type LineageGraph = z.infer<typeof lineageGraph>;
export type ColumnEdge = z.infer<typeof columnEdge>;
export type ColumnLineage = z.infer<typeof columnLineage>;
export type FeedFile = z.infer<typeof feedFile>;
export type FeedFilePage = z.infer<typeof feedFilePage>;
