import { dag, onDatasets } from "qflow";
import { ftpIngest, hiveDdl, type LoadCounts, loadRecord, sparkSubmit } from "qflow/operators";
import { z } from "zod";
import { agentPerformance, factSales, feedBatches } from "./qcompany/datasets.ts";
import { FEED, HIVE_CONNECTION, ON_SPARK, PATIENT } from "./qcompany/feed.ts";
import { DATABASES, TABLES } from "./qcompany/tables.ts";

interface Changed {
  changedDates: string[];
}

const params = z.object({
  batch: z.int().min(0).nullable().default(null).describe("Only this batch; null: all that is new"),
});

/** One batch, from the FTP server to the enriched tables. */
export default dag(
  "qcompany_batch",
  {
    schedule: onDatasets(feedBatches, { consume: "each" }),
    maxActiveRuns: 1,
    params,
    owner: "data-platform",
    tags: ["qcompany"],
    doc: "Lands one batch and carries it through standardized, conformed and enriched; publishes when all checks hold.",
  },
  (t) => {
    const tables = t.task("tables", hiveDdl({ connection: HIVE_CONNECTION, databases: DATABASES, tables: TABLES }), {
      ...PATIENT,
      doc: "Creates what is missing of databases, tables and columns.",
    });
    const land = t.task("land", ftpIngest({ ...FEED, batch: t.params.batch }), {
      ...PATIENT,
      doc: "Fetches the file versions that are new, verified by sha-256.",
    });
    const standardize = t.task(
      "standardize",
      sparkSubmit<{ files: unknown[] }>({
        application: "jobs/standardize.py",
        args: ["--manifest", land.output],
        session: "warm",
      }),
      {
        ...ON_SPARK,
        after: [tables],
        doc: "Columns by name, typed and trimmed; bad rows to quarantine with every reason.",
      },
    );
    const conform = t.task(
      "conform",
      sparkSubmit<Changed & { files: unknown[] }>({
        application: "jobs/conform.py",
        args: ["--manifest", land.output],
        session: "warm",
      }),
      { ...ON_SPARK, after: [standardize], doc: "The star schema; only days whose rows differ are written." },
    );
    const enrich = t.task("enrich", sparkSubmit<Changed>({ application: "jobs/enrich.py", session: "warm" }), {
      ...ON_SPARK,
      after: [conform],
      doc: "Units by agent, product and day.",
    });
    const checks = t.task(
      "checks",
      sparkSubmit<{ counts: LoadCounts[]; checks: number }>({
        application: "jobs/checks.py",
        args: ["--manifest", land.output, "--standardized", standardize.output, "--conformed", conform.output],
        session: "warm",
      }),
      { ...ON_SPARK, after: [enrich], doc: "Balance of every file, keys, totals, uniqueness, ranges." },
    );
    const record = t.task("record", loadRecord({ files: land.output, counts: checks.output.counts }), {
      ...PATIENT,
      doc: "read = loaded + duplicate + quarantined, written into the file manifest.",
    });
    t.task(
      "publish",
      {
        in: { land, conform, enrich },
        after: [record],
        emits: [factSales, agentPerformance],
        doc: "Tells who waits for new sales which days have changed.",
      },
      ({ land, conform, enrich }, ctx) => {
        const batches = [...new Set(land.map((file) => file.batch))];
        ctx.emit(factSales.id, { extra: { batches, changedDates: conform.changedDates } });
        ctx.emit(agentPerformance.id, { extra: { batches, changedDates: enrich.changedDates } });
      },
    );
  },
);
