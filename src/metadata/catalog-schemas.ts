/** How the schema of a dataset has changed over time. */
import type { Sql } from "./database.ts";

/** A name and the type it has. */
export interface NamedType {
  readonly name: string;
  readonly type: string | null;
}

/** One version of a dataset's schema: what is other than in the version before. */
export interface SchemaVersion {
  /** 1, 2, 3 … */
  readonly version: number;
  readonly at: Date;
  /** `columns` = of the table, `fields` = of documents in it: fields that no column holds. */
  readonly kind: "columns" | "fields";
  readonly added: NamedType[];
  readonly removed: NamedType[];
  /** The same name with another type; of fields, with one more. */
  readonly changed: (NamedType & { readonly before: string | null })[];
}

/** A field of documents in a dataset. */
export interface DatasetField {
  readonly name: string;
  readonly type: string;
  readonly service_id: string;
  readonly first_seen_at: Date;
  /** To the hour. */
  readonly last_seen_at: Date;
}

interface SchemaRow {
  readonly at: Date;
  readonly kind: "columns" | "fields";
  readonly columns: readonly NamedType[];
}

/** The schemas that a dataset had, oldest first, and the fields of its documents by name. `datasetId` as in the catalog. */
export async function schemaHistory(
  sql: Sql,
  datasetId: string,
): Promise<{ versions: SchemaVersion[]; fields: DatasetField[] }> {
  const rows = await sql.query<SchemaRow>("select * from catalog_schemas($1)", [datasetId]);
  const fields = await sql.query<DatasetField>(
    `select f.name, f.type, f.service_id, f.first_seen_at, f.last_seen_at from catalog_dataset d join catalog_field f on f.dataset = d.name
     where d.dataset_id = $1 order by f.name, f.first_seen_at, f.type`,
    [datasetId],
  );
  return { versions: versionsOf(rows.rows), fields: fields.rows };
}

/** Versions out of whole sets of columns, and of fields that came. */
export function versionsOf(rows: readonly SchemaRow[]): SchemaVersion[] {
  let columns = new Map<string, string | null>();
  const fields = new Map<string, string | null>();
  return rows.map(({ at, kind, columns: seen }, index) => {
    const before = kind === "columns" ? columns : new Map(fields);
    const now = new Map(seen.map(({ name, type }) => [name, type]));
    if (kind === "columns") columns = now;
    else for (const { name, type } of seen) fields.set(name, type);
    const differs = seen.filter(({ name, type }) => before.has(name) && before.get(name) !== type);
    return {
      version: index + 1,
      at,
      kind,
      added: seen.filter(({ name }) => !before.has(name)).map(plain),
      removed: kind === "fields" ? [] : [...before].flatMap(([name, type]) => (now.has(name) ? [] : [{ name, type }])),
      changed: differs.map((one) => ({ ...plain(one), before: before.get(one.name) ?? null })),
    };
  });
}

function plain({ name, type }: NamedType): NamedType {
  return { name, type };
}
