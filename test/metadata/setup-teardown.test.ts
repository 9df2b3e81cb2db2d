import test from "ava";
import { clearTasks } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { cancelRun, createRun } from "../../src/metadata/runs.ts";
import { finishAndClaim } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, FAILED, statesOf, success, type TaskGiven, work, worker } from "./fixtures.ts";

const RULE = "all_done_setup_success";

/** make → (use, other) → take, with `make` as setup and `take` as teardown. */
function cluster(dagId: string, teardown: Partial<TaskGiven> = {}) {
  return dagSpec(dagId, [
    { id: "make", role: "setup" },
    { id: "use", upstream: ["make"] },
    { id: "other", upstream: ["make"] },
    { id: "take", role: "teardown", rule: RULE, onFailure: "ignore", upstream: ["make", "use", "other"], ...teardown },
  ]);
}

async function run(
  db: Database,
  spec: ReturnType<typeof dagSpec>,
  failing: readonly string[],
  skipping: readonly string[] = [],
) {
  await deploy(db, spec);
  const { id, runId } = await createRun(db, { dagId: spec.dagId, by: "test" });
  const ran = await work(db, ({ taskId }) => {
    if (skipping.includes(taskId)) return { state: "skipped", reason: "asked to" };
    return failing.includes(taskId) ? FAILED : success();
  });
  return { id, runId, ran: ran.map(({ taskId }) => taskId), ...(await statesOf(db, id)) };
}

test("a teardown runs where its setup succeeded, whatever the work did", async (t) => {
  const db = await testDatabase(t);
  const failed = await run(db, cluster("work_fails"), ["use"]);
  t.deepEqual(failed.tasks, { make: "success", use: "failed", other: "success", take: "success" });
  t.is(failed.run, "failed");
  const noSetup = await run(db, cluster("setup_fails"), ["make"]);
  t.deepEqual(noSetup.tasks, {
    make: "failed",
    use: "upstream_failed",
    other: "upstream_failed",
    take: "upstream_failed",
  });
  const skipped = await run(db, cluster("setup_skipped"), [], ["make"]);
  t.is(skipped.tasks.take, "skipped");
  t.is(skipped.run, "success");
});

test("a teardown that fails does not fail the run, unless asked to", async (t) => {
  const db = await testDatabase(t);
  t.is((await run(db, cluster("ignored"), ["take"])).run, "success");
  const { onFailure, ...counted } = cluster("counted").tasks[3] as ReturnType<typeof dagSpec>["tasks"][number];
  const spec = cluster("counted");
  t.is((await run(db, { ...spec, tasks: [...spec.tasks.slice(0, 3), counted] }, ["take"])).run, "failed");
});

test("a short circuit and a branch leave no teardown out", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("stopped", [
    { id: "make", role: "setup" },
    { id: "gate", kind: "shortCircuit", upstream: ["make"] },
    { id: "use", upstream: ["gate"] },
    { id: "take", role: "teardown", rule: RULE, onFailure: "ignore", upstream: ["make", "gate", "use"] },
  ]);
  await deploy(db, spec);
  const { id } = await createRun(db, { dagId: "stopped", by: "test" });
  await work(db, ({ taskId }) => (taskId === "gate" ? { state: "success", value: false, proceed: false } : success()));
  t.deepEqual(await statesOf(db, id), {
    run: "success",
    tasks: { make: "success", gate: "success", use: "skipped", take: "success" },
  });
});

test("a cancelled run still takes away what its setups made; asked once more, it ends at once", async (t) => {
  const db = await testDatabase(t);
  const workerId = await worker(db);
  const claim = (outcomes: Parameters<typeof finishAndClaim>[2]) =>
    finishAndClaim(db, workerId, outcomes, { functions: 4, operators: 0 });
  const begin = async (dagId: string) => {
    await deploy(db, cluster(dagId));
    const { id, runId } = await createRun(db, { dagId, by: "test" });
    const [make] = (await claim([])).claimed;
    const { claimed } = await claim([
      { attemptId: make?.attemptId as string, token: make?.token as string, ...success() },
    ]);
    t.deepEqual(claimed.map(({ taskId }) => taskId).sort(), ["other", "use"]);
    t.is((await cancelRun(db, dagId, runId)).running, 2);
    const ended = claimed.map(({ attemptId, token }) => ({ attemptId, token, ...FAILED }));
    const [take] = (await claim(ended)).claimed;
    t.is(take?.taskId, "take");
    return { id, runId, take: { attemptId: take?.attemptId as string, token: take?.token as string } };
  };
  const once = await begin("once");
  await claim([{ ...once.take, ...success() }]);
  t.deepEqual(await statesOf(db, once.id), {
    run: "failed",
    tasks: { make: "success", use: "failed", other: "failed", take: "success" },
  });
  const twice = await begin("twice");
  t.is((await cancelRun(db, "twice", twice.runId)).running, 1);
  await claim([{ ...twice.take, ...FAILED }]);
  t.is((await statesOf(db, twice.id)).tasks.take, "failed");
});

test("clearing work does its setup and its teardown again, and nothing else", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("again", [
    { id: "first" },
    { id: "make", role: "setup", upstream: ["first"] },
    { id: "use", upstream: ["make"] },
    { id: "other", upstream: ["make"] },
    { id: "take", role: "teardown", rule: RULE, onFailure: "ignore", upstream: ["make", "use", "other"] },
  ]);
  const { runId } = await run(db, spec, []);
  const { affected } = await clearTasks(db, { dagId: "again", runId, tasks: [{ taskId: "use" }], relatives: "none" });
  t.deepEqual(
    affected.map(({ taskId }) => taskId),
    ["make", "use", "take"],
  );
  t.deepEqual(
    (await work(db, () => success())).map(({ taskId }) => taskId),
    ["make", "use", "take"],
  );
});
