/**
 * Reads the columns of HiveServer2's result sets as they are on the wire. hive-driver's own conversion makes floats of decimals
 * and loses 64-bit integers, so it is not used: here both come as exact strings.
 */

/** A value of a row: decimals, 64-bit integers, dates and nested values are strings. */
export type HiveValue = string | number | boolean | null;

/** One column of a result: its name without the table's, its type in Hive's words, e.g. `decimal(12,2)`. */
export interface HiveColumnInfo {
  readonly name: string;
  readonly type: string;
}

interface WireColumn {
  readonly values: readonly unknown[];
  readonly nulls?: Buffer;
}

/** A result set of the protocol, by column: each holds one of boolVal, i64Val, stringVal … */
export interface WireRowSet {
  readonly columns?: readonly Readonly<Record<string, WireColumn | null | undefined>>[] | null;
}

/** Schema of a result in the protocol. */
export interface WireSchema {
  readonly columns: readonly {
    readonly columnName: string;
    readonly position: number;
    readonly typeDesc: {
      readonly types: readonly {
        readonly primitiveEntry?: {
          readonly type: number;
          readonly typeQualifiers?: {
            readonly qualifiers: Readonly<Record<string, { readonly i32Value?: number | null }>>;
          } | null;
        } | null;
      }[];
    };
  }[];
}

/** TTypeId of TCLIService.thrift, in Hive's words. */
const TYPE_NAMES = [
  "boolean",
  "tinyint",
  "smallint",
  "int",
  "bigint",
  "float",
  "double",
  "string",
  "timestamp",
  "binary",
  "array",
  "map",
  "struct",
  "union",
  "string",
  "decimal",
  "void",
  "date",
  "varchar",
  "char",
  "interval",
  "interval",
  "timestamp",
] as const;

/** The columns of a schema, in order. */
export function columnsOf(schema: WireSchema | null): HiveColumnInfo[] {
  const columns = [...(schema?.columns ?? [])].sort((a, b) => a.position - b.position);
  return columns.map((column) => {
    const entry = column.typeDesc.types[0]?.primitiveEntry;
    const name = TYPE_NAMES[entry?.type ?? 7] ?? "string";
    const qualifiers = entry?.typeQualifiers?.qualifiers;
    const precision = qualifiers?.precision?.i32Value;
    const type = name === "decimal" && precision ? `decimal(${precision},${qualifiers?.scale?.i32Value ?? 0})` : name;
    return { name: column.columnName.split(".").at(-1) ?? "", type };
  });
}

/** The rows of one result set. */
export function rowsOf(set: WireRowSet): HiveValue[][] {
  const columns = (set.columns ?? []).map(valuesOf);
  const count = columns[0]?.length ?? 0;
  return Array.from({ length: count }, (_, row) => columns.map((values) => values[row] ?? null));
}

function valuesOf(column: Readonly<Record<string, WireColumn | null | undefined>>): HiveValue[] {
  const wire = Object.values(column).find((value) => value != null);
  if (!wire) return [];
  return wire.values.map((value, index) => (isNull(wire.nulls, index) ? null : scalar(value)));
}

/** `nulls` is a bit set, least significant bit first; trailing zero bytes may be missing. */
function isNull(nulls: Buffer | undefined, index: number): boolean {
  return (((nulls?.[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

function scalar(value: unknown): HiveValue {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return value.toString("base64");
  const int64 = value as { buffer?: Buffer; offset?: number };
  if (Buffer.isBuffer(int64.buffer)) return int64.buffer.readBigInt64BE(int64.offset ?? 0).toString();
  return String(value);
}
