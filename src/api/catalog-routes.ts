/** `/api/catalog`: datasets, lineage, columns, files. */
import { z } from "zod";
import { QflowError } from "../errors.ts";
import {
  type DatasetDetailRows,
  type DatasetRow,
  type ServiceWriteRow,
  searchDatasets,
  showDataset,
  type WriterRow,
} from "../metadata/catalog.ts";
import { schemaHistory } from "../metadata/catalog-schemas.ts";
import { columnLineageOf, lineageOf } from "../metadata/lineage-graph.ts";
import { type FileRow, listFiles } from "../metadata/views/file-view.ts";
import { iso, isoOrNull } from "./airflow/shape.ts";
import {
  columnLineage,
  type DatasetAccess,
  type DatasetDetails,
  type DatasetSample,
  type DatasetSummary,
  datasetDetails,
  datasetPage,
  datasetSample,
  datasetSchemas,
  type FeedFile,
  FILE_STATES,
  type Freshness,
  feedFilePage,
  layer,
  lineageGraph,
  type RunRef,
} from "./contract.ts";
import { requireEngine } from "./query-engine.ts";
import { route } from "./route.ts";

/** The run behind a fact. */
export function runRef(row: WriterRow): RunRef {
  return {
    dag_id: row.dag_id,
    dag_run_id: row.run_id,
    task_id: row.task_id,
    map_index: row.map_index,
    try_number: row.try_number,
    attempt_id: row.attempt_id,
    at: iso(row.at),
  };
}

/** Late = not written for more than twice its usual gap, and at least an hour. */
function freshness(row: Pick<DatasetRow, "written_at" | "usual_gap" | "age">): Freshness {
  const { usual_gap: gap, age } = row;
  const late = gap !== null && age !== null && age > Math.max(2 * gap, 3600);
  return {
    status: gap === null || age === null ? "unknown" : late ? "late" : "ok",
    written_at: isoOrNull(row.written_at),
    usual_gap_seconds: gap,
  };
}

function summaryShape(row: DatasetRow): DatasetSummary {
  return {
    id: row.name,
    layer: row.layer,
    kind: row.kind,
    description: row.description,
    owner: row.owner,
    column_count: row.column_count,
    row_count: row.row_count === null ? null : Number(row.row_count),
    partition_count: row.partition_count === null ? null : Number(row.partition_count),
    has_pii: row.has_pii,
    freshness: freshness(row),
    last_writer: row.last_writer === null ? null : runRef(row.last_writer),
    last_service_write: row.last_service_write === null ? null : serviceWrite(row.last_service_write),
    upstream_count: row.upstream_count,
    downstream_count: row.downstream_count,
  };
}

function serviceWrite({ row_count: rows, ...write }: ServiceWriteRow): DatasetSummary["last_service_write"] {
  return { ...write, at: iso(write.at), rows };
}

function accessShape(row: WriterRow): DatasetAccess {
  return { run: runRef(row), rows: row.row_count, bytes: row.byte_count };
}

function detailsShape(row: DatasetDetailRows): DatasetDetails {
  return {
    ...summaryShape(row),
    columns: row.columns,
    schema_version: row.schema_version,
    partitions: row.partitions.map((one) => ({ ...one, updated_at: isoOrNull(one.updated_at) })),
    aliases: row.aliases,
    tags: row.tags,
    upstream: row.upstream,
    downstream: row.downstream,
    producers: row.producers,
    consumers: row.consumers,
    producing_services: row.producing_services,
    consuming_services: row.consuming_services,
    writes: row.writes.map(accessShape),
  };
}

const datasets = route({
  method: "get",
  path: "/api/catalog/datasets",
  guard: "viewer",
  summary: "Datasets by name; `search` looks into names, descriptions and columns.",
  query: z.object({
    search: z.string().max(200).optional(),
    layer: layer.optional(),
    after: z.string().max(1000).optional(),
    limit: z.coerce.number().int().min(1).max(500).default(100),
  }),
  response: datasetPage,
  handle: async ({ api, query }) => {
    const page = await searchDatasets(api.database, query);
    return { datasets: page.rows.map(summaryShape), total_entries: page.total, next: page.next };
  },
});

const dataset = route({
  method: "get",
  path: "/api/catalog/datasets/:id",
  guard: "viewer",
  summary: "One dataset, by its name or by another name of it.",
  response: datasetDetails,
  handle: async ({ api, params }) => detailsShape(await showDataset(api.database, params.id)),
});

const schemas = route({
  method: "get",
  path: "/api/catalog/datasets/:id/schemas",
  guard: "viewer",
  summary: "How the schema of a dataset has changed: its columns, and fields of documents that no column holds.",
  response: datasetSchemas,
  handle: async ({ api, params }) => {
    const { dataset_id: datasetId } = await showDataset(api.database, params.id);
    const { versions, fields } = await schemaHistory(api.database, datasetId);
    return {
      versions: versions.map((one) => ({ ...one, at: iso(one.at) })).reverse(),
      fields: fields.map((one) => ({
        ...one,
        first_seen_at: iso(one.first_seen_at),
        last_seen_at: iso(one.last_seen_at),
      })),
    };
  },
});

const direction = z.enum(["both", "upstream", "downstream"]).default("both");
const depth = z.coerce.number().int().min(1).max(20).default(1);

const lineage = route({
  method: "get",
  path: "/api/catalog/lineage",
  guard: "viewer",
  summary: "The graph around a dataset or job; `depth` counts datasets.",
  query: z.object({ node: z.string().regex(/^(dataset|job):./, "dataset:NAME or job:DAG.TASK"), depth, direction }),
  response: lineageGraph,
  handle: async ({ api, query }) => {
    const graph = await lineageOf(api.database, query);
    const nodes = graph.nodes.map(({ written_at, ...node }) => ({
      ...node,
      freshness:
        node.kind === "dataset"
          ? { status: "unknown" as const, written_at: isoOrNull(written_at), usual_gap_seconds: null }
          : null,
    }));
    return { ...graph, nodes };
  },
});

const columns = route({
  method: "get",
  path: "/api/catalog/column-lineage",
  guard: "viewer",
  summary: "Columns that feed a dataset's columns, and columns they feed.",
  query: z.object({ dataset: z.string().min(1), column: z.string().optional(), depth, direction }),
  response: columnLineage,
  handle: async ({ api, query }) => {
    const column = query.column ?? null;
    const found = await columnLineageOf(api.database, { ...query, column });
    const edges = found.edges.map((edge) => ({
      source: { dataset: edge.source_dataset, column: edge.source_column },
      target: { dataset: edge.target_dataset, column: edge.target_column },
      transformations: edge.transformations,
    }));
    return { dataset: query.dataset, column, edges, truncated: found.truncated };
  },
});

function numberOrNull(text: string | null): number | null {
  return text === null ? null : Number(text);
}

function fileShape(row: FileRow): FeedFile {
  const [read, loaded, duplicate, quarantined] = [
    numberOrNull(row.rows_read),
    numberOrNull(row.rows_loaded),
    numberOrNull(row.rows_duplicate),
    numberOrNull(row.rows_quarantined),
  ];
  return {
    file_id: row.file_id,
    feed: row.feed,
    batch: row.batch,
    name: row.path,
    state: row.state,
    bytes: Number(row.bytes),
    sha256: row.sha256,
    load_seq: numberOrNull(row.load_seq),
    seen_at: iso(row.seen_at),
    loaded_at: isoOrNull(row.finished_at),
    rows_read: read,
    rows_loaded: loaded,
    rows_duplicate: duplicate,
    rows_quarantined: quarantined,
    balanced: read === null ? null : read === (loaded ?? 0) + (duplicate ?? 0) + (quarantined ?? 0),
    reason: row.rejected ?? reasonsText(row.reasons),
    staging_path: row.staged_path,
  };
}

function reasonsText(reasons: Readonly<Record<string, number>>): string | null {
  const entries = Object.entries(reasons);
  return entries.length === 0 ? null : entries.map(([reason, rows]) => `${reason}: ${rows}`).join("; ");
}

const files = route({
  method: "get",
  path: "/api/catalog/files",
  guard: "viewer",
  summary: "Delivered files, newest first, with their balance: read = loaded + duplicate + quarantined.",
  query: z.object({
    feed: z.string().optional(),
    state: z.enum(FILE_STATES).optional(),
    batch: z.coerce.number().int().optional(),
    after: z
      .string()
      .regex(/^\d{1,18}$/)
      .optional(),
    limit: z.coerce.number().int().min(1).max(500).default(100),
  }),
  response: feedFilePage,
  handle: async ({ api, query }) => {
    const page = await listFiles(api.database, query, query.after ?? null, query.limit);
    const next = page.rows.length === query.limit ? (page.rows.at(-1)?.file_id ?? null) : null;
    return { files: page.rows.map(fileShape), total_entries: page.total, next };
  },
});

const SAMPLE_ROWS = 50;
const SAMPLE_TIMEOUT_MS = 60_000;
const MASK = "•••";

const sample = route({
  method: "get",
  path: "/api/catalog/datasets/:id/sample",
  guard: "viewer",
  summary: "A few rows of a table; personal data is masked for everybody but admins.",
  response: datasetSample,
  handle: async ({ api, params, principal }): Promise<DatasetSample> => {
    const found = await showDataset(api.database, params.id);
    if (found.kind !== "table")
      throw new QflowError("NOT_SUPPORTED", `${found.name} is no table: there are no rows to show`);
    const table = found.name.split(".").map((part) => `\`${part.replaceAll("`", "``")}\``);
    const result = await requireEngine(api).query(`select * from ${table.join(".")} limit ${SAMPLE_ROWS}`, {
      maxRows: SAMPLE_ROWS,
      timeoutMs: SAMPLE_TIMEOUT_MS,
    });
    const names = result.columns.map((column) => column.name);
    const personal = new Set(
      found.columns.filter((one) => one.classification?.startsWith("pii.")).map((one) => one.name),
    );
    const hidden = names.map((name) => principal.role !== "admin" && personal.has(name));
    const rows = result.rows.map((row) =>
      row.map((value, at) => (value === null ? null : hidden[at] ? MASK : String(value))),
    );
    return { columns: names, rows, masked: names.filter((_name, at) => hidden[at]) };
  },
});

/** The catalog. */
export const catalogRoutes = [datasets, dataset, schemas, sample, lineage, columns, files];
