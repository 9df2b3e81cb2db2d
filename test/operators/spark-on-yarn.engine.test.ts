// Real applications on a real YARN, each a driver and an executor: what outlives a worker, what is killed, what is told.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type { QflowError } from "../../src/errors.ts";
import { AttemptStopped } from "../../src/operators/attempt-stopped.ts";
import { YarnClient } from "../../src/operators/spark/yarn-client.ts";
import { run } from "../../src/operators/spark-submit.run.ts";
import { sparkSubmitSchema } from "../../src/operators/spark-submit.ts";
import { testDatabase } from "../support/database.ts";
import { type TestEngines, testEngines } from "../support/engines.ts";
import { type ContextOptions, operatorContext } from "../support/operator-context.ts";

const APPLICATION = `
import json, os, sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
rows = spark.range(1000).count()
print("counted", rows, "with", json.load(open(os.environ["QFLOW_INPUT"]))["n"], flush=True)
time.sleep(float(sys.argv[2]))
json.dump({"rows": rows}, open(os.environ["QFLOW_RESULT"], "w"))
sys.exit(int(sys.argv[1]))
`;

async function submit(
  engines: TestEngines,
  database: ContextOptions["database"],
  args: string[],
  more: Partial<ContextOptions>,
) {
  const { config } = engines;
  const folder = join(config.home, "jobs");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "job.py"), APPLICATION);
  const connections = Object.values(config.connections);
  const { context, recorded } = operatorContext({ home: config.home, database, connections, ...more });
  const own = { ...context, config };
  const conf = { "spark.executor.instances": "1", "spark.executor.memory": "512m", "spark.driver.memory": "512m" };
  const application = join(folder, "job.py");
  const request = sparkSubmitSchema.parse({
    application,
    args,
    master: "yarn",
    deployMode: "cluster",
    conf,
    input: { n: 7 },
  });
  const outcome = run(request, own).then(
    (value) => ({ value, error: null }),
    (error: Error & { code?: string }) => ({ value: null, error }),
  );
  return { outcome, recorded, token: own.attempt.token, lines: () => recorded.lines.map(({ message }) => message) };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 300_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not come to that");
    await new Promise((done) => setTimeout(done, 250));
  }
}

test.serial("exit code, log, adoption after the worker's end, and the end of what is cancelled", async (t) => {
  const engines = await testEngines(t, ["postgres", "yarn"]);
  t.timeout(1_500_000);
  const database = await testDatabase(t);
  const yarn = new YarnClient(engines.config.connections.yarn_default ?? (t.fail("no connection") as never));

  const failing = await submit(engines, database, ["3", "0"], {});
  const failed = await failing.outcome;
  t.is(failed.error?.code, "SPARK_FAILED");
  t.regex(failed.error?.message ?? "", /^exit code 3/);
  t.true(failing.lines().includes("counted 1000 with 7"), "the driver's output is in the attempt's log");

  const gone = new AbortController();
  const first = await submit(engines, database, ["0", "20"], { signal: gone.signal });
  await until(async () => (await yarn.tagged(first.token))[0]?.state === "RUNNING");
  gone.abort(new AttemptStopped("orphaned"));
  t.is((await first.outcome).error?.message, "the worker is gone");
  const second = await submit(engines, database, ["0", "20"], {
    previousHandle: first.recorded.handles.at(-1) ?? null,
  });
  const adopted = await second.outcome;
  t.deepEqual(adopted, { value: { rows: 1000 }, error: null });
  t.is((await yarn.tagged(first.token)).length, 1);
  t.is((await yarn.tagged(second.token)).length, 0, "the second attempt submits nothing");
  t.true(second.lines().includes("counted 1000 with 7"));

  const cancelling = new AbortController();
  const third = await submit(engines, database, ["0", "600"], { signal: cancelling.signal });
  await until(async () => (await yarn.tagged(third.token))[0]?.state === "RUNNING");
  cancelling.abort(new AttemptStopped("cancelled"));
  t.is((await third.outcome).error?.message, "the attempt was stopped: cancelled");
  t.deepEqual(
    (await yarn.tagged(third.token)).map(({ state }) => state),
    ["KILLED"],
  );
});

test.serial(
  "a ResourceManager that is killed costs nothing; a NodeManager costs the attempt, and leaves nothing behind",
  async (t) => {
    const engines = await testEngines(t, ["postgres", "yarn"]);
    t.timeout(1_500_000);
    const database = await testDatabase(t);
    const yarn = new YarnClient(engines.config.connections.yarn_default ?? (t.fail("no connection") as never));
    const running = (token: string) => until(async () => (await yarn.tagged(token))[0]?.state === "RUNNING");

    const first = await submit(engines, database, ["0", "45"], {});
    await running(first.token);
    await engines.killAndAwait("resourcemanager");
    t.deepEqual(await first.outcome, { value: { rows: 1000 }, error: null });
    t.is((await yarn.tagged(first.token)).length, 1);

    const second = await submit(engines, database, ["0", "600"], {});
    await running(second.token);
    await engines.killAndAwait("nodemanager");
    const { error } = await second.outcome;
    t.is(error?.code, "SPARK_FAILED");
    t.is((error as QflowError).retry, "retryable");
    const third = await submit(engines, database, ["0", "0"], {
      previousHandle: second.recorded.handles.at(-1) ?? null,
    });
    t.deepEqual(await third.outcome, { value: { rows: 1000 }, error: null });
    t.is((await yarn.tagged(second.token)).length, 1);
    t.is((await yarn.tagged(third.token)).length, 1, "the next attempt has an application of its own");
  },
);
