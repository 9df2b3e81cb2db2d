import test from "ava";
import { appendServiceLog } from "../../src/metadata/services/logs.ts";
import { serviceOrders } from "../../src/metadata/services/work.ts";
import { serviceWithHistory } from "../metadata/service-fixture.ts";
import { startTestApi } from "./support.ts";

test("services are listed with what they do, their starts, progress and log", async (t) => {
  const { db, as } = await startTestApi(t);
  const { attemptId, token } = await serviceWithHistory(db);
  const call = await as("viewer");
  const list = await call("GET", "/api/services");
  t.is(list.body.total_entries, 1);
  t.like(list.body.services[0], {
    service_id: "s",
    state: "running",
    why: null,
    attempt: 2,
    rows_per_second: 2,
    host: "here",
  });
  t.like(list.body.services[0].progress, { batch: 1, lag: 9, batch_ms: 40 });
  t.deepEqual(
    (await call("GET", "/api/services/s/attempts?limit=1")).body.attempts.map((one: { number: number }) => one.number),
    [2],
  );
  t.like((await call("GET", "/api/services/s/progress?minutes=5")).body.points[0], { rows: 120, lag: 9 });
  const lines = [1, 2, 3].map((n) => ({ at: "2026-11-22T10:00:00.000Z", level: "stderr" as const, text: `line ${n}` }));
  await appendServiceLog(db, [{ attemptId, token, firstLine: 1, lines }]);
  const log = (await call("GET", "/api/services/s/attempts/2/log?from_line=-2")).body;
  t.deepEqual(
    log.content.map((line: { event: string }) => line.event),
    ["line 2", "line 3"],
  );
  t.is(log.continuation_token, "4");
  for (const path of ["/api/services/none", "/api/services/s/attempts/9/log", "/api/services/none/progress"])
    t.is((await call("GET", path)).status, 404, path);
});

test("pause, resume and restart are for users, leave audit rows, and change what is wanted", async (t) => {
  const { db, as } = await startTestApi(t);
  const { attemptId } = await serviceWithHistory(db);
  const { rows } = await db.query("select worker_id from service_attempt where ended_at is null");
  const reason = async () => (await serviceOrders(db, rows[0]?.worker_id)).get(attemptId)?.reason;
  const viewer = await as("viewer");
  t.is((await viewer("PATCH", "/api/services/s", { is_paused: true })).status, 403);
  t.is((await viewer("POST", "/api/services/s/restart")).status, 403);
  const user = await as("user");
  t.is((await user("PATCH", "/api/services/s", { is_paused: true })).status, 200);
  t.is(await reason(), "paused");
  t.false((await user("PATCH", "/api/services/s", { is_paused: false })).body.is_paused);
  t.is(await reason(), null);
  t.is((await user("POST", "/api/services/s/restart")).status, 200);
  t.is(await reason(), "restart");
  t.is((await user("POST", "/api/services/none/restart")).status, 404);
  const audit = await db.query("select action, error from audit_log where action like 'service.%' order by audit_id");
  t.deepEqual(
    audit.rows.map((row) => [row.action, row.error]),
    [
      ["service.pause", null],
      ["service.resume", null],
      ["service.restart", null],
      ["service.restart", "NOT_FOUND"],
    ],
  );
});
