/**
 * Every process of the platform is killed with -9, once inside a task and once between two, while a batch is loaded. It must recover by
 * itself: the figures are those of a platform that nothing happened to.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { generateFeed } from "../../src/feed/index.ts";
import { listRuns } from "../../src/metadata/views/run-views.ts";
import { listTaskInstances } from "../../src/metadata/views/task-views.ts";
import { expectedAnswers } from "../support/expected-answers.ts";
import { lakeAnswers } from "../support/lake-answers.ts";
import { PlatformFolder, type RunningPlatform, startTestPlatform } from "../support/platform.ts";

const ROWS = 120;

/** Who is killed: how its process is recognised, and the task during which it happens. */
interface Victim {
  readonly name: string;
  readonly command: RegExp;
  readonly inside: string;
}

/** Who is killed while one batch is loaded, in the order of the tasks. */
const ROUNDS: readonly (readonly Victim[])[] = [
  [
    { name: "worker", command: /cli\.ts worker/, inside: "standardize" },
    { name: "Spark driver", command: /java .*session_server\.py/, inside: "conform" },
  ],
  [
    { name: "FTP server", command: /ftp_server\.py/, inside: "land" },
    { name: "scheduler", command: /cli\.ts scheduler/, inside: "standardize" },
  ],
  [
    { name: "HiveServer2 endpoint", command: /java .*HiveThriftServer2/, inside: "tables" },
    { name: "runner", command: /runner-main\.ts/, inside: "standardize" },
  ],
  [{ name: "Postgres", command: /bin\/postgres -D/, inside: "standardize" }],
];
/** After this task has ended comes the second kill. */
const BETWEEN = "conform";

let source: string;
let folder: PlatformFolder;
let platform: RunningPlatform;
let loaded: number[] = [];

test.before("a platform that has loaded one batch", async (t) => {
  t.timeout(600_000);
  source = await mkdtemp(join(tmpdir(), "qflow-source-"));
  await generateFeed({ directory: source, batches: ROUNDS.length + 1, rows: ROWS, seed: 31 });
  folder = await PlatformFolder.create();
  await folder.deliver(source, [1]);
  platform = await startTestPlatform(folder);
  loaded = [1];
  t.deepEqual((await platform.rest()).failed, []);
});

test.after.always("nothing is left running", async (t) => {
  t.timeout(120_000);
  await platform?.stop();
  t.deepEqual(await folder.processes(), []);
  await folder.remove();
  await rm(source, { recursive: true, force: true });
});

for (const [index, victims] of ROUNDS.entries()) {
  const names = victims.map(({ name }) => name).join(" and ");
  test.serial(`kill -9 of ${names}, inside a task and between two, changes no figure`, async (t) => {
    t.timeout(1_800_000);
    const batch = index + 2;
    await folder.deliver(source, [batch]);
    loaded.push(batch);
    const rest = platform.rest();
    const killed: number[] = [];
    for (const { command, inside } of victims) {
      await untilTask(batch, inside, ["running"]);
      killed.push(...(await kill(t, command)));
    }
    await untilTask(batch, BETWEEN, ["success"]);
    for (const { command } of victims) killed.push(...(await kill(t, command)));
    t.deepEqual((await rest).failed, []);
    await assertSound(t);
    const now = new Set((await folder.processes()).map(({ pid }) => pid));
    t.false(
      killed.some((pid) => now.has(pid)),
      "what was killed stays dead",
    );
  });
}

/** Waits until a task of the batch's run is in one of the states, or has passed them. */
async function untilTask(batch: number, taskId: string, states: readonly string[]): Promise<void> {
  const deadline = Date.now() + 900_000;
  while (Date.now() < deadline) {
    const state = await taskState(batch, taskId).catch(() => null);
    if (state !== null && (states.includes(state) || state === "success")) return;
    await sleep(20);
  }
  throw new Error(`${taskId} of batch ${batch} did not become ${states.join(" or ")}`);
}

async function taskState(batch: number, taskId: string): Promise<string | null> {
  const runs = await listRuns(
    platform.database,
    { dagId: "qcompany_batch" },
    { limit: 5, offset: 0, orderBy: ["-id"] },
  );
  const run = runs.rows.find(({ conf }) => JSON.stringify(conf) === JSON.stringify({ batch }));
  if (!run) return null;
  const wanted = { dagId: "qcompany_batch", runId: run.run_id, taskId };
  const found = await listTaskInstances(platform.database, wanted, { limit: 1, offset: 0, orderBy: [] });
  return found.rows[0]?.state ?? null;
}

/** Kills every process of the kind that runs now; at least one must have run. */
async function kill(t: ExecutionContext, command: RegExp): Promise<number[]> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = (await folder.processes()).filter((one) => command.test(one.command));
    const hit = found.map(({ pid }) => pid).filter(wasKilled);
    if (hit.length > 0) return hit;
    if (Date.now() > deadline) t.fail(`no process like ${command} was running`);
    await sleep(100);
  }
}

/** False where the process has ended by itself meanwhile. */
function wasKilled(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

/** Figures, files, reports and the manifest are those of all batches, each loaded once. */
async function assertSound(t: ExecutionContext): Promise<void> {
  const { rows_read, duplicates, ...expected } = await expectedAnswers(source, loaded);
  const { date } = expected.agent_report;
  t.deepEqual(await platform.hive((session) => lakeAnswers(session, date)), expected);
  const manifest = await platform.database.query<{ read: number; duplicate: number; lost: number }>(
    `select sum(rows_read)::int as read, sum(rows_duplicate)::int as duplicate,
            sum(rows_read - rows_loaded - rows_duplicate - rows_quarantined)::int as lost
       from file_manifest where feed = 'sales_transactions' and state in ('loaded', 'duplicate')`,
  );
  t.deepEqual(manifest.rows[0], { read: rows_read, duplicate: duplicates, lost: 0 });
  const reports = join(folder.home, "reports/b2b");
  const names = await readdir(reports);
  t.deepEqual(
    names.filter((name) => !/^sales_agent_performance_\d{4}-\d\d-\d\d\.csv$/.test(name)),
    [],
  );
  const text = await readFile(join(reports, `sales_agent_performance_${date}.csv`), "utf8");
  const rows = expected.agent_report.rows.map((row) => row.join(","));
  t.is(text, `${["sales_agent_name,product_name,total_sold_units", ...rows].join("\r\n")}\r\n`);
}
