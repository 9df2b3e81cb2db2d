import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { warmPoolOf } from "../../src/operators/spark/warm-pool.ts";
import { findByMarker, identify } from "../../src/processes/table.ts";
import { type LineageEvent, type SparkWorld, sparkWorld } from "./spark.ts";

// Each test starts JVMs: one after the other.
const REPORT = [
  "import json, os, sys",
  "from pyspark.sql import SparkSession",
  "spark = SparkSession.builder.appName('ignored').getOrCreate()",
  "print('hello from the job', sys.argv[1:])",
];

function summaryJob(home: string, from: string, to: string): string[] {
  return [
    ...REPORT,
    `spark.range(100).selectExpr('id', 'id % 7 as k').write.mode('overwrite').parquet('${home}/${from}')`,
    `n = spark.read.parquet('${home}/${from}').groupBy('k').count()`,
    `n.write.mode('overwrite').parquet('${home}/${to}')`,
    "given = json.load(open(os.environ['QFLOW_INPUT']))",
    "json.dump({'rows': n.count(), 'given': given, 'args': sys.argv[1:]}, open(os.environ['QFLOW_RESULT'], 'w'))",
    "spark.stop()",
  ];
}

function completed(events: LineageEvent[], attemptId: string): LineageEvent[] {
  return events.filter(
    (event) =>
      event.eventType === "COMPLETE" &&
      event.run.facets?.parent?.root?.run.runId === attemptId &&
      (event.inputs?.length ?? 0) > 0 &&
      (event.outputs?.length ?? 0) > 0,
  );
}

async function starts(world: SparkWorld): Promise<string[]> {
  const text = await readFile(join(world.home, "log/spark-starts.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).kind);
}

test.serial("an own driver: result, log, progress, handle, lineage", async (t) => {
  const world = await sparkWorld(t);
  await world.application("summary.py", summaryJob(world.home, "a", "b"));
  const config = { application: "jobs/summary.py", args: ["--x", { deep: [1] }], input: { n: 5 } };
  const { value, error, text, recorded, attempt } = await world.submit(config);
  t.is(error, null);
  t.deepEqual(value, { rows: 7, given: { n: 5 }, args: ["--x", '{"deep":[1]}'] });
  t.true(text.some((line) => line.startsWith("hello from the job")));
  t.like(recorded.handles.at(-1) as object, { kind: "spark", session: "own", token: attempt.token });
  t.true(completed(world.events, attempt.id).length > 0);
  t.false(text.some((line) => line.includes("LINEAGE_MISSING")));
  t.deepEqual(await findByMarker("QFLOW_ATTEMPT", attempt.token), []);
});

test.serial("an own driver that fails: exit code and last words; cancelled: gone", async (t) => {
  const world = await sparkWorld(t);
  await world.application("fails.py", [...REPORT, "def inner():", "    raise ValueError('bad\\ninput')", "inner()"]);
  const failed = await world.submit({ application: "jobs/fails.py" });
  t.is(failed.error?.code, "SPARK_FAILED");
  t.is(failed.error?.message, "exit code 1: ValueError: bad\ninput (fails.py:6)");
  const flag = join(world.home, "asleep");
  await world.application("sleeps.py", [...REPORT, "import time", `open('${flag}', 'w').close()`, "time.sleep(600)"]);
  const abort = new AbortController();
  const running = world.submit({ application: "jobs/sleeps.py" }, { signal: abort.signal });
  await written(flag);
  abort.abort(new Error("cancelled"));
  const cancelled = await running;
  t.is(cancelled.error?.message, "cancelled");
  t.deepEqual(await findByMarker("QFLOW_ATTEMPT", cancelled.attempt.token), []);
  t.is(await identify((cancelled.recorded.handles[1] as { process: { pid: number } }).process.pid), null);
});

test.serial(
  "a warm driver runs unmodified applications, each in clean surroundings, with its own lineage",
  async (t) => {
    const world = await sparkWorld(t);
    t.teardown(() => warmPoolOf(world.config).close());
    await world.application("helper.py", ["value = 1"]);
    await world.application("first.py", [
      ...summaryJob(world.home, "a", "b").slice(0, -1),
      "import helper, logging, atexit",
      "print('helper', helper.value)",
      "spark.range(1).createOrReplaceTempView('left_behind')",
      "spark.range(1).createOrReplaceGlobalTempView('left_global')",
      "spark.range(9).cache().count()",
      "spark.conf.set('spark.sql.shuffle.partitions', '77')",
      "os.environ['LEFT'] = 'x'; os.chdir('/'); sys.path.append('/left')",
      "atexit.register(lambda: print('at exit'))",
      "logging.basicConfig()",
      "sys.stdout.write('no line end')",
      "spark.stop()",
    ]);
    const first = await world.submit({ application: "jobs/first.py", input: 1, session: "warm", args: ["a"] });
    t.is(first.error, null, first.text.join("\n"));
    t.deepEqual(first.value, { rows: 7, given: 1, args: ["a"] });
    for (const line of ["hello from the job ['a']", "helper 1", "at exit", "no line endat exit"]) {
      t.true(
        first.text.some((said) => said.includes(line)),
        `${line} in ${first.text.join("|")}`,
      );
    }
    t.true(completed(world.events, first.attempt.id).length > 0);

    await world.application("helper.py", ["value = 2"]);
    await world.application("second.py", [
      ...REPORT,
      "import helper",
      "assert helper.value == 2",
      "assert 'LEFT' not in os.environ and os.getcwd() != '/' and '/left' not in sys.path",
      "assert spark.conf.get('spark.sql.shuffle.partitions') == '5'",
      "assert not spark.catalog.tableExists('left_behind')",
      "assert len(spark.sparkContext._jsc.getPersistentRDDs()) == 0",
      "assert [t.name for t in spark.catalog.listTables('global_temp')] == [], spark.catalog.listTables('global_temp')",
      `spark.read.parquet('${world.home}/b').write.mode('overwrite').parquet('${world.home}/c')`,
      "print('ümlaut 日本', file=sys.stderr)",
    ]);
    const conf = { "spark.sql.shuffle.partitions": "5", "spark.driver.memory": "9g" };
    const second = await world.submit({ application: "jobs/second.py", session: "warm", conf });
    t.is(second.error, null, second.text.join("\n"));
    t.is(second.value, null);
    t.true(second.text.includes("ümlaut 日本"));
    t.true(second.text.some((line) => line.includes("spark.driver.memory cannot change")));
    const events = completed(world.events, second.attempt.id);
    t.deepEqual(
      events[0]?.outputs?.map((output) => output.name),
      [`${world.home}/c`],
    );
    t.is(
      completed(world.events, first.attempt.id).filter((event) => event.outputs?.some((o) => o.name.endsWith("/c")))
        .length,
      0,
    );

    await world.application("exits.py", [...REPORT, "sys.exit(3)"]);
    t.is(
      (await world.submit({ application: "jobs/exits.py", session: "warm" })).error?.message.split(":")[0],
      "exit code 3",
    );
    await world.application("zero.py", [...REPORT, "sys.exit()"]);
    t.is((await world.submit({ application: "jobs/zero.py", session: "warm" })).error, null);
    await world.application("fails.py", [...REPORT, "spark.sql('select nope from nowhere')"]);
    const failed = await world.submit({ application: "jobs/fails.py", session: "warm" });
    t.regex(failed.error?.message ?? "", /^exit code 1: .*AnalysisException: .*TABLE_OR_VIEW_NOT_FOUND/s);
    t.regex(failed.error?.message ?? "", /\(fails\.py:5\)$/);
    t.deepEqual(await starts(world), ["warm"]);
  },
);

test.serial(
  "cancelling a warm job: one that waits in Spark leaves the driver, one that hangs in Python costs it",
  async (t) => {
    const world = await sparkWorld(t);
    t.teardown(() => warmPoolOf(world.config).close());
    await world.application("ok.py", [...REPORT, "spark.range(3).count()"]);
    t.is((await world.submit({ application: "jobs/ok.py", session: "warm" })).error, null);
    await world.application("spark_wait.py", [
      ...REPORT,
      "import time",
      `flag = '${world.home}/spark_wait.py.flag'`,
      "spark.sparkContext.parallelize(range(2), 2).map(lambda x: (open(flag, 'w').close(), time.sleep(600))).count()",
    ]);
    t.is((await cancelWhenItRuns(world, "spark_wait.py")).error?.message, "cancelled");
    t.is((await world.submit({ application: "jobs/ok.py", session: "warm" })).error, null);
    t.is((await cancelBeforeItRuns(world, "spark_wait.py")).error?.message, "cancelled");
    t.is((await world.submit({ application: "jobs/ok.py", session: "warm" })).error, null);
    t.deepEqual(await starts(world), ["warm"]);
    await world.application("python_wait.py", [
      ...REPORT,
      "import time",
      "while True:",
      "    try:",
      `        open('${world.home}/python_wait.py.flag', 'w').close()`,
      "        time.sleep(600)",
      "    except BaseException:",
      "        pass",
    ]);
    t.is((await cancelWhenItRuns(world, "python_wait.py")).error?.message, "cancelled");
    t.is((await world.submit({ application: "jobs/ok.py", session: "warm" })).error, null);
    t.deepEqual(await starts(world), ["warm", "warm"]);
  },
);

test.serial("a warm driver that is killed fails its job, and the next job gets another driver", async (t) => {
  const world = await sparkWorld(t);
  t.teardown(() => warmPoolOf(world.config).close());
  const flag = join(world.home, "asleep");
  await world.application("sleeps.py", [...REPORT, "import time", `open('${flag}', 'w').close()`, "time.sleep(600)"]);
  const running = world.submit({ application: "jobs/sleeps.py", session: "warm" });
  await written(flag);
  const pid = JSON.parse((await readFile(join(world.home, "log/spark-starts.jsonl"), "utf8")).trim()).pid;
  process.kill(pid, "SIGKILL");
  const killed = await running;
  t.is(killed.error?.code, "SPARK_FAILED");
  t.regex(killed.error?.message ?? "", /the Spark driver ended \(SIGKILL\)/);
  await world.application("ok.py", [...REPORT, "spark.range(3).count()"]);
  t.is(
    (
      await world.submit(
        { application: "jobs/ok.py", session: "warm" },
        { previousHandle: killed.recorded.handles.at(-1) ?? null },
      )
    ).error,
    null,
  );
  t.deepEqual(await starts(world), ["warm", "warm"]);
});

async function written(flag: string): Promise<void> {
  while (!existsSync(flag)) await sleep(100);
}

async function cancelWhenItRuns(world: SparkWorld, application: string) {
  const abort = new AbortController();
  const running = world.submit({ application: `jobs/${application}`, session: "warm" }, { signal: abort.signal });
  await written(join(world.home, `${application}.flag`));
  abort.abort(new Error("cancelled"));
  return running;
}

/** The driver has been chosen, and is told to run it and to end it in one breath. */
async function cancelBeforeItRuns(world: SparkWorld, application: string) {
  const abort = new AbortController();
  const onHandle = () => abort.abort(new Error("cancelled"));
  return world.submit({ application: `jobs/${application}`, session: "warm" }, { signal: abort.signal, onHandle });
}
