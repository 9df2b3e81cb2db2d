/** Fills a database through the functions that qflow itself writes with: runs in every state, logs, files, catalog. */
import { createHash } from "node:crypto";
import type { Json } from "../../../src/dag/spec.ts";
import type { Database } from "../../../src/metadata/database.ts";
import { landFile, markFetched, markStable, observeFiles } from "../../../src/metadata/file-manifest.ts";
import { recordTaskIo } from "../../../src/metadata/lineage.ts";
import { recordLoads } from "../../../src/metadata/load-results.ts";
import { createRun, unpauseDag } from "../../../src/metadata/runs.ts";
import { queueDueRetries } from "../../../src/metadata/timers.ts";
import { storeVersions } from "../../../src/metadata/versions.ts";
import { appendLog, type ClaimedTask, finishAndClaim, type LogLine, saveProgress } from "../../../src/metadata/work.ts";
import { WaitLook } from "../../../src/scheduler/wait-look.ts";
import {
  dagSpec,
  type Ending,
  FAILED,
  fileOf,
  success,
  type TaskGiven,
  work,
  worker,
} from "../../metadata/fixtures.ts";
import { ARRIVALS, BATCH, EXPORT } from "./dags.ts";

/** Lines of the long log. */
export const LONG_LOG = 2500;
/** What the failed task says. */
export const FAILURE = "job conform exited with code 1: cannot resolve column `cusomter_email`";

/** A claimed task that goes on running, with the calls its worker would make. */
export interface RunningTask {
  readonly task: ClaimedTask;
  readonly workerId: string;
  log(firstLine: number, texts: readonly string[]): Promise<void>;
  succeed(): Promise<void>;
}

const SOURCE = `import { dag, onDatasets } from "qflow";
import { ftpIngest, sparkSubmit } from "qflow/operators";

// One batch is one run.
export default dag("qcompany_batch", { schedule: onDatasets("feed.batches") }, (t) => {
  const files = t.task("land", ftpIngest({ connection: "ftp_q", path: "/" }));
  t.task("standardize", sparkSubmit({ application: "jobs/standardize.py" }), { after: [files] });
});
`;

/** Stores the DAGs, and one file that is broken. */
export async function seedDags(db: Database): Promise<void> {
  const file = fileOf("dags/qcompany.ts", [BATCH, ARRIVALS, EXPORT], SOURCE);
  await storeVersions(db, [
    file,
    {
      file: "dags/broken.ts",
      error: {
        code: "DAG_INVALID",
        message: "Unexpected end of file",
        remedy: "Correct the DAG file at the place named.",
        line: 7,
        column: 3,
      },
    },
  ]);
  for (const spec of [BATCH, EXPORT]) await unpauseDag(db, spec.dagId);
}

/** Runs `qcompany_batch` for each batch to its end; batch 3 fails at `conform`, after a retry. */
export async function seedRuns(db: Database, batches: number): Promise<void> {
  for (let batch = 1; batch <= batches; batch += 1) {
    await createRun(db, { dagId: BATCH.dagId, runId: `batch-${batch}`, conf: { batch }, by: "dataset" });
    const seen: ClaimedTask[] = [];
    const run = (task: ClaimedTask) => {
      seen.push(task);
      return endingOf(task);
    };
    await work(db, run);
    if ((await queueDueRetries(db)) > 0) await work(db, run);
    for (const task of seen) await writeLog(db, task, logOf(task));
    for (const task of seen) await writeIo(db, task);
  }
}

function endingOf(task: ClaimedTask): Ending {
  if (task.runId !== "batch-3" || task.taskId !== "conform") return success({ rows: 1500, batch: task.params });
  return { ...FAILED, error: { code: "TASK_FAILED", message: FAILURE, remedy: "Read the task's log." } } as Ending;
}

function logOf(task: ClaimedTask): LogLine[] {
  const at = new Date().toISOString();
  const lines: LogLine[] = [
    { at, level: "info", text: `${task.taskId} of ${task.runId}, try ${task.tryNumber}` },
    { at, level: "stdout", text: "\u001b[32mINFO\u001b[0m reading \u001b[1mstandardized.sales_transactions\u001b[0m" },
  ];
  if (task.taskId === "standardize") {
    for (let line = lines.length + 1; line < LONG_LOG; line += 1)
      lines.push({ at, level: "stdout", text: `part-${line} written` });
    lines.push({ at, level: "info", text: "read 1,500 = loaded 1,498 + duplicate 0 + quarantined 2" });
  }
  if (task.taskId === "conform" && task.runId === "batch-3") lines.push({ at, level: "error", text: FAILURE });
  return lines;
}

async function writeLog(db: Database, task: ClaimedTask, lines: readonly LogLine[], firstLine = 1): Promise<void> {
  await appendLog(db, [{ attemptId: task.attemptId, token: task.token, firstLine, lines }]);
}

async function writeIo(db: Database, task: ClaimedTask): Promise<void> {
  const spec = BATCH.tasks.find((one) => one.taskId === task.taskId);
  if (!spec || spec.emits.length === 0) return;
  await recordTaskIo(db, task.attemptId, {
    reads: spec.reads,
    writes: spec.emits.map((dataset) => ({ dataset, rows: 1498 })),
  });
}

/** A run whose `standardize` is running. Nothing else may be queued. */
export async function seedRunning(db: Database, runId: string): Promise<RunningTask> {
  await createRun(db, { dagId: BATCH.dagId, runId, conf: { batch: 99 }, by: "dataset" });
  const workerId = await worker(db);
  const capacity = { functions: 1, operators: 1 };
  const first = await finishAndClaim(db, workerId, [], capacity);
  const [land] = first.claimed;
  if (!land) throw new Error("nothing was claimed");
  const next = await finishAndClaim(db, workerId, [{ ...identity(land), state: "success", value: null }], capacity);
  const [task] = next.claimed;
  if (!task) throw new Error("nothing was claimed");
  await saveProgress(db, identity(task), { step: "stage 3: sortWithinPartitions", done: 42, total: 200 });
  return {
    task,
    workerId,
    log: (firstLine, texts) =>
      writeLog(
        db,
        task,
        texts.map((text) => ({ at: new Date().toISOString(), level: "stdout", text })),
        firstLine,
      ),
    succeed: async () => {
      await finishAndClaim(db, workerId, [{ ...identity(task), state: "success", value: null }], {
        functions: 0,
        operators: 0,
      });
    },
  };
}

function identity({ attemptId, token }: ClaimedTask) {
  return { attemptId, token };
}

/** A run of the mapped DAG, done. */
export async function seedMapped(db: Database, items: readonly Json[]): Promise<void> {
  await createRun(db, { dagId: EXPORT.dagId, runId: "export-1", conf: { label: "first" }, by: "test" });
  await work(db, (task) => (task.taskId === "list" ? success([...items]) : success({ copied: task.item })));
}

/** A run whose mapped task has many items, one of them running. */
export interface WideRun {
  /** The one that runs ends, and another one starts. */
  next(): Promise<void>;
  /** The one that runs has ended because it was told to. */
  cancelled(): Promise<void>;
}

/** A run of the mapped DAG whose list is long: one item runs, the others wait. Nothing else may be queued. */
export async function seedWide(db: Database, runId: string, items: number): Promise<WideRun> {
  await createRun(db, { dagId: EXPORT.dagId, runId, conf: { label: "wide" }, by: "test" });
  const workerId = await worker(db);
  const capacity = { functions: 1, operators: 0 };
  const [list] = (await finishAndClaim(db, workerId, [], capacity)).claimed;
  if (!list) throw new Error("nothing was claimed");
  const value = Array.from({ length: items }, (_, index) => index);
  let running = list;
  const next = async (result: Json) => {
    const outcome = { ...identity(running), state: "success", value: result } as const;
    const [item] = (await finishAndClaim(db, workerId, [outcome], capacity)).claimed;
    if (!item) throw new Error("nothing was claimed");
    running = item;
  };
  await next(value);
  return {
    next: () => next(null),
    cancelled: async () => {
      await finishAndClaim(db, workerId, [{ ...FAILED, ...identity(running) }], { functions: 0, operators: 0 });
    },
  };
}

/** Delivered files: two loaded and balanced, one whose rows do not add up yet. */
export async function seedFiles(db: Database): Promise<void> {
  const files = ["branches", "sales_agents", "sales_transactions"].map((name) => ({
    path: `group1/${name}_SS_raw_1.csv`,
    feed: name,
    batch: 1,
    bytes: 120_000,
    ftpTime: "2026-11-22T10:00:00.000Z",
  }));
  const pending = await observeFiles(db, "ftp_q", files);
  await markStable(
    db,
    pending.map((file) => file.fileId),
  );
  for (const file of pending) {
    await markFetched(db, file, createHash("sha256").update(file.path).digest("hex"));
    await db.transaction((sql) =>
      landFile(sql, {
        fileId: file.fileId,
        stagedPath: `/lake/staging/${file.path}`,
        landedBy: "qcompany_batch/batch-1",
        sameContentUnder: "any name",
      }),
    );
  }
  const results = pending.slice(0, 2).map((file, index) => ({
    fileId: file.fileId,
    read: 1500,
    loaded: 1490 - index,
    duplicate: 8 + index,
    conflict: 0,
    quarantined: 2,
    reasons: { "units is not a number": 2 },
    rejected: null,
  }));
  await db.transaction((sql) => recordLoads(sql, results, []));
}

/** Moves what happened to plausible hours: run N started N × 10 minutes before the one after it and took some minutes. */
export async function spreadTimes(db: Database): Promise<void> {
  await db.query(
    `update task_instance i set queued_at = r.at + i.task_index * interval '40 seconds',
       started_at = r.at + i.task_index * interval '40 seconds' + interval '5 seconds',
       ended_at = r.at + i.task_index * interval '40 seconds' + interval '38 seconds' + (i.id % 7) * interval '1 second'
     from (select id, now() - (select count(*) from dag_run l where l.id >= d.id) * interval '10 minutes' as at from dag_run d) r
     where r.id = i.dag_run_id and i.ended_at is not null and i.started_at is not null`,
  );
  await db.query(
    `update dag_run r set run_after = t.first, queued_at = t.first, started_at = t.first, ended_at = case when r.ended_at is null then null else t.last end
     from (select dag_run_id, min(queued_at) as first, max(ended_at) as last from task_instance where started_at is not null group by dag_run_id) t
     where t.dag_run_id = r.id and t.last is not null and r.ended_at is not null`,
  );
}

/** A DAG of its own file, `release`, whose run `r1` waits for an approval. */
export async function seedApproval(db: Database): Promise<void> {
  const sensor = { everyMs: 60_000, factor: 1, maxMs: 60_000, onTimeout: "fail" } as const;
  const operator = { name: "approval", config: { subject: "Publish the figures?", body: "Of March." } };
  const task: TaskGiven = { id: "publish", kind: "sensor", operator, sensor, timeoutMs: 3_600_000 };
  const present = await db.query<{ file: string }>("select distinct file from dag where active");
  const file = fileOf("dags/release.ts", [dagSpec("release", [task])]);
  await storeVersions(db, [file], [file.file, ...present.rows.map((row) => row.file)]);
  await unpauseDag(db, "release");
  await createRun(db, { dagId: "release", runId: "r1", by: "test" });
  const look = new WaitLook(db, {
    connection: () => Promise.reject(new Error("none")),
    warn: console.error,
    wake: () => {},
  });
  while ((await look.once()).more);
}
