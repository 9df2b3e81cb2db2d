/** Compaction: readers never see another number, at any step; a run that is killed after any step is carried on by the next. */
import { copyFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import anyTest, { type TestFn } from "ava";
import { WarmSpark } from "./support/spark.ts";

const test = anyTest as TestFn<{ spark: WarmSpark }>;
const TABLE = "conformed.fact_sales";
const SCRIPT = join(import.meta.dirname, "support/compact_watched.py");
const ROWS = 50;
const FILES = 4;

/** Rows and checksum of the table, rows in its folders. */
type Seen = [rows: number, checksum: string, listed: number];
type Step = [step: string, ...Seen];

interface Outcome {
  killed: string[];
  steps: Step[];
  after: Seen;
  result: {
    compacted: { partition: string; filesBefore: number; filesAfter: number; rows: number }[];
    settled: number;
    finished: number;
    abandoned: number;
    failed: { partition: string; reason: string }[];
    left: number;
  };
}

interface Kill {
  readonly step: string;
  readonly time?: number;
}

interface RunOptions {
  /** By partition; "*" ends the whole run. */
  kills?: Readonly<Record<string, Kill>>;
  options?: Record<string, unknown>;
  statements?: string[];
  watch?: boolean;
}

function compact(spark: WarmSpark, { kills = {}, options, statements = [], watch = false }: RunOptions = {}) {
  const all = { table: TABLE, quietMinutes: 0, graceMinutes: 0, ...options };
  return spark.script<Outcome>(SCRIPT, { options: all, kills, watch: { watch }, first: { statements } });
}

function partitionOf(day: string): string {
  return `transaction_date=${day}`;
}

/** Fills days with ROWS sales in FILES files each. */
async function fill(spark: WarmSpark, days: readonly string[]): Promise<void> {
  await spark.sql(`insert into ${TABLE} (transaction_id, units, _line_no, transaction_date)
    select /*+ repartition(${FILES}) */ concat(day, '-', id), cast(id as int), id, cast(day as date)
      from range(${ROWS}) cross join (select explode(array(${days.map((day) => `'${day}'`).join(", ")})) as day)`);
}

async function locationOf(spark: WarmSpark, table: string): Promise<string> {
  const rows = await spark.sql<{ col_name: string; data_type: string }>(`describe formatted ${table}`);
  return fileURLToPath(
    rows.find((row) => row.col_name === "Location")?.data_type.replace(/^file:\/*/, "file:///") ?? "",
  );
}

async function filesOf(spark: WarmSpark, day: string): Promise<string[]> {
  const names = await readdir(join(await locationOf(spark, TABLE), `transaction_date=${day}`));
  return names.filter((name) => !/^[._]/.test(name));
}

test.before(async (t) => {
  t.timeout(600_000);
  // As the platform has them: other applications write the tables.
  const conf = {
    "spark.sql.hive.filesourcePartitionFileCacheSize": "0",
    "spark.sql.filesourceTableRelationCacheSize": "0",
  };
  t.context = { spark: await WarmSpark.start(conf) };
});

test.after.always(async (t) => {
  await t.context.spark?.stop();
});

/** What compaction keeps beside the tables. */
async function worksFolder(spark: WarmSpark): Promise<string> {
  return join(dirname(dirname(dirname(await locationOf(spark, TABLE)))), "compaction", TABLE);
}

async function openWorks(spark: WarmSpark): Promise<string[]> {
  return readdir(await worksFolder(spark));
}

/** Makes it long ago that a compaction reached a mark. */
async function endGrace(spark: WarmSpark, work: string, mark: "switched" | "returned"): Promise<void> {
  const path = join(await worksFolder(spark), work, `${mark}.json`);
  const content = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...content, [`${mark}At`]: 1 }));
}

/** Runs until nothing is left to do: switched and settled, then finished. */
async function finish(spark: WarmSpark): Promise<Outcome> {
  await compact(spark);
  await compact(spark);
  return compact(spark);
}

test.serial("a reader sees the same rows after every step, and a listing never sees a row twice", async (t) => {
  t.timeout(900_000);
  const { spark } = t.context;
  await fill(spark, ["2024-01-01", "2024-01-02"]);
  const { after: before } = await compact(spark, { options: { mostPartitions: 0 } });
  const first = await compact(spark, { watch: true });
  const second = await compact(spark, { watch: true });
  const swapping = new Set(["moved out", "emptied"]);
  for (const [step, ...seen] of [...first.steps, ...second.steps]) {
    t.deepEqual(seen.slice(0, 2), before.slice(0, 2), step);
    if (swapping.has(step)) t.true(seen[2] < before[2], step);
    else t.is(seen[2], before[2], step);
  }
  t.like(first.result, { settled: 2, failed: [], left: 0 });
  t.deepEqual(
    first.result.compacted.map(({ partition, filesBefore, filesAfter, rows }) => [
      partition,
      filesBefore,
      filesAfter,
      rows,
    ]),
    [
      ["transaction_date=2024-01-02", FILES, 1, ROWS],
      ["transaction_date=2024-01-01", FILES, 1, ROWS],
    ],
  );
  t.is(second.result.finished, 2);
  t.is((await filesOf(spark, "2024-01-01")).length, 1);
  t.deepEqual(await openWorks(spark), []);
  const report = await spark.sql(
    "select partition_name, files_before, files_after, row_count from enriched.compactions order by 1",
  );
  t.deepEqual(report, [
    { partition_name: "transaction_date=2024-01-01", files_before: FILES, files_after: 1, row_count: ROWS },
    { partition_name: "transaction_date=2024-01-02", files_before: FILES, files_after: 1, row_count: ROWS },
  ]);
});

const KILLS: Kill[] = [
  ...["planned", "written", "verified", "followed", "pointed", "switched", "copied", "settling", "moved out"],
  ...["emptied", "filled", "pointed home", "returned", "gathered", "removing"],
].map((step) => ({ step }));
KILLS.push({ step: "moved out", time: 3 }, { step: "removing", time: 4 });

test.serial("a partition that is killed after any step loses nothing, and the next run carries it on", async (t) => {
  t.timeout(900_000);
  const { spark } = t.context;
  const days = KILLS.map((_, i) => `2024-02-${String(i + 1).padStart(2, "0")}`);
  await fill(spark, days);
  const { after: before } = await compact(spark, { options: { mostPartitions: 0 } });
  const kills = Object.fromEntries(KILLS.map((kill, i) => [partitionOf(days[i] ?? ""), kill]));
  const first = await compact(spark, { kills });
  // What comes last is done by the run after the report.
  const late = Object.fromEntries(Object.entries(kills).filter(([, kill]) => kill.step === "removing"));
  const second = await compact(spark, { kills: { ...late, "*": { step: "told" } } });
  t.deepEqual([...first.killed, ...second.killed].sort(), [...Object.keys(kills), "*"].sort());
  for (const { after } of [first, second]) {
    t.deepEqual(after.slice(0, 2), before.slice(0, 2));
    t.true(after[2] <= before[2]);
  }
  const third = await finish(spark);
  t.deepEqual([third.result.failed, third.after], [[], before]);
  t.deepEqual(await openWorks(spark), []);
  for (const day of days) t.is((await filesOf(spark, day)).length, 1, day);
  const report = await spark.sql("select partition_name, count(*) as n from enriched.compactions group by 1");
  t.deepEqual(
    report.filter((row) => row.n !== 1),
    [],
  );
  t.true(days.every((day) => report.some((row) => row.partition_name === partitionOf(day))));
});

test.serial("old files stay for those who read them until the grace is over, and so do the new ones", async (t) => {
  const { spark } = t.context;
  const day = "2024-03-01";
  const patient = { options: { graceMinutes: 60 } };
  await finish(spark);
  await fill(spark, [day]);
  const before = await filesOf(spark, day);
  const first = await compact(spark, patient);
  t.deepEqual([first.result.compacted.length, await filesOf(spark, day)], [1, before]);
  await compact(spark, patient);
  t.deepEqual(await filesOf(spark, day), before);
  const [work = ""] = await openWorks(spark);
  await endGrace(spark, work, "switched");
  t.is((await compact(spark, patient)).result.settled, 1);
  t.is((await filesOf(spark, day)).length, 1);
  await compact(spark, patient);
  t.deepEqual(await openWorks(spark), [work]);
  await endGrace(spark, work, "returned");
  t.is((await compact(spark, patient)).result.finished, 1);
  t.deepEqual(await openWorks(spark), []);
});

test.serial("a partition that was written a short while ago, or has few files, is left alone", async (t) => {
  const { spark } = t.context;
  await fill(spark, ["2024-03-02"]);
  const young = await compact(spark, { options: { quietMinutes: 60 } });
  const few = await compact(spark, { options: { minFiles: FILES + 1 } });
  t.deepEqual([young.steps, few.steps], [[], []]);
  await finish(spark);
});

test.serial("a file that comes late is seen once: after the switch, and after the way back", async (t) => {
  const { spark } = t.context;
  const day = "2024-03-03";
  const patient = { options: { graceMinutes: 60 } };
  await fill(spark, ["2024-03-04"]);
  await finish(spark);
  await fill(spark, [day]);
  const root = await locationOf(spark, TABLE);
  const [file = ""] = await filesOf(spark, "2024-03-04");
  const late = (name: string, folder: string) =>
    copyFile(join(root, partitionOf("2024-03-04"), file), join(folder, name));
  const { after: before } = await compact(spark, patient);
  // Whoever looked the location up before the switch.
  await late("part-g0001-late.parquet", join(root, partitionOf(day)));
  const followed = await compact(spark, patient);
  t.deepEqual([followed.after[0], followed.after[2]], [before[0] + ROWS, before[2] + ROWS]);
  const [work = ""] = await openWorks(spark);
  await endGrace(spark, work, "switched");
  t.deepEqual((await compact(spark, patient)).after, followed.after);
  const folder = join(await worksFolder(spark), work);
  const data = (await readdir(folder)).find((name) => name.startsWith("data-")) ?? "";
  // Whoever looked it up before the way back.
  await late("part-g0001-later.parquet", join(folder, data));
  const gathered = await compact(spark, patient);
  t.deepEqual([gathered.after[0], gathered.after[2]], [before[0] + 2 * ROWS, before[2] + 2 * ROWS]);
  await endGrace(spark, work, "returned");
  t.deepEqual((await compact(spark, patient)).after, gathered.after);
  t.deepEqual(await openWorks(spark), []);
});

/** What a later job writes over a day: one row. */
function overwriting(day: string): string {
  return `insert overwrite ${TABLE} (transaction_id, units, _line_no, transaction_date) select '${day}-new', 1, 1L, date'${day}'`;
}

test.serial("days that a job writes anew after any step hold what the job wrote", async (t) => {
  t.timeout(600_000);
  const { spark } = t.context;
  const steps = ["verified", "switched", "copied", "filled", "pointed home"];
  const days = steps.map((_, i) => `2024-04-0${i + 1}`);
  const { after: without } = await finish(spark);
  await fill(spark, days);
  const kills = Object.fromEntries(steps.map((step, i) => [partitionOf(days[i] ?? ""), { step }]));
  t.is((await compact(spark, { kills })).killed.length, steps.length);
  const statements = days.map(overwriting);
  const written = await compact(spark, { statements, options: { graceMinutes: 60 } });
  t.is(written.after[0], without[0] + days.length);
  const end = await finish(spark);
  t.deepEqual([end.after[0], end.after[2]], [without[0] + days.length, without[2] + days.length]);
  t.deepEqual([end.result.failed, await openWorks(spark)], [[], []]);
});

test.serial("a day that is dropped while readers are switched is gone", async (t) => {
  const { spark } = t.context;
  const { after: without } = await finish(spark);
  await fill(spark, ["2024-05-01"]);
  await compact(spark, { kills: { [partitionOf("2024-05-01")]: { step: "switched" } } });
  await spark.sql(`alter table ${TABLE} drop partition (transaction_date = date'2024-05-01')`);
  const end = await finish(spark);
  t.deepEqual(end.after, without);
  t.deepEqual(await openWorks(spark), []);
});

test.serial("files of about the target's size", async (t) => {
  const { spark } = t.context;
  const day = "2024-06-01";
  await finish(spark);
  await fill(spark, [day]);
  const folder = join(await locationOf(spark, TABLE), partitionOf(day));
  const sizes = (await filesOf(spark, day)).map(async (name) => (await stat(join(folder, name))).size);
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  const { result } = await compact(spark, { options: { targetMb: bytes / 2 / 1024 / 1024 } });
  t.like(result.compacted[0], { filesBefore: FILES, filesAfter: 2, rows: ROWS });
  await finish(spark);
});

test.serial("a partition that cannot be read is named, and the others are done", async (t) => {
  const { spark } = t.context;
  await fill(spark, ["2024-07-01", "2024-07-02"]);
  const broken = join(await locationOf(spark, TABLE), "transaction_date=2024-07-02/part-broken.parquet");
  await writeFile(broken, "this is no Parquet file");
  const outcome = await compact(spark, { options: { mostPartitions: 9 } }).catch((error: Error) => error);
  t.true(outcome instanceof Error, "the number of rows cannot be told any more");
  t.is((await filesOf(spark, "2024-07-01")).length, 1);
  t.is((await filesOf(spark, "2024-07-02")).length, FILES + 1);
});

test.serial("hours of the stream's table, by the job as a DAG submits it", async (t) => {
  t.timeout(600_000);
  const { spark } = t.context;
  await spark.sql(`insert into standardized.app_events (event_id, quantity, event_date, event_hour)
    select /*+ repartition(${FILES}) */ concat('e-', id), 1, date'2026-11-23', if(id % 2 = 0, '05', '23') from range(${ROWS})`);
  const options = { table: "standardized.app_events", quietMinutes: 0, graceMinutes: 0, minFiles: 2 };
  const { compacted } = await spark.job<Outcome["result"]>("compact", { options });
  t.deepEqual(
    compacted.map(({ partition, filesAfter, rows }) => [partition, filesAfter, rows]),
    ["23", "05"].map((hour) => [`event_date=2026-11-23/event_hour=${hour}`, 1, ROWS / 2]),
  );
  t.is((await spark.job<Outcome["result"]>("compact", { options })).finished, 2);
  const folder = join(await locationOf(spark, "standardized.app_events"), "event_date=2026-11-23/event_hour=05");
  t.is((await readdir(folder)).filter((name) => !/^[._]/.test(name)).length, 1);
  const rows = await spark.sql("select event_hour, count(*) as n from standardized.app_events group by 1 order by 1");
  t.deepEqual(rows, [
    { event_hour: "05", n: ROWS / 2 },
    { event_hour: "23", n: ROWS / 2 },
  ]);
});
