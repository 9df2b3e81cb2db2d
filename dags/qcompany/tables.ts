/** The tables of Q Company's lake as they have to be: what `hiveDdl` brings about, and the one place that says what a column is. */
import type { HiveDdlConfig } from "qflow/operators";
import { COMPACTION_TABLES } from "./compaction-tables.ts";
import { type Column, columns, type Table, table } from "./table.ts";

const SALES_PARTITION: Column[] = [{ name: "transaction_date", type: "date", comment: "Day of the sale" }];
// The metastore cannot filter by a partition column that begins with an underscore, so `_file_id` stands beside it.
const FILE_PARTITION: Column[] = [{ name: "file_id", type: "string", comment: "The same as _file_id" }];

const ARRIVAL = columns(
  ["_file_id", "string", "File version the row came with"],
  ["_line_no", "bigint", "Line in the delivered file; the header is line 1"],
  ["_load_seq", "bigint", "Order in which the file version arrived"],
  ["_batch", "int", "Batch the file belongs to"],
);

const STANDARDIZED_TECHNICAL = [
  ...ARRIVAL,
  ...columns(["_row_hash", "bigint", "Hash of the row's values"], ["raw_line", "string", "The line as delivered"]),
];

const standardized: Table[] = [
  table(
    "standardized.branches",
    "Valid rows of every live branches file",
    [
      ...columns(
        ["branch_id", "string"],
        ["location", "string", "City of the branch"],
        ["establish_date", "date"],
        ["class", "string", "Size class A to D"],
      ),
      ...STANDARDIZED_TECHNICAL,
    ],
    FILE_PARTITION,
  ),
  table(
    "standardized.sales_agents",
    "Valid rows of every live sales agents file",
    [...columns(["sales_person_id", "string"], ["name", "string"], ["hire_date", "date"]), ...STANDARDIZED_TECHNICAL],
    FILE_PARTITION,
  ),
  table(
    "standardized.sales_transactions",
    "Valid rows of every live sales transactions file, duplicates included",
    [
      ...columns(
        ["transaction_date", "date"],
        ["transaction_id", "string"],
        ["customer_id", "string"],
        ["customer_fname", "string"],
        ["customer_lname", "string"],
        ["customer_email", "string", "Up to the first .com; what trails it is junk"],
        ["sales_agent_id", "string", "Null for online sales"],
        ["branch_id", "string", "Null for online sales"],
        ["product_id", "string"],
        ["product_name", "string"],
        ["product_category", "string"],
        ["offer_1", "boolean"],
        ["offer_2", "boolean"],
        ["offer_3", "boolean"],
        ["offer_4", "boolean"],
        ["offer_5", "boolean"],
        ["units", "int"],
        ["unit_price", "decimal(10,2)"],
        ["is_online", "boolean"],
        ["payment_method", "string"],
        ["shipping_address", "string", "street/city/state/zip"],
      ),
      ...STANDARDIZED_TECHNICAL,
    ],
    FILE_PARTITION,
    ["customer_fname", "customer_lname", "customer_email", "shipping_address", "raw_line"],
  ),
  table(
    "standardized.quarantine",
    "Rows that were refused: the line as delivered and every reason",
    columns(
      ["feed", "string"],
      ["_file_id", "string", "File version the row came with"],
      ["_batch", "int", "Batch the file belongs to"],
      ["_load_seq", "bigint", "Order in which the file version arrived"],
      ["_line_no", "bigint", "Line in the delivered file; the header is line 1"],
      ["raw_line", "string", "The line as delivered; bytes that are not UTF-8 are replaced"],
      ["reasons", "array<string>", "Every reason, see docs/bad-input.md"],
    ),
    [...FILE_PARTITION, { name: "stage", type: "string", comment: "Job that refused the row: standardize or conform" }],
    ["raw_line"],
  ),
];

const conformed: Table[] = [
  table(
    "conformed.fact_sales",
    "One row a sale: the first arrival of its transaction_id among live files",
    [
      ...columns(
        ["transaction_id", "string", "Unique"],
        ["customer_id", "string"],
        ["sales_agent_id", "string", "Null for online sales"],
        ["branch_id", "string", "Null for online sales"],
        ["product_id", "string"],
        ["offer", "string", "offer_1 to offer_5, or null"],
        ["units", "int"],
        ["unit_price", "decimal(10,2)"],
        ["discount", "decimal(4,2)", "Share taken off: offer_k gives 0.05 k"],
        ["total_paid_price", "decimal(12,2)", "units × unit_price × (1 − discount), rounded half up"],
        ["is_online", "boolean"],
        ["payment_method", "string"],
        ["street", "string"],
        ["city", "string", "Online sales; may be empty"],
        ["state", "string", "Two letters; online sales"],
        ["postal_code", "string", "Online sales"],
      ),
      ...ARRIVAL,
    ],
    SALES_PARTITION,
    ["street"],
  ),
  table(
    "conformed.dim_customer",
    "Names and e-mails of customers with their history, ordered by batch, then line",
    columns(
      ["customer_id", "string"],
      ["first_name", "string"],
      ["last_name", "string"],
      ["email", "string"],
      ["valid_from", "bigint", "Place in the feed where this row begins to hold: batch × 10^10 + line"],
      ["valid_to", "bigint", "Place where the next row begins, not included; null = still holds"],
      ["is_current", "boolean"],
      ["valid_from_batch", "int"],
    ),
    [],
    ["first_name", "last_name", "email"],
  ),
  table(
    "conformed.dim_product",
    "Products, as the latest batch names them",
    columns(["product_id", "string"], ["product_name", "string"], ["product_category", "string"]),
  ),
  table(
    "conformed.dim_branch",
    "Branches, as the latest batch describes them",
    columns(["branch_id", "string"], ["location", "string"], ["establish_date", "date"], ["class", "string"]),
  ),
  table(
    "conformed.dim_sales_agent",
    "Sales agents, as the latest batch describes them",
    columns(["sales_agent_id", "string"], ["name", "string"], ["hire_date", "date"]),
  ),
  table(
    "conformed.dim_date",
    "Every day of every year that has a sale",
    columns(
      ["calendar_date", "date"],
      ["year", "int"],
      ["quarter", "int"],
      ["month", "int"],
      ["month_name", "string"],
      ["day", "int"],
      ["day_of_week", "int", "1 = Monday … 7 = Sunday"],
      ["day_name", "string"],
      ["iso_week", "int"],
    ),
  ),
  table(
    "conformed.quality_checks",
    "What the checks of a batch's run found",
    columns(
      ["check_name", "string"],
      ["subject", "string", "Table or file that was checked"],
      ["passed", "boolean"],
      ["observed", "string"],
      ["expected", "string"],
    ),
    [{ name: "batch", type: "int", comment: "Batch whose run made the check" }],
  ),
];

const enriched: Table[] = [
  table(
    "enriched.sales_agent_performance",
    "Units that agents sold in branches, by day and by the names of agent and product",
    columns(
      ["sales_agent_name", "string"],
      ["product_name", "string"],
      ["total_sold_units", "bigint"],
      ["changed_seq", "bigint", "Grows whenever a row of the day changes; the same in all rows of a day"],
    ),
    SALES_PARTITION,
  ),
  table(
    "enriched.most_selling_products",
    "Units and revenue of every product, in all and by channel",
    columns(
      ["product_id", "string"],
      ["product_name", "string"],
      ["product_category", "string"],
      ["units_sold", "bigint"],
      ["revenue", "decimal(14,2)"],
      ["online_units", "bigint"],
      ["offline_units", "bigint"],
      ["online_revenue", "decimal(14,2)"],
      ["offline_revenue", "decimal(14,2)"],
    ),
  ),
  table(
    "enriched.most_redeemed_offers",
    "How often each offer was redeemed, in all and by channel",
    columns(
      ["offer", "string"],
      ["redemptions", "bigint"],
      ["online_redemptions", "bigint"],
      ["offline_redemptions", "bigint"],
      ["discount_given", "decimal(14,2)", "List price minus price paid"],
    ),
  ),
  table(
    "enriched.most_redeemed_offers_per_product",
    "How often each offer was redeemed for each product",
    columns(
      ["product_id", "string"],
      ["product_name", "string"],
      ["offer", "string"],
      ["redemptions", "bigint"],
      ["online_redemptions", "bigint"],
      ["offline_redemptions", "bigint"],
    ),
  ),
  table(
    "enriched.least_performing_cities_online",
    "Online sales of every city that has any",
    columns(
      ["city", "string", "May be empty"],
      ["state", "string"],
      ["total_sales", "decimal(14,2)"],
      ["orders", "bigint"],
      ["units", "bigint"],
    ),
  ),
];

/** Databases of the lake. `staging` holds files, not tables; it exists so that every layer has its name. */
export const DATABASES: HiveDdlConfig["databases"] = [
  { name: "staging", comment: "Files exactly as delivered", properties: {} },
  { name: "standardized", comment: "One table a feed: columns by contract, typed, trimmed", properties: {} },
  { name: "conformed", comment: "The star schema", properties: {} },
  { name: "enriched", comment: "Data products", properties: {} },
];

/** All tables of the batch part, and what compaction tells of them. */
export const TABLES: Table[] = [...standardized, ...conformed, ...enriched, ...COMPACTION_TABLES];
