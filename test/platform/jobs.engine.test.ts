/** The jobs on a generated feed: right answers in any order of arrival, nothing written twice, files replaced, agents that come late. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import anyTest, { type TestFn } from "ava";
import { generateFeed } from "../../src/feed/index.ts";
import { type Answers, expectedAnswers } from "../support/expected-answers.ts";
import { lakeAnswers } from "../support/lake-answers.ts";
import { type FileVersion, loadBatch } from "./support/load.ts";
import { WarmSpark } from "./support/spark.ts";

interface World {
  spark: WarmSpark;
  folder: string;
  /** File versions by batch, as they were landed. */
  landed: Map<number, FileVersion[]>;
  answers: Answers;
}

const test = anyTest as TestFn<World>;
const ROWS = 80;
const ARRIVAL = [3, 1, 4, 2];
const FEEDS = ["branches", "sales_agents", "sales_transactions"];
const KEPT = 20;
/** Rows of a file of some 8 MB: more than one task reads. */
const LARGE = 60_000;

let landings = 0;

function landed(feed: string, batch: number, path: string, supersedes: number[] = []): FileVersion {
  landings++;
  return { fileId: landings, feed, batch, path, loadSeq: landings, supersedes, duplicateOf: null };
}

function filesOf(folder: string, batch: number): FileVersion[] {
  return FEEDS.map((feed) => landed(feed, batch, join(folder, `group${batch}/${feed}_SS_raw_${batch}.csv`)));
}

test.before(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-jobs-"));
  await generateFeed({ directory: folder, batches: 4, rows: ROWS, seed: 20 });
  const spark = await WarmSpark.start();
  const batches = new Map<number, FileVersion[]>();
  for (const batch of ARRIVAL) {
    const files = filesOf(folder, batch);
    batches.set(batch, files);
    await loadBatch(spark, files);
  }
  await spark.job("insights");
  t.context = { spark, folder, landed: batches, answers: await expectedAnswers(folder, ARRIVAL) };
});

test.after.always(async (t) => {
  await t.context.spark?.stop();
  if (t.context.folder) await rm(t.context.folder, { recursive: true, force: true });
});

test.serial("batches that arrive out of order give the right answers", async (t) => {
  const { spark, answers } = t.context;
  const { rows_read: _, duplicates: __, ...figures } = answers;
  t.deepEqual(await lakeAnswers(spark, answers.agent_report.date), figures);
});

test.serial("running a batch again writes nothing and counts the same", async (t) => {
  const { spark, landed } = t.context;
  const before = await spark.sql(
    "select transaction_date, max(changed_seq) as seq from enriched.sales_agent_performance group by 1 order by 1",
  );
  const load = await loadBatch(spark, landed.get(1) ?? []);
  t.deepEqual(load.factDates, []);
  t.deepEqual(load.performanceDates, []);
  t.like(load.counts.at(-1), { read: ROWS, loaded: 0, duplicate: ROWS, conflict: 0, quarantined: 0 });
  const after = await spark.sql(
    "select transaction_date, max(changed_seq) as seq from enriched.sales_agent_performance group by 1 order by 1",
  );
  t.deepEqual(after, before);
});

test.serial("the rows of a repeated batch belong to whichever came first", async (t) => {
  const [rows] = await t.context.spark.sql(
    "select count_if(_batch = 3) as third, count_if(_batch = 1) as first from conformed.fact_sales",
  );
  t.deepEqual(rows, { third: ROWS, first: 0 });
});

test.serial("history of customers is in the order of batches, unbroken, one row current", async (t) => {
  const rows = await t.context.spark.sql<{
    customer_id: string;
    valid_from: number;
    valid_to?: number;
    is_current: boolean;
    valid_from_batch: number;
  }>("select * from conformed.dim_customer order by customer_id, valid_from");
  const byCustomer = Map.groupBy(rows, (row) => row.customer_id);
  t.is(byCustomer.size, t.context.answers.customers);
  for (const history of byCustomer.values()) {
    t.deepEqual(
      history.map((row) => row.is_current),
      history.map((_, index) => index === history.length - 1),
    );
    t.deepEqual(
      history.map((row) => row.valid_to),
      [...history.slice(1).map((row) => row.valid_from), undefined],
    );
  }
  // Batch 3 tells again what batch 1 told: nothing in it is news.
  t.false(rows.some((row) => row.valid_from_batch === 3));
});

test.serial("a file that is replaced withdraws its rows, and days that lose all of them are gone", async (t) => {
  const { spark, folder, landed: batches } = t.context;
  const old = batches.get(2)?.at(-1);
  const text = await readFile(old?.path ?? "", "utf8");
  const path = join(folder, "second.csv");
  await writeFile(
    path,
    text
      .split("\n")
      .slice(0, KEPT + 1)
      .join("\n"),
  );
  const load = await loadBatch(spark, [landed("sales_transactions", 2, path, [old?.fileId ?? 0])]);
  t.like(load.counts[0], { read: KEPT, loaded: KEPT });
  const [fact] = await spark.sql(
    `select count(*) as sales, count_if(_file_id = '${old?.fileId}') as old, count(distinct transaction_date) as days from conformed.fact_sales`,
  );
  t.like(fact, { sales: t.context.answers.transactions - ROWS + KEPT, old: 0 });
  const partitions = await spark.sql("show partitions conformed.fact_sales");
  t.is(partitions.length, (fact as { days: number }).days);
});

test.serial("sales of an unknown agent wait in quarantine until a file names the agent", async (t) => {
  const { spark, folder } = t.context;
  const header = (await readFile(join(folder, "group1/sales_transactions_SS_raw_1.csv"), "utf8")).split("\n")[0];
  const sales = join(folder, "late.csv");
  await writeFile(
    sales,
    `${header}\n2023-5-20,trx-late,90000,Ada,Brown,ada@mail.com,77,1,22,Coffee Maker,Appliances,,,,,,1,79.99,no,Cash\n`,
  );
  const waiting = await loadBatch(spark, [landed("sales_transactions", 5, sales)]);
  t.like(waiting.counts[0], { read: 1, loaded: 0, quarantined: 1, reasons: { unknown_sales_agent: 1 } });
  const agents = join(folder, "agents.csv");
  await writeFile(agents, "sales_person_id,name,hire_date\n77,Late Comer,2024-1-1\n");
  const load = await loadBatch(spark, [landed("sales_agents", 6, agents)]);
  t.deepEqual(load.factDates, ["2023-05-20"]);
  t.deepEqual(await spark.sql("select sales_agent_id from conformed.fact_sales where transaction_id = 'trx-late'"), [
    { sales_agent_id: "77" },
  ]);
  t.deepEqual(await spark.sql("select * from standardized.quarantine"), []);
});

test.serial("lines keep their numbers in a file that several tasks read", async (t) => {
  const { spark, folder } = t.context;
  await generateFeed({ directory: join(folder, "large"), batches: 1, rows: LARGE, seed: 21 });
  const path = join(folder, "large/group1/sales_transactions_SS_raw_1.csv");
  const lines = (await readFile(path, "utf8")).split("\n");
  const file = landed("sales_transactions", 7, path);
  await spark.job("standardize", { manifest: [file] });
  const picked = [2, 3, 20_000, 40_000, 59_999, LARGE + 1];
  t.deepEqual(
    await spark.sql(
      `select _line_no, raw_line from standardized.sales_transactions
       where file_id = '${file.fileId}' and _line_no in (${picked.join(",")}) order by _line_no`,
    ),
    picked.map((number) => ({ _line_no: number, raw_line: lines[number - 1] })),
  );
  const [{ rows } = { rows: 0 }] = await spark.sql<{ rows: number }>(
    `select count(distinct _line_no) as rows from standardized.sales_transactions where file_id = '${file.fileId}'`,
  );
  t.is(rows, LARGE);
});
