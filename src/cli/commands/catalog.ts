/** `qflow catalog …`: what data there is, and where it comes from. */
import { type Command, Option } from "commander";
import { hiveQueryEngine } from "../../api/query-engine.ts";
import { type DatasetRow, searchDatasets, showDataset } from "../../metadata/catalog.ts";
import { syncDeclarations } from "../../metadata/catalog-declare.ts";
import { type SchemaVersion, schemaHistory } from "../../metadata/catalog-schemas.ts";
import { syncCatalog } from "../../metadata/catalog-sync.ts";
import type { Database } from "../../metadata/database.ts";
import { lineageOf } from "../../metadata/lineage-graph.ts";
import { type Column, EXIT, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { instant } from "../text.ts";
import { withDatabase } from "../with-database.ts";
import { withHive } from "../with-engines.ts";

const DATASET_COLUMNS: Column<DatasetRow>[] = [
  { heading: "dataset", cell: (one) => one.name },
  { heading: "layer", cell: (one) => one.layer },
  { heading: "rows", cell: (one) => one.row_count },
  { heading: "columns", cell: (one) => one.column_count },
  { heading: "written", cell: (one) => instant(one.written_at) },
  { heading: "description", cell: (one) => one.description },
];

/** Registers the commands. */
export function catalogCommands(program: Command, context: () => CommandContext): void {
  const catalog = program.command("catalog").description("datasets, columns, lineage");
  catalog
    .command("search [text]")
    .description("datasets whose name, description or columns hold the text")
    .option("--layer <layer>", "only this layer")
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 200)
    .addOption(outputOption())
    .action((text: string | undefined, options: ListOptions & { layer?: string; limit: number }) =>
      withCatalog(context(), async (database) => {
        const found = await searchDatasets(database, { search: text, layer: options.layer, limit: options.limit });
        printRows(found.rows, DATASET_COLUMNS, { format: options.output, empty: "No datasets." });
      }),
    );
  catalog
    .command("show <dataset>")
    .description("one dataset: columns, neighbours, last writer")
    .addOption(outputOption())
    .action((name: string, options: ListOptions) =>
      withCatalog(context(), (database) => show(database, name, options)),
    );
  catalog
    .command("schemas <dataset>")
    .description("how its columns, and the fields of documents in it, have changed")
    .addOption(outputOption())
    .action((name: string, options: ListOptions) =>
      withCatalog(context(), (database) => schemas(database, name, options)),
    );
  catalog
    .command("lineage <dataset>")
    .description("what it is made of and what is made of it")
    .option("--depth <n>", "how many datasets away", wholeNumber("--depth"), 3)
    .addOption(
      new Option("--direction <way>", "which side of it").choices(["upstream", "downstream", "both"]).default("both"),
    )
    .addOption(outputOption())
    .action((name: string, options: LineageOptions) =>
      withCatalog(context(), (database) => lineage(database, name, options)),
    );
  catalog
    .command("sync")
    .description("look up columns, partitions and row counts in the metastore")
    .action(() => sync(context()));
}

interface LineageOptions extends ListOptions {
  depth: number;
  direction: "upstream" | "downstream" | "both";
}

function withCatalog<T>(context: CommandContext, work: (database: Database) => Promise<T>): Promise<T> {
  return withDatabase(context, async (database) => {
    await syncDeclarations(database);
    return work(database);
  });
}

async function show(database: Database, name: string, options: ListOptions): Promise<void> {
  const dataset = await showDataset(database, name);
  if (options.output === "json") {
    process.stdout.write(`${JSON.stringify(dataset, null, 2)}\n`);
    return;
  }
  printFields(
    {
      dataset: dataset.name,
      layer: dataset.layer,
      description: dataset.description,
      owner: dataset.owner,
      rows: dataset.row_count,
      partitions: dataset.partition_count,
      written: writtenBy(dataset),
      schema: `version ${dataset.schema_version}`,
      upstream: dataset.upstream.map((one) => one.id).join(", "),
      downstream: dataset.downstream.map((one) => one.id).join(", "),
    },
    "table",
  );
  process.stdout.write("\n");
  type Shown = (typeof dataset.columns)[number];
  const columns: Column<Shown>[] = [
    { heading: "column", cell: (column) => column.name },
    { heading: "type", cell: (column) => column.type },
    { heading: "class", cell: (column) => column.classification },
    { heading: "description", cell: (column) => column.description },
  ];
  printRows(dataset.columns, columns, { format: "table", empty: "Its columns are not known yet: qflow catalog sync" });
}

/** The newest write: of a run, or of a service. */
function writtenBy({ last_writer: run, last_service_write: service }: DatasetRow): string {
  if (service && (!run || Date.parse(service.at) > Date.parse(run.at))) {
    return `${instant(service.at)} by service ${service.service_id}`;
  }
  return run ? `${instant(run.at)} by ${run.dag_id}.${run.task_id} in ${run.run_id}` : "never";
}

const VERSION_COLUMNS: Column<SchemaVersion>[] = [
  { heading: "version", cell: (one) => one.version },
  { heading: "since", cell: (one) => instant(one.at) },
  { heading: "of", cell: (one) => one.kind },
  { heading: "changes", cell: changesOf },
];

function changesOf({ version, kind, added, removed, changed }: SchemaVersion): string {
  if (version === 1 && kind === "columns") return `${added.length} columns`;
  return [
    ...added.map(({ name, type }) => `+ ${name} ${type ?? ""}`),
    ...removed.map(({ name }) => `- ${name}`),
    ...changed.map(({ name, type, before }) => `${name} ${before ?? ""} → ${type ?? ""}`),
  ].join(", ");
}

async function schemas(database: Database, name: string, options: ListOptions): Promise<void> {
  const { dataset_id: datasetId } = await showDataset(database, name);
  const { versions, fields } = await schemaHistory(database, datasetId);
  if (options.output === "json") {
    process.stdout.write(`${JSON.stringify({ versions, fields }, null, 2)}\n`);
    return;
  }
  printRows(versions, VERSION_COLUMNS, { format: options.output, empty: "Its schema is not known yet." });
}

async function lineage(database: Database, name: string, options: LineageOptions): Promise<void> {
  const graph = await lineageOf(database, {
    node: `dataset:${name}`,
    depth: options.depth,
    direction: options.direction,
  });
  if (options.output === "json") {
    process.stdout.write(`${JSON.stringify(graph, null, 2)}\n`);
    return;
  }
  const columns: Column<(typeof graph.edges)[number]>[] = [
    { heading: "from", cell: (edge) => edge.source },
    { heading: "to", cell: (edge) => edge.target },
  ];
  printRows(graph.edges, columns, { format: "table", empty: "Nothing is known to write or read it." });
  if (graph.truncated) say("The graph is larger; ask with a smaller --depth.");
}

function sync(context: CommandContext): Promise<void> {
  return withHive(context, (connection) =>
    withCatalog(context, async (database) => {
      const report = await hiveQueryEngine(connection).session((hive) => syncCatalog(database, hive));
      say(`${report.tables} tables looked up.`);
      for (const { table, reason } of report.failed) say(`✕ ${table}: ${reason}`);
      if (report.failed.length > 0) process.exitCode = EXIT.failed;
    }),
  );
}
