/** One name for one thing: from the many ways engines name a dataset to the catalog's `layer.dataset`. */

/** Where a dataset lives. */
export const CATALOG_LAYERS = [
  "source",
  "staging",
  "standardized",
  "conformed",
  "enriched",
  "report",
  "other",
] as const;
/** One of {@link CATALOG_LAYERS}. */
export type CatalogLayer = (typeof CATALOG_LAYERS)[number];

/** What it is made of. */
export type DatasetKind = "table" | "files" | "topic" | "other";

/** A dataset as an OpenLineage event names it. */
export interface ForeignName {
  readonly namespace: string;
  readonly name: string;
  /** Identifiers of its symlinks facet. */
  readonly symlinks: readonly { readonly namespace: string; readonly name: string; readonly type: string }[];
}

const LAYER_OF_PREFIX: Readonly<Record<string, CatalogLayer>> = {
  feed: "source",
  ftp: "source",
  source: "source",
  kafka: "source",
  staging: "staging",
  standardized: "standardized",
  conformed: "conformed",
  enriched: "enriched",
  reports: "report",
};

/** The layer that a catalog name says. */
export function layerOf(name: string): CatalogLayer {
  return LAYER_OF_PREFIX[name.split(".", 1)[0] ?? ""] ?? "other";
}

/** Begins the name of a Kafka topic. */
const TOPIC_PREFIX = "kafka.";

/** What a dataset of that name is made of. */
export function kindOf(name: string): DatasetKind {
  const layer = layerOf(name);
  if (name.startsWith(TOPIC_PREFIX)) return "topic";
  if (layer === "source" || layer === "staging" || layer === "report") return "files";
  return /^[A-Za-z_]\w*\.[A-Za-z_]\w*$/.test(name) ? "table" : name.includes("/") ? "files" : "other";
}

/** The catalog's name of a dataset: the Hive table where it is one, else what its path says. */
export function canonicalName(foreign: ForeignName): string {
  for (const link of foreign.symlinks) {
    if (link.type === "TABLE") return tableName(link.name);
  }
  if (foreign.namespace.startsWith("kafka://")) return TOPIC_PREFIX + foreign.name;
  return foreign.name.startsWith("/") || foreign.name.includes("://") || isPathNamespace(foreign.namespace)
    ? nameOfPath(foreign.name)
    : foreign.name;
}

/** Other names of it, as they stand in events: `namespace` and name joined. */
export function aliasesOf(foreign: ForeignName): string[] {
  const own = isPathNamespace(foreign.namespace)
    ? `${foreign.namespace}:${trimPath(foreign.name)}`
    : `${foreign.namespace}/${foreign.name}`;
  return [own, ...foreign.symlinks.map((link) => `${link.namespace}/${link.name}`)];
}

function isPathNamespace(namespace: string): boolean {
  return /^(file|hdfs|s3|s3a|gs|abfss?|wasbs?)\b/.test(namespace);
}

/** `spark_catalog.db.table` is `db.table`. */
function tableName(name: string): string {
  return name.split(".").slice(-2).join(".").toLowerCase();
}

const WAREHOUSE_TABLE = /\/([^/]+)\.db\/([^/]+)/;
const STAGED_FEED = /\/staging\/([^/]+)/;
const REPORT_FILES = /\/reports\/([^/]+)/;

/** What a path in the lake says: a warehouse folder is its table, a staging folder its feed, a report folder its report. */
function nameOfPath(path: string): string {
  const table = WAREHOUSE_TABLE.exec(path);
  if (table) return `${table[1]}.${table[2]}`.toLowerCase();
  const feed = STAGED_FEED.exec(path);
  if (feed) return `staging.${feed[1]}`;
  const report = REPORT_FILES.exec(path);
  if (report) return `reports.${report[1]}`;
  return trimPath(path);
}

const PARTITION_FOLDER = /^([A-Za-z_]\w*=.*|\d{4}(-\d{2}(-\d{2})?)?|\d{1,2})$/;

/** A path without file name, partition folders (`k=v`) and folders of dates at its end. */
function trimPath(path: string): string {
  const parts = path.replace(/\/+$/, "").split("/");
  const last = parts.at(-1) ?? "";
  if (/\.[A-Za-z0-9]{1,8}$/.test(last) && !last.endsWith(".db")) parts.pop();
  while (parts.length > 2 && PARTITION_FOLDER.test(parts.at(-1) ?? "")) parts.pop();
  return parts.join("/");
}

/** Personal data by a column's name. Employees' names (sales agents) are no customer data. */
export function classify(dataset: string, column: string): string | null {
  const name = column.toLowerCase();
  if (/e_?mail/.test(name)) return "pii.email";
  if (/(^|_)(fname|lname|first_name|last_name|full_name|surname)$/.test(name) || /customer_name/.test(name))
    return "pii.name";
  if (/(shipping|street|home)_?address|(^|_)street$/.test(name)) return "pii.address";
  if (/(^|_)phone/.test(name)) return "pii.phone";
  if (name === "name" && /customer/.test(dataset)) return "pii.name";
  // The line as delivered holds whatever the row holds.
  return name === "raw_line" && /customer|transaction|quarantine/.test(dataset) ? "pii.raw" : null;
}
