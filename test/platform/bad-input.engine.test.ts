/** Every case of bad input goes through the jobs in one run; what became of each file is what the table says. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import anyTest, { type TestFn } from "ava";
import { BAD_INPUT, REFERENCES } from "./support/bad-input-cases.ts";
import { type FileCounts, type FileVersion, loadBatch } from "./support/load.ts";
import { WarmSpark } from "./support/spark.ts";

interface Loaded {
  spark: WarmSpark;
  folder: string;
  counts: Map<number, FileCounts>;
}

const test = anyTest as TestFn<Loaded>;
const FIRST_CASE = 100;

test.before(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-bad-input-"));
  const files = [...(await references(folder)), ...(await cases(folder))];
  const spark = await WarmSpark.start();
  const { counts } = await loadBatch(spark, files);
  t.context = { spark, folder, counts: new Map(counts.map((file) => [Number(file.fileId), file])) };
});

test.after.always(async (t) => {
  await t.context.spark?.stop();
  if (t.context.folder) await rm(t.context.folder, { recursive: true, force: true });
});

for (const [index, bad] of BAD_INPUT.entries()) {
  test.serial(bad.input, (t) => {
    const file = t.context.counts.get(FIRST_CASE + index);
    if (file === undefined) return t.fail("the file is not in the result");
    const { loaded = 0, duplicate = 0, conflict = 0, quarantined = 0, reasons = {}, rejected = null } = bad.outcome;
    const { fileId: _, read, ...became } = file;
    t.deepEqual(became, { loaded, duplicate, conflict, quarantined, reasons: { ...reasons }, rejected });
    t.is(read, loaded + duplicate + quarantined);
  });
}

test.serial("a quarantined row keeps its line, its number and every reason", async (t) => {
  const index = BAD_INPUT.findIndex((bad) => bad.input === "Several things wrong at once");
  const rows = await t.context.spark.sql<{ _line_no: number; raw_line: string; reasons: string[] }>(
    `select _line_no, raw_line, reasons from standardized.quarantine where file_id = '${FIRST_CASE + index}'`,
  );
  t.is(rows.length, 1);
  t.is(rows[0]?._line_no, 3);
  t.regex(rows[0]?.raw_line ?? "", /^2023-99-1,/);
  t.is(rows[0]?.reasons.length, 4);
});

test.serial("addresses are read from the right", async (t) => {
  const rows = await t.context.spark.sql(
    `select street, city, state, postal_code from conformed.fact_sales
     where street like 'Unit%' or city = '' order by street desc`,
  );
  t.deepEqual(rows, [
    { street: "Unit 1/2/421 6th Street", city: "Washington", state: "DC", postal_code: "20003" },
    { street: "270 Chrissy's Court", city: "", state: "VT", postal_code: "05443" },
  ]);
});

async function references(folder: string): Promise<FileVersion[]> {
  const files: FileVersion[] = [];
  for (const [index, [feed, text]] of Object.entries(REFERENCES).entries()) {
    const path = join(folder, `${feed}.csv`);
    await writeFile(path, text);
    files.push({ fileId: index + 1, feed, batch: 1, path, loadSeq: index + 1, supersedes: [], duplicateOf: null });
  }
  return files;
}

async function cases(folder: string): Promise<FileVersion[]> {
  const files: FileVersion[] = [];
  for (const [index, { content, fileName = "sales.csv" }] of BAD_INPUT.entries()) {
    const fileId = FIRST_CASE + index;
    const path = join(folder, String(fileId), fileName);
    await mkdir(join(folder, String(fileId)));
    await writeFile(path, content);
    files.push({
      fileId,
      feed: "sales_transactions",
      batch: 1,
      path,
      loadSeq: fileId,
      supersedes: [],
      duplicateOf: null,
    });
  }
  return files;
}
