import { randomUUID } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import type { ServiceOptions } from "../../src/index.ts";
import type { Database } from "../../src/metadata/database.ts";
import { endGoneSession } from "../../src/metadata/rescue.ts";
import { pauseService, restartService, resumeService } from "../../src/metadata/services/actions.ts";
import { appendServiceLog, readServiceLog } from "../../src/metadata/services/logs.ts";
import type { ServiceReport } from "../../src/metadata/services/types.ts";
import {
  claimServices,
  endService,
  reportService,
  serviceOrders,
  tendServices,
} from "../../src/metadata/services/work.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import {
  getService,
  listServiceAttempts,
  listServices,
  serviceProgress,
} from "../../src/metadata/views/service-views.ts";
import { explainService } from "../../src/scheduler/explain-service.ts";
import { testDatabase } from "../support/database.ts";
import { claimOne, deployServices, serviceSpec, serviceWorker } from "./service-fixture.ts";

const FAILURE = { code: "SERVICE_FAILED", message: "it broke", remedy: "mend it" };

/** A deployed, resumed service and a worker. */
async function running(t: ExecutionContext, options: ServiceOptions = {}) {
  const db = await testDatabase(t);
  await deployServices(db, serviceSpec("a", options));
  await resumeService(db, "s");
  return { db, workerId: await serviceWorker(db) };
}

async function row(db: Database): Promise<Record<string, unknown>> {
  return (await db.query("select * from service")).rows[0] ?? {};
}

const report = (number: number, more: Partial<ServiceReport> = {}): ServiceReport => ({
  number,
  seen: true,
  batches: [],
  events: [],
  fields: [],
  ...more,
});

test("a new service is paused; resumed, one worker of its queue gets it once, with a token that grows", async (t) => {
  const db = await testDatabase(t);
  t.deepEqual((await deployServices(db, serviceSpec())).services, { changed: ["s"], removed: [] });
  const [here, other] = [await serviceWorker(db), await serviceWorker(db, "there", ["other"])];
  t.deepEqual(await claimServices(db, here, 5), []);
  await resumeService(db, "s");
  t.deepEqual(await claimServices(db, other, 5), []);
  const first = await claimOne(db, here);
  t.is(first.number, 1);
  t.deepEqual(await claimServices(db, here, 5), []);
  t.true(await endService(db, first, { state: "stopped", reason: "restart" }));
  t.is((await claimOne(db, here)).number, 2);
});

test("of workers that claim at the same time one gets it", async (t) => {
  const { db } = await running(t);
  const workers = await Promise.all(Array.from({ length: 6 }, () => serviceWorker(db)));
  const claims = await Promise.all(workers.map((id) => claimServices(db, id, 5)));
  t.is(claims.flat().length, 1);
});

test("a worker whose lease has run out, or that drains, gets nothing", async (t) => {
  const { db, workerId } = await running(t);
  await db.query("update worker set lease_expires_at = now() - interval '1 s'");
  t.deepEqual(await claimServices(db, workerId, 5), []);
  await db.query("update worker set lease_expires_at = now() + interval '20 s', state = 'draining'");
  t.deepEqual(await claimServices(db, workerId, 5), []);
});

test("what runs is to end when it is paused, removed, another program or to be restarted, and not for other settings", async (t) => {
  const { db, workerId } = await running(t);
  const reason = async () => [...(await serviceOrders(db, workerId)).values()].map((order) => order.reason);
  await claimOne(db, workerId);
  t.deepEqual(await reason(), [null]);
  await deployServices(db, serviceSpec("a", { doc: "said anew", restart: { max: "1m" } }));
  t.deepEqual(await reason(), [null]);
  await deployServices(db, serviceSpec("b"));
  t.deepEqual(await reason(), ["new version"]);
  await deployServices(db, serviceSpec("a"));
  await restartService(db, "s");
  t.deepEqual(await reason(), ["restart"]);
  await pauseService(db, "s");
  t.deepEqual(await reason(), ["paused"]);
  t.deepEqual((await deployServices(db)).services, { changed: [], removed: ["s"] });
  t.deepEqual(await reason(), ["removed"]);
  // Declared again it goes on as it was.
  t.deepEqual((await deployServices(db, serviceSpec())).services.changed, ["s"]);
  t.deepEqual(await reason(), ["paused"]);
});

test("a file that breaks keeps its services; another file may not take their ids", async (t) => {
  const { db } = await running(t);
  const problem = { code: "DAG_INVALID", message: "no", remedy: "mend", line: null, column: null };
  await storeVersions(db, [{ file: "f.ts", error: problem }]);
  t.true((await row(db)).active);
  const bundle = { hash: "h", code: "c", source: "s" };
  const stored = await storeVersions(
    db,
    [{ file: "g.ts", bundle, dags: [], services: [serviceSpec("z")] }],
    ["f.ts", "g.ts"],
  );
  t.deepEqual(stored.broken, ["g.ts"]);
});

test("failures on end wait longer and longer, are told once, and start anew after a healthy time", async (t) => {
  const restart = { delay: "10s", factor: 3, max: "1m", healthyAfter: "1m", tellAfter: 2 } as const;
  const { db, workerId } = await running(t, {
    restart,
    notify: { on: ["serviceFailing", "serviceRecovered"], to: "ops" },
  });
  const told = async () =>
    (await db.query("select event, channel, service_id from notification order by id")).rows.map((one) => one.event);
  const fail = async (healthySeconds?: number) => {
    await db.query("update service set restart_at = now()");
    const claimed = await claimOne(db, workerId);
    await reportService(db, claimed, report(1));
    if (healthySeconds !== undefined)
      await db.query("update service_attempt set ready_at = now() - make_interval(secs => $1) where ended_at is null", [
        healthySeconds,
      ]);
    t.true(await endService(db, claimed, { state: "failed", reason: null, error: FAILURE }));
    const wait = await db.query("select failures, restart_at is not null as waits from service");
    await db.query("update service set restart_at = now() + interval '1 minute'");
    t.true(wait.rows[0]?.waits);
    return wait.rows[0]?.failures;
  };
  t.is(await fail(), 1);
  t.deepEqual(await claimServices(db, workerId, 5), [], "it waits");
  t.deepEqual(await told(), []);
  t.is(await fail(59), 2);
  t.is(await fail(), 3);
  t.deepEqual(await told(), ["serviceFailing"]);
  t.is(await fail(61), 1);
  await db.query("update service set restart_at = now()");
  const well = await claimOne(db, workerId);
  await reportService(db, well, report(1));
  await tendServices(db);
  t.is((await told()).length, 1);
  await db.query("update service_attempt set ready_at = now() - interval '61 s' where ended_at is null");
  await tendServices(db);
  await tendServices(db);
  t.deepEqual(await told(), ["serviceFailing", "serviceRecovered"]);
});

test("the wait is anything up to the delay, which grows to its longest", async (t) => {
  const db = await testDatabase(t);
  const seconds = async (failures: number, random: number) => {
    const { restart } = serviceSpec("a", { restart: { delay: "1s", factor: 2, max: "5m" } });
    const text = "select extract(epoch from service_backoff($1, $2, $3))::float8 as s";
    return (await db.query(text, [JSON.stringify(restart), failures, random])).rows[0]?.s;
  };
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 0, max: 1000 }), async (n, random) => {
      const longest = Math.min(300, 2 ** Math.min(n - 1, 60));
      const wait = await seconds(n, random / 1000);
      return Math.abs(wait - longest * (random / 1000)) < 1e-4;
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test("an attempt of a lost worker is free at once on its host, elsewhere when the lease is over; what it tells is refused", async (t) => {
  const { db, workerId } = await running(t);
  const zombie = await claimOne(db, workerId);
  await endGoneSession(db, workerId);
  await tendServices(db);
  t.false(await reportService(db, zombie, report(1)));
  t.false(await endService(db, zombie, { state: "failed", reason: null, error: FAILURE }));
  const [there, here] = [await serviceWorker(db, "there"), await serviceWorker(db)];
  t.deepEqual(await claimServices(db, there, 5), [], "what runs here may live until the lease is over");
  const next = await claimOne(db, here);
  t.is(next.number, 2);
  await db.query("update worker set state = 'lost' where worker_id = $1", [here]);
  await tendServices(db);
  await db.query("update service set fenced_until = now()");
  t.is((await claimOne(db, there)).number, 3);
  t.deepEqual(
    (await db.query("select state from service_attempt order by number")).rows.map((one) => one.state),
    ["lost", "lost", "starting"],
  );
  t.is((await row(db)).failures, 0);
});

test("what is told under another token than the attempt's is refused", async (t) => {
  const { db, workerId } = await running(t);
  const claimed = await claimOne(db, workerId);
  const stranger = { ...claimed, token: randomUUID() };
  t.false(await reportService(db, stranger, report(1)));
  t.false(await endService(db, stranger, { state: "failed", reason: null, error: FAILURE }));
  t.true(await reportService(db, claimed, report(1)));
});

test("a session that ended in order fences nobody", async (t) => {
  const { db, workerId } = await running(t);
  await claimOne(db, workerId);
  await db.query("update worker set state = 'ended'");
  await tendServices(db);
  t.is((await claimOne(db, await serviceWorker(db, "there"))).number, 2);
});

test("a report counts once; the first sign of life makes it running", async (t) => {
  const { db, workerId } = await running(t);
  const claimed = await claimOne(db, workerId);
  const batches = [
    { batch: 1, rows: 10, lag: 5, batchMs: 12.5 },
    { batch: 2, rows: 7, lag: 3, eventTime: "2026-11-22T10:00:00Z", offsets: { t: 1 } },
  ];
  await reportService(db, claimed, { number: 1, pid: 7, batches: [], events: [], fields: [] });
  t.is((await db.query("select state from service_attempt")).rows[0]?.state, "starting");
  for (const _ of [1, 2]) t.true(await reportService(db, claimed, report(2, { batches })));
  const { rows } = await db.query("select state, pid, batches::int, rows_total::int, progress from service_attempt");
  t.like(rows[0], { state: "running", pid: 7, batches: 2, rows_total: 17, progress: batches[1] });
  t.is((await db.query("select from service_progress")).rowCount, 2);
  await reportService(db, claimed, report(3, { draining: "paused" }));
  t.like((await db.query("select state, reason from service_attempt")).rows[0], {
    state: "draining",
    reason: "paused",
  });
});

test("events of a partition are apart from each other, and the last is not lost", async (t) => {
  const { db, workerId } = await running(t, { emits: ["d"], emitEvery: "30s" });
  const claimed = await claimOne(db, workerId);
  const events = async () =>
    (await db.query("select dataset, partition, extra from dataset_event order by id")).rows.map(
      ({ partition, extra }) => [partition, extra.rows],
    );
  const note = (rows: number, partition?: string) => ({ dataset: "d", rows, ...(partition && { partition }) });
  await reportService(db, claimed, report(1, { events: [note(1, "10"), note(2, "10"), note(5)] }));
  t.deepEqual(await events(), [
    [null, 5],
    ["10", 3],
  ]);
  await reportService(db, claimed, report(2, { events: [note(4, "10")] }));
  await reportService(db, claimed, report(3, { events: [note(6, "10")] }));
  await tendServices(db);
  t.is((await events()).length, 2);
  await db.query("update service_event set due_at = now()");
  await endService(db, claimed, { state: "stopped", reason: "paused" });
  await tendServices(db);
  t.deepEqual((await events()).slice(2), [["10", 10]]);
  await db.query("update service_event set due_at = now()");
  await tendServices(db);
  t.is((await events()).length, 3);
  t.is((await db.query("select from service_event")).rowCount, 0, "what is quiet is forgotten");
});

test("a lag that lasts is told once, and its end", async (t) => {
  const { db, workerId } = await running(t, {
    maxLag: { records: 100, for: "5m" },
    notify: { on: ["serviceLagging", "serviceRecovered"], to: ["ops", "chat"] },
  });
  const claimed = await claimOne(db, workerId);
  const lag = (number: number, records: number) =>
    reportService(db, claimed, report(number, { batches: [{ batch: number, rows: 1, lag: records }] }));
  const told = async () =>
    (await db.query("select event, payload ->> 'lag' as lag from notification where channel = 'ops'")).rows;
  await lag(1, 101);
  await tendServices(db);
  t.deepEqual(await told(), []);
  await db.query("update service set lagging_since = now() - interval '5 min'");
  await lag(2, 150);
  for (const _ of [1, 2]) await tendServices(db);
  t.deepEqual(await told(), [{ event: "serviceLagging", lag: "150" }]);
  await lag(3, 100);
  await lag(4, 0);
  t.deepEqual(
    (await told()).map(({ event }) => event),
    ["serviceLagging", "serviceRecovered"],
  );
  t.is((await db.query("select from notification where channel = 'chat'")).rowCount, 2);
});

test("a log is there once, read by line and from its end", async (t) => {
  const { db, workerId } = await running(t);
  const { attemptId, token } = await claimOne(db, workerId);
  const lines = (from: number, n: number) =>
    Array.from({ length: n }, (_, i) => ({
      at: "2026-11-22T10:00:00.000Z",
      level: "stdout" as const,
      text: `line ${from + i}`,
    }));
  for (const _ of [1, 2]) await appendServiceLog(db, [{ attemptId, token, firstLine: 1, lines: lines(1, 5) }]);
  await appendServiceLog(db, [
    { attemptId, token, firstLine: 6, lines: lines(6, 5) },
    { attemptId, token: "00000000-0000-0000-0000-000000000000", firstLine: 11, lines: lines(11, 1) },
  ]);
  const page = await readServiceLog(db, attemptId, 4, 4);
  t.deepEqual(
    page.lines.map(({ line, text }) => [line, text]),
    [4, 5, 6, 7].map((n) => [n, `line ${n}`]),
  );
  t.deepEqual(
    (await readServiceLog(db, attemptId, -2, 100)).lines.map(({ line }) => line),
    [9, 10],
  );
  t.false((await readServiceLog(db, attemptId, -2, 100)).complete);
  t.is((await readServiceLog(db, attemptId, 11, 100)).nextLine, 11);
});

test("a view says what a service does and why it does not run", async (t) => {
  const db = await testDatabase(t);
  await deployServices(db, serviceSpec("a", { restart: { delay: "1m", max: "1m" }, owner: "data" }));
  const why = async () => explainService(await getService(db, "s"));
  const state = async () => (await getService(db, "s")).state;
  t.regex((await why()) ?? "", /paused.*qflow services resume s/);
  await resumeService(db, "s");
  t.is(await why(), "No living worker serves its queue, default.");
  const workerId = await serviceWorker(db);
  t.is(await why(), "A worker is about to start it.");
  const claimed = await claimOne(db, workerId);
  t.is(await state(), "starting");
  const batches = [{ batch: 1, rows: 120, batchMs: 40, lag: 9 }];
  await reportService(db, claimed, report(1, { batches }));
  t.is(await why(), null);
  t.like(await getService(db, "s"), { state: "running", owner: "data", rows_per_second: 2, starts: 1, workers: 1 });
  t.like((await serviceProgress(db, "s", 60))[0], { rows: 120, batches: 1, batch_ms: 40, lag: 9 });
  await endService(db, claimed, { state: "failed", reason: null, error: FAILURE });
  await db.query("update service set restart_at = now() + interval '1 minute'");
  t.regex((await why()) ?? "", /It failed and starts again at .*: it broke/);
  t.like((await listServiceAttempts(db, "s", 5))[0], { number: 1, state: "failed", error: FAILURE, rows: 120 });
  await restartService(db, "s");
  await claimOne(db, workerId);
  await endGoneSession(db, workerId);
  await tendServices(db);
  await serviceWorker(db, "there");
  t.regex((await why()) ?? "", /may live until/);
  await deployServices(db);
  t.regex((await why()) ?? "", /No DAG file declares it/);
  t.deepEqual(await listServices(db), []);
});
