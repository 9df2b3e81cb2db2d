/** What a metastore would say about Q Company's tables, so that the catalog has columns, partitions and personal data. */
import { type HiveReader, syncCatalog } from "../../../src/metadata/catalog-sync.ts";
import type { Database } from "../../../src/metadata/database.ts";

type Row = readonly (string | number | boolean | null)[];

const FACT_COLUMNS: readonly Row[] = [
  ["transaction_id", "string", "As delivered"],
  ["customer_id", "string", null],
  ["units", "int", null],
  ["total_paid_price", "decimal(12,2)", "units × unit_price × (1 − discount), half up"],
  ["transaction_date", "date", null],
];

const FACT: readonly Row[] = [
  ...FACT_COLUMNS,
  ["# Partition Information", "", ""],
  ["# col_name", "data_type", "comment"],
  ["transaction_date", "date", null],
];

const CUSTOMER: readonly Row[] = [
  ["customer_id", "string", null],
  ["customer_fname", "string", "First name, latest"],
  ["customer_email", "string", "Cleaned"],
  ["is_current", "boolean", null],
  ["# Detailed Table Information", "", ""],
  ["Table Properties", "[owner_team=data platform, pii_columns=customer_fname,customer_email]", ""],
];

const DAYS = 28;

const HIVE: HiveReader = {
  rows: async (sql) => {
    if (sql.startsWith("describe")) return sql.includes("fact_sales") ? FACT : CUSTOMER;
    if (!sql.includes("group by")) return [[101]];
    return Array.from({ length: DAYS }, (_, day): Row => [`2023-05-${String(day + 1).padStart(2, "0")}`, 37 + day]);
  },
};

/** Brings two tables into the catalog, and a field that no column of one of them holds. */
export async function seedCatalog(db: Database): Promise<void> {
  const report = await syncCatalog(db, HIVE, ["conformed.fact_sales", "conformed.dim_customer"]);
  if (report.failed.length > 0) throw new Error(JSON.stringify(report.failed));
  await db.query(
    "insert into catalog_field (dataset, name, type, service_id) values ('conformed.fact_sales', 'couponCode', 'string', 'app_events')",
  );
}
