/** Reads an OpenLineage 2-0-2 event leniently: whatever fits is taken, the rest is ignored. */
import { z } from "zod";
import { aliasesOf, canonicalName } from "./catalog-names.ts";

const field = z.looseObject({ name: z.string(), type: z.string().nullish() });
const transformation = z.looseObject({ type: z.string().catch("DIRECT"), subtype: z.string().nullish() });
const inputField = z.looseObject({
  namespace: z.string(),
  name: z.string(),
  field: z.string(),
  transformations: z.array(transformation).nullish().catch(null),
});
const symlink = z.looseObject({ namespace: z.string(), name: z.string(), type: z.string().catch("") });
const statistics = z.looseObject({
  rowCount: z.number().nullish().catch(null),
  size: z.number().nullish().catch(null),
});

const datasetFacets = z.looseObject({
  schema: z
    .looseObject({ fields: z.array(field) })
    .optional()
    .catch(undefined),
  symlinks: z
    .looseObject({ identifiers: z.array(symlink) })
    .optional()
    .catch(undefined),
  columnLineage: z
    .looseObject({
      fields: z.record(z.string(), z.looseObject({ inputFields: z.array(inputField) })).catch({}),
      dataset: z.array(inputField).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});

const dataset = z.looseObject({
  namespace: z.string(),
  name: z.string(),
  facets: datasetFacets.nullish().catch(null),
  inputFacets: z
    .looseObject({ inputStatistics: statistics.optional().catch(undefined) })
    .nullish()
    .catch(null),
  outputFacets: z
    .looseObject({ outputStatistics: statistics.optional().catch(undefined) })
    .nullish()
    .catch(null),
});
type RawDataset = z.infer<typeof dataset>;

const job = z.looseObject({ namespace: z.string(), name: z.string() });
const runRef = z.looseObject({ run: z.looseObject({ runId: z.guid() }), job });
const parent = z.looseObject({
  run: z.looseObject({ runId: z.guid() }),
  job,
  root: runRef.optional().catch(undefined),
});

const event = z.looseObject({
  eventTime: z.iso.datetime({ offset: true }),
  eventType: z.enum(["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]).nullish().catch("OTHER"),
  run: z
    .looseObject({ runId: z.guid(), facets: z.looseObject({ parent: parent.optional().catch(undefined) }).nullish() })
    .nullish(),
  job: job.nullish(),
  dataset: dataset.nullish(),
  inputs: z.array(dataset).nullish(),
  outputs: z.array(dataset).nullish(),
});

/** A job as OpenLineage names it. */
export interface JobName {
  readonly namespace: string;
  readonly name: string;
}

/** One dataset of an event under its catalog name. Several names of one dataset are merged. */
export interface DatasetFact {
  readonly name: string;
  readonly aliases: string[];
  readonly direction: "in" | "out";
  readonly columns: { name: string; type: string | null }[] | null;
  readonly rows: number | null;
  readonly bytes: number | null;
}

/** One column feeding another; `*` = every column. */
export interface ColumnFact {
  readonly source: string;
  readonly sourceColumn: string;
  readonly target: string;
  readonly targetColumn: string;
  readonly transformations: string[];
}

/** What an event says. */
export interface EventFacts {
  readonly at: Date;
  readonly type: "START" | "RUNNING" | "COMPLETE" | "ABORT" | "FAIL" | "OTHER";
  /** Null in events about a job or dataset alone. */
  readonly runId: string | null;
  readonly job: JobName | null;
  /** Outermost run it belongs to: the attempt, for what Spark does inside a task. */
  readonly root: { readonly runId: string; readonly job: JobName } | null;
  readonly datasets: DatasetFact[];
  readonly columns: ColumnFact[];
}

/** Reads an event. Returns the reason when nothing can be made of it. */
export function readEvent(body: unknown): { facts: EventFacts } | { problem: string } {
  const parsed = event.safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { problem: `${issue?.path.join(".")}: ${issue?.message}` };
  }
  const { run, job: named, dataset: alone, inputs, outputs } = parsed.data;
  if (!alone && !named) return { problem: "names neither a job nor a dataset" };
  const above = run?.facets?.parent;
  const root = above?.root ?? above;
  const read = alone ? [alone] : (inputs ?? []);
  const canonical = nameIndex([...read, ...(outputs ?? [])]);
  return {
    facts: {
      at: new Date(parsed.data.eventTime),
      type: parsed.data.eventType ?? "OTHER",
      runId: run?.runId.toLowerCase() ?? null,
      job: named ? { namespace: named.namespace, name: named.name } : null,
      root: root
        ? { runId: root.run.runId.toLowerCase(), job: { namespace: root.job.namespace, name: root.job.name } }
        : null,
      datasets: [...merged(read, "in", canonical), ...merged(outputs ?? [], "out", canonical)],
      columns: (outputs ?? []).flatMap((output) => columnFacts(output, canonical)),
    },
  };
}

type NameIndex = (namespace: string, name: string) => string;

/** Column lineage names its inputs by path only: the symlinks of the event's datasets tell which table a path is. */
function nameIndex(datasets: readonly RawDataset[]): NameIndex {
  const known = new Map<string, string>();
  for (const one of datasets) known.set(`${one.namespace}\n${one.name}`, canonicalName(foreignName(one)));
  return (namespace, name) => known.get(`${namespace}\n${name}`) ?? canonicalName({ namespace, name, symlinks: [] });
}

function foreignName(one: RawDataset) {
  return { namespace: one.namespace, name: one.name, symlinks: one.facets?.symlinks?.identifiers ?? [] };
}

function merged(datasets: readonly RawDataset[], direction: "in" | "out", canonical: NameIndex): DatasetFact[] {
  const byName = new Map<string, DatasetFact>();
  for (const one of datasets) {
    const stats = direction === "in" ? one.inputFacets?.inputStatistics : one.outputFacets?.outputStatistics;
    const name = canonical(one.namespace, one.name);
    const before = byName.get(name);
    byName.set(name, {
      name,
      direction,
      aliases: [...new Set([...(before?.aliases ?? []), ...aliasesOf(foreignName(one))])],
      columns: before?.columns ?? schemaColumns(one),
      rows: sum(before?.rows, stats?.rowCount),
      bytes: sum(before?.bytes, stats?.size),
    });
  }
  return [...byName.values()];
}

function sum(a: number | null | undefined, b: number | null | undefined): number | null {
  return a == null ? (b ?? null) : a + (b ?? 0);
}

const SPARK_TYPES: Readonly<Record<string, string>> = {
  long: "bigint",
  integer: "int",
  short: "smallint",
  byte: "tinyint",
};

function schemaColumns(one: RawDataset): DatasetFact["columns"] {
  const fields = one.facets?.schema?.fields;
  if (!fields || fields.length === 0) return null;
  return fields.map(({ name, type }) => ({ name, type: type ? (SPARK_TYPES[type] ?? type) : null }));
}

function columnFacts(output: RawDataset, canonical: NameIndex): ColumnFact[] {
  const lineage = output.facets?.columnLineage;
  if (!lineage) return [];
  const target = canonical(output.namespace, output.name);
  const edge = (from: z.infer<typeof inputField>, targetColumn: string): ColumnFact => ({
    source: canonical(from.namespace, from.name),
    sourceColumn: from.field,
    target,
    targetColumn,
    transformations: (from.transformations ?? []).map((how) => (how.subtype ? `${how.type}:${how.subtype}` : how.type)),
  });
  return [
    ...Object.entries(lineage.fields).flatMap(([column, { inputFields }]) =>
      inputFields.map((from) => edge(from, column)),
    ),
    ...(lineage.dataset ?? []).map((from) => edge(from, "*")),
  ];
}
