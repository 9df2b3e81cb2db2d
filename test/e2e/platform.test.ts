/** `npm start -- --once` as a user runs it: on an empty home, and again; with the real feed where there is one. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { generateFeed } from "../../src/feed/index.ts";
import { clearTasks } from "../../src/metadata/clear.ts";
import { lineageForAttempt } from "../../src/metadata/lineage.ts";
import { listRuns } from "../../src/metadata/views/run-views.ts";
import { expectedAnswers } from "../support/expected-answers.ts";
import { lakeAnswers } from "../support/lake-answers.ts";
import { PlatformFolder, type RunningPlatform, startTestPlatform } from "../support/platform.ts";

const recorded = process.env.QFLOW_TEST_DATA;

let source: string;
let batches: readonly number[];
let folder: PlatformFolder;
let platform: RunningPlatform;

test.before("the feed: the real one where there is one, else a generated one", async (t) => {
  t.timeout(900_000);
  folder = await PlatformFolder.create();
  source = await mkdtemp(join(tmpdir(), "qflow-source-"));
  batches = [1, 2, 3, 4];
  if (recorded) source = recorded;
  else await generateFeed({ directory: source, batches: 4, rows: 300, seed: 77 });
  await folder.deliver(source, batches);
});

test.after.always("nothing is left running", async (t) => {
  t.timeout(120_000);
  await platform?.stop();
  t.deepEqual(await folder.processes(), []);
  await folder.remove();
  if (source !== recorded) await rm(source, { recursive: true, force: true });
});

test.serial("start --once on an empty home loads every batch and ends with 0", async (t) => {
  t.timeout(900_000);
  const { code, stderr } = await folder.command("start", "--once");
  t.is(code, 0, stderr);
  t.deepEqual(await folder.processes(), []);
});

test.serial("the answers are right, read back through qflow sql", async (t) => {
  t.timeout(600_000);
  const { code, stdout } = await folder.command(
    "sql",
    "-o",
    "json",
    "select count(*) as n, sum(total_paid_price) as paid from conformed.fact_sales",
  );
  const expected = await expectedAnswers(source, batches);
  t.is(code, 0);
  t.deepEqual(JSON.parse(stdout), [{ n: String(expected.transactions), paid: expected.total_paid }]);
});

test.serial("a second start does nothing again and changes no byte of a report", async (t) => {
  t.timeout(600_000);
  const before = await reportDigests();
  t.true(before.size > 0);
  const { code, stderr } = await folder.command("start", "--once");
  t.is(code, 0, stderr);
  t.notRegex(stderr, /Batches to load/);
  t.deepEqual(await reportDigests(), before);
});

test.serial("a platform that stays up answers with every figure, and its lineage is complete", async (t) => {
  t.timeout(600_000);
  platform = await startTestPlatform(folder);
  await assertAnswers(t);
  const { rows } = await platform.database.query<{ task: string; attempt: string }>(
    `select i.task_id || ' of ' || r.run_id as task, a.attempt_id as attempt
       from task_attempt a join task_instance i on i.id = a.task_instance_id join dag_run r on r.id = i.dag_run_id
       join task_def d on d.version_id = i.version_id and d.task_index = i.task_index
      where d.operator ->> 'name' = 'spark_submit' and a.state = 'success'`,
  );
  t.true(rows.length >= batches.length * 4);
  const incomplete: string[] = [];
  for (const { task, attempt } of rows) {
    if (!(await lineageForAttempt(platform.database, attempt)).complete) incomplete.push(task);
  }
  t.deepEqual(incomplete, [], "a green Spark task without a COMPLETE event that has inputs and outputs");
});

test.serial("clearing a batch and running it again changes nothing", async (t) => {
  t.timeout(600_000);
  const before = await reportDigests();
  t.true(await clearNewestBatch());
  t.deepEqual((await platform.rest()).failed, []);
  await assertAnswers(t);
  t.deepEqual(await reportDigests(), before);
});

async function clearNewestBatch(): Promise<boolean> {
  const newest = await listRuns(
    platform.database,
    { dagId: "qcompany_batch" },
    { limit: 1, offset: 0, orderBy: ["-id"] },
  );
  const runId = newest.rows[0]?.run_id;
  if (runId) await clearTasks(platform.database, { dagId: "qcompany_batch", runId });
  return runId !== undefined;
}

async function assertAnswers(t: ExecutionContext): Promise<void> {
  const { rows_read, duplicates, ...expected } = await expectedAnswers(source, batches);
  t.deepEqual(await platform.hive((hive) => lakeAnswers(hive, expected.agent_report.date)), expected);
  const { rows } = await platform.database.query<{ read: number; duplicate: number }>(
    `select sum(rows_read)::int as read, sum(rows_duplicate)::int as duplicate from file_manifest
      where feed = 'sales_transactions' and state in ('loaded', 'duplicate')`,
  );
  t.deepEqual(rows[0], { read: rows_read, duplicate: duplicates });
  const report = await readFile(reportFile(expected.agent_report.date), "utf8");
  const lines = expected.agent_report.rows.map((row) => row.join(","));
  t.is(report, `${["sales_agent_name,product_name,total_sold_units", ...lines].join("\r\n")}\r\n`);
}

function reportFile(date: string): string {
  return join(folder.home, "reports/b2b", `sales_agent_performance_${date}.csv`);
}

async function reportDigests(): Promise<Map<string, string>> {
  const reports = join(folder.home, "reports/b2b");
  const names = (await readdir(reports)).sort();
  const digests = names.map(async (name): Promise<[string, string]> => {
    return [
      name,
      createHash("sha256")
        .update(await readFile(join(reports, name)))
        .digest("hex"),
    ];
  });
  return new Map(await Promise.all(digests));
}
