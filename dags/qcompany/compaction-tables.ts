/** The tables that compaction writes: see docs/compaction.md. */
import { columns, type Table, table } from "./table.ts";

/** What compaction did. */
export const COMPACTION_TABLES: Table[] = [
  table(
    "enriched.compactions",
    "Files, bytes and rows of every compacted partition, before and after",
    columns(
      ["compaction_id", "string"],
      ["table_name", "string"],
      ["partition_name", "string", "As its folder is called"],
      ["files_before", "int"],
      ["bytes_before", "bigint"],
      ["files_after", "int"],
      ["bytes_after", "bigint"],
      ["row_count", "bigint", "The same before and after"],
      ["checksum", "string", "Over all rows in any order; the same before and after"],
      ["began", "timestamp"],
      ["switched", "timestamp", "When readers were given the new files"],
    ),
    [{ name: "month", type: "string", comment: "YYYY-MM of switched" }],
  ),
];
