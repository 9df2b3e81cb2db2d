/** The platform with its lake on HDFS: the same answers, and compaction that a reader does not notice. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { generateFeed } from "../../src/feed/index.ts";
import { type FileStore, openStore } from "../../src/lake/index.ts";
import { createRun, unpauseDag } from "../../src/metadata/runs.ts";
import { listRuns } from "../../src/metadata/views/run-views.ts";
import { expectedAnswers } from "../support/expected-answers.ts";
import { lakeAnswers } from "../support/lake-answers.ts";
import { PlatformFolder, type RunningPlatform, startTestPlatform } from "../support/platform.ts";

const recorded = process.env.QFLOW_TEST_DATA;
const LIMITS = { timeoutMs: 300_000, maxRows: 100_000 };
const FACT = "conformed.fact_sales";
/** Days that are made to have many files. */
const DAYS = 3;
const FILES = 5;

let source: string;
let batches: readonly number[];
let folder: PlatformFolder;
let platform: RunningPlatform;

test.before("a platform with its lake on HDFS", async (t) => {
  t.timeout(900_000);
  folder = await PlatformFolder.create({ QFLOW_LAKE: "hdfs:///lake" });
  source = recorded ?? (await mkdtemp(join(tmpdir(), "qflow-source-")));
  batches = [1, 3];
  if (!recorded) await generateFeed({ directory: source, batches: 3, rows: 200, seed: 5 });
  await folder.deliver(source, batches);
  platform = await startTestPlatform(folder);
});

test.after.always("nothing is left running", async (t) => {
  t.timeout(120_000);
  await platform?.stop();
  t.deepEqual(await folder.processes(), []);
  await folder.remove();
  if (source !== recorded) await rm(source, { recursive: true, force: true });
});

test.serial("every figure is the one of the feed, and the files lie in HDFS as delivered", async (t) => {
  t.timeout(900_000);
  t.deepEqual((await platform.rest()).failed, []);
  const { rows_read: _, duplicates: __, ...expected } = await expectedAnswers(source, batches);
  t.deepEqual(await platform.hive((hive) => lakeAnswers(hive, expected.agent_report.date)), expected);
  const report = await readFile(
    join(folder.home, "reports/b2b", `sales_agent_performance_${expected.agent_report.date}.csv`),
    "utf8",
  );
  t.is(report.split("\r\n").length, expected.agent_report.rows.length + 2);
  const { rows } = await platform.database.query<{ staged_path: string; sha256: string }>(
    "select staged_path, sha256 from file_manifest where state = 'loaded' order by file_id",
  );
  t.true(rows.length >= batches.length);
  const store = lake();
  for (const { staged_path, sha256 } of rows) {
    t.true(staged_path.startsWith(`${platform.config.lakeDir}/staging/`), staged_path);
    t.is(await store.sha256(staged_path.slice(platform.config.lakeDir.length + 1)), sha256);
  }
});

test.serial("a reader that counts again and again sees one number while the table is compacted", async (t) => {
  t.timeout(900_000);
  await platform.hive(async (hive) => {
    const run = (sql: string) => hive.query(sql, LIMITS);
    await run("set spark.sql.sources.partitionOverwriteMode=dynamic");
    await run(`create table conformed.copied as select * from ${FACT} where transaction_date in
      (select transaction_date from ${FACT} group by 1 order by count(*) desc, 1 limit ${DAYS})`);
    await run(`insert overwrite ${FACT} select /*+ repartition(${FILES}) */ * from conformed.copied`);
    await run("drop table conformed.copied");
  });
  // A query of the reader must not take longer than the grace: that is what it is for.
  const conf = { quietMinutes: 0, graceMinutes: 1, minFiles: 2 };
  const seen = new Set<string>();
  let reads = 0;
  let running = true;
  const reader = platform.hive(async (hive) => {
    while (running) {
      const { rows } = await hive.query(`select count(*), sum(total_paid_price) from ${FACT}`, LIMITS);
      seen.add(JSON.stringify(rows[0]));
      reads++;
    }
  });
  await unpauseDag(platform.database, "lake_compaction");
  // One run switches; those after a grace settle, and after another one finish.
  let inHand = Number.POSITIVE_INFINITY;
  for (let n = 1; inHand > 0; n++) {
    await createRun(platform.database, { dagId: "lake_compaction", runId: `by hand ${n}`, conf, by: "test" });
    t.is(await ended(`by hand ${n}`), "success");
    inHand = (await lake().list(`compaction/${FACT}`)).length;
  }
  running = false;
  await reader;
  t.log(`${reads} reads`);
  t.true(reads > 1);
  t.is(seen.size, 1, [...seen].join(" "));
  const { rows } = await platform.hive((hive) =>
    hive.query(
      `select count(*), sum(files_before), sum(files_after) from enriched.compactions where table_name = '${FACT}'`,
      LIMITS,
    ),
  );
  t.is(String(rows[0]?.[0]), String(DAYS));
  t.true(Number(rows[0]?.[1]) > DAYS);
  t.is(String(rows[0]?.[2]), String(DAYS));
});

function lake(): FileStore {
  return openStore(platform.config.lakeDir, { connection: (id) => platform.config.connections[id] as never });
}

async function ended(runId: string): Promise<string> {
  for (;;) {
    const { rows } = await listRuns(
      platform.database,
      { dagId: "lake_compaction", runId },
      { limit: 1, offset: 0, orderBy: ["-id"] },
    );
    const state = rows[0]?.state;
    if (state === "success" || state === "failed") return state;
    await sleep(500);
  }
}
