/**
 * Q Company's hourly batch, from the database's own timestamps: once with a warm Spark driver, once with a cold `spark-submit` for every
 * job (QFLOW_SPARK_DRIVERS=0). The rest of the pipeline is the same, so the ratio is what keeping the driver warm is worth.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generateFeed } from "../src/feed/index.ts";
import { PlatformFolder, startTestPlatform } from "../test/support/platform.ts";
import { type Figure, figure } from "./figure.ts";

interface Measured {
  /** Seconds of the first batch, the tables and the driver being new. */
  readonly first: number;
  readonly batches: number[];
  readonly sparkStarts: number;
}

/** `--rows N` transactions a batch (default 1,500), `--batches K` measured after a first one (default 3), `--seed S`. */
export async function* benchBatch(args: readonly string[]): AsyncGenerator<Figure> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", default: "1500" },
      batches: { type: "string", default: "3" },
      seed: { type: "string", default: "1" },
    },
  });
  const batches = Number(values.batches);
  const source = await mkdtemp(join(tmpdir(), "qflow-bench-"));
  try {
    await generateFeed({
      directory: source,
      batches: batches + 1,
      rows: Number(values.rows),
      seed: Number(values.seed),
    });
    const warm = await measure(source, batches, "1");
    yield figure("batch, warm driver: first", "s", [warm.first]);
    yield figure("batch, warm driver: later", "s", warm.batches);
    yield figure("Spark start-ups, warm driver", "count", [warm.sparkStarts]);
    const cold = await measure(source, batches, "0");
    yield figure("batch, cold spark-submits: first", "s", [cold.first]);
    yield figure("batch, cold spark-submits: later", "s", cold.batches);
    yield figure("Spark start-ups, cold spark-submits", "count", [cold.sparkStarts]);
    yield figure(
      "cold / warm, batch by batch",
      "ratio",
      cold.batches.map((seconds, index) => seconds / (warm.batches[index] ?? Number.NaN)),
    );
  } finally {
    await rm(source, { recursive: true, force: true });
  }
}

async function measure(source: string, batches: number, drivers: "0" | "1"): Promise<Measured> {
  const folder = await PlatformFolder.create({ QFLOW_SPARK_DRIVERS: drivers });
  const platform = await startTestPlatform(folder);
  try {
    for (let batch = 1; batch <= batches + 1; batch++) {
      await folder.deliver(source, [batch]);
      const { failed } = await platform.rest();
      if (failed.length > 0) throw new Error(`batch ${batch} failed: ${failed.map((run) => run.runId).join(", ")}`);
    }
    const { rows } = await platform.database.query<{ seconds: number }>(
      `select extract(epoch from ended_at - started_at)::float8 as seconds from dag_run where dag_id = 'qcompany_batch' order by id`,
    );
    const [first = Number.NaN, ...later] = rows.map((row) => row.seconds);
    const starts = await readFile(join(folder.home, "log/spark-starts.jsonl"), "utf8");
    return { first, batches: later, sparkStarts: starts.trim().split("\n").length };
  } finally {
    await platform.stop();
    await folder.remove();
  }
}
