import { cron, dag } from "qflow";
import { hiveDdl, sparkSubmit } from "qflow/operators";
import { z } from "zod";
import { COMPACTION_TABLES } from "./qcompany/compaction-tables.ts";
import { HIVE_CONNECTION, ON_SPARK, PATIENT } from "./qcompany/feed.ts";
import { STREAM_TABLES } from "./qcompany/stream-tables.ts";
import { DATABASES, TABLES } from "./qcompany/tables.ts";

/** Tables whose partitions can come to hold many small files. */
const COMPACTED = ["standardized.app_events", "conformed.fact_sales", "enriched.compactions"];

interface Compaction {
  table: string;
  compacted: { partition: string; filesBefore: number; bytesBefore: number; filesAfter: number; bytesAfter: number }[];
  settled: number;
  finished: number;
  abandoned: number;
  left: number;
}

const params = z.object({
  targetMb: z.number().positive().default(128).describe("Size that files should have, in megabytes"),
  minFiles: z.int().min(2).default(4).describe("Partitions with fewer files are left alone"),
  quietMinutes: z.number().min(0).default(60).describe("So long nothing may have been written to a partition"),
  graceMinutes: z.number().min(0).default(60).describe("So long the old files stay for queries that read them"),
  mostPartitions: z.int().min(1).default(200).describe("Partitions of a table that one run begins at most"),
});

/** Few large files of many small ones, in partitions that are written no more. */
export default dag(
  "lake_compaction",
  {
    schedule: cron("17 * * * *"),
    catchup: "none",
    maxActiveRuns: 1,
    params,
    owner: "data-platform",
    // It goes with the stream, which is what makes small files.
    tags: ["lake", "qcompany_stream"],
    doc: "Rewrites quiet partitions with many small files, switches readers at once, removes the old files after a grace period.",
  },
  (t) => {
    const desired = [...TABLES, ...STREAM_TABLES].filter(({ name }) => COMPACTED.includes(name));
    const tables = t.task("tables", hiveDdl({ connection: HIVE_CONNECTION, databases: DATABASES, tables: desired }), {
      ...PATIENT,
      doc: "Creates what is missing of the tables that are compacted.",
    });
    const { targetMb, minFiles, quietMinutes, graceMinutes, mostPartitions } = t.params;
    for (const table of COMPACTED) {
      t.task(
        table.replace(".", "_"),
        sparkSubmit<Compaction>({
          application: "jobs/compact.py",
          args: ["--options", { table, targetMb, minFiles, quietMinutes, graceMinutes, mostPartitions }],
          session: "warm",
        }),
        {
          ...ON_SPARK,
          after: [tables],
          emits: COMPACTION_TABLES.map(({ name }) => name),
          doc: `Carries on what earlier runs began on ${table}, then begins what is new.`,
        },
      );
    }
  },
);
