/** Sending, over real sockets: an HTTP server, and a mail server that is a small fake at the wire. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type ExecutionContext } from "ava";
import { loadConfig } from "../../src/config.ts";
import type { Database } from "../../src/metadata/database.ts";
import { listNotifications } from "../../src/metadata/notifications.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { findConnection } from "../../src/metadata/secrets/find-connection.ts";
import { sendDue, startSender } from "../../src/notifications/sender.ts";
import { textOf } from "../../src/notifications/text.ts";
import { signatureOf } from "../../src/notifications/webhook.ts";
import { dagSpec, deploy, FAILED, work } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";
import { fakeSmtp } from "./fake-smtp.ts";

interface Received {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An HTTP server that answers with `statuses` in turn, then 200. */
async function receiver(t: ExecutionContext, ...statuses: number[]) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      received.push({ url: request.url ?? "", headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 200).end("no secret: s3cret");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  return { received, port: (server.address() as AddressInfo).port };
}

/** A failed run that is told to `channel`, and a sender with these connections. */
async function failedRun(t: ExecutionContext, connections: Record<string, string>, channel = "ops") {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { notify: [{ on: ["runFailed"], to: [channel] }] }));
  await createRun(db, { dagId: "d", runId: "r/1", by: "test" });
  await work(db, () => FAILED);
  const config = loadConfig(connections);
  const warnings: string[] = [];
  const options = {
    database: db,
    connection: (id: string) => findConnection(db, config, id),
    baseUrl: "http://127.0.0.1:8080",
    warn: (text: string) => warnings.push(text),
  };
  return { db, options, warnings, look: () => sendDue(options, new AbortController().signal) };
}

async function states(db: Database) {
  return (await listNotifications(db, {}, { limit: 9, offset: 0 })).rows.map(({ state, attempts, error }) => ({
    state,
    attempts,
    error,
  }));
}

test("a webhook gets JSON with a link, an id that stays the same, and a signature", async (t) => {
  const { received, port } = await receiver(t, 503);
  const { db, look } = await failedRun(t, { QFLOW_CONN_OPS: `http://:s3cret@127.0.0.1:${port}/hook?team=data` });
  await look();
  t.deepEqual(await states(db), [{ state: "pending", attempts: 1, error: `127.0.0.1:${port} answered 503` }]);
  await db.query("update notification set next_at = now()");
  await look();
  t.deepEqual(await states(db), [{ state: "sent", attempts: 2, error: null }]);
  const [first, second] = received;
  if (!first || !second) return t.fail();
  t.is(second.url, "/hook?team=data");
  t.is(first.headers["x-qflow-delivery"], second.headers["x-qflow-delivery"]);
  t.is(second.headers["x-qflow-event"], "runFailed");
  const signature = String(second.headers["x-qflow-signature"]);
  const at = Number(/^t=(\d+),/.exec(signature)?.[1]);
  t.is(signature, signatureOf(second.body, "s3cret", at));
  const body = JSON.parse(second.body);
  t.like(body, { event: "runFailed", dag_id: "d", run_id: "r/1", failed_tasks: ["a"] });
  t.is(body.link, "http://127.0.0.1:8080/dags/d/runs/r%2F1");
});

test("what the other side refuses is given up at once; what cannot be reached, or is not known, is tried again", async (t) => {
  const { port } = await receiver(t, 404);
  const refused = await failedRun(t, { QFLOW_CONN_OPS: `http://127.0.0.1:${port}/` });
  await refused.look();
  t.like((await states(refused.db))[0], { state: "dead", error: `127.0.0.1:${port} answered 404` });
  t.is(refused.warnings.length, 1);
  const away = await failedRun(t, { QFLOW_CONN_OPS: "http://:s3cret@127.0.0.1:1/hook" });
  await away.look();
  const [row] = await states(away.db);
  t.is(row?.state, "pending");
  t.regex(row?.error ?? "", /^127\.0\.0\.1:1 cannot be reached/);
  t.false(JSON.stringify(away.warnings).includes("s3cret"));
  const unknown = await failedRun(t, {});
  await unknown.look();
  t.like((await states(unknown.db))[0], { state: "pending", error: "there is no connection ops" });
  const wrong = await failedRun(t, { QFLOW_CONN_OPS: "ftp://127.0.0.1/" });
  await wrong.look();
  t.like((await states(wrong.db))[0], { state: "dead", error: "connection ops is of kind ftp" });
});

test("Slack gets its shape, with the secret part of the address from the password", async (t) => {
  const { received, port } = await receiver(t);
  const url = `slack://:T0%2FB0%2Fxyz@127.0.0.1:${port}/services?scheme=http`;
  const { db, look } = await failedRun(t, { QFLOW_CONN_OPS: url });
  await look();
  t.like((await states(db))[0], { state: "sent" });
  t.is(received[0]?.url, "/services/T0/B0/xyz");
  const body = JSON.parse(received[0]?.body ?? "{}");
  t.is(body.text, "d: run r/1 failed");
  t.is(body.blocks[0].text.text, "*<http://127.0.0.1:8080/dags/d/runs/r%2F1|d: run r/1 failed>*");
});

test("a mail is written to everybody named, and a server that refuses them is not asked again", async (t) => {
  const { port, mails } = await fakeSmtp(t);
  const { db, look } = await failedRun(t, {
    QFLOW_CONN_OPS: `smtp://127.0.0.1:${port}/?from=qflow@example.org&to=a@example.org,b@example.org`,
  });
  await look();
  t.like((await states(db))[0], { state: "sent" });
  const [mail] = mails;
  t.is(mail?.to.length, 2);
  t.regex(mail?.data ?? "", /Subject: \[qflow\] d: run r\/1 failed/);
  t.regex(mail?.data ?? "", /Failed tasks: a/);
  const refusing = await fakeSmtp(t, "550 nobody here");
  const refused = await failedRun(t, { QFLOW_CONN_OPS: `smtp://127.0.0.1:${refusing.port}/?to=x@example.org` });
  await refused.look();
  const [row] = await states(refused.db);
  t.is(row?.state, "dead");
  t.regex(row?.error ?? "", /nobody here/);
});

test("a server without TLS gets no password of a connection that has one", async (t) => {
  const { port, mails } = await fakeSmtp(t);
  const { db, look } = await failedRun(t, { QFLOW_CONN_OPS: `smtp://u:s3cret@127.0.0.1:${port}/?to=x@example.org` });
  await look();
  t.is(mails.length, 0);
  t.like((await states(db))[0], { state: "pending" });
});

test("the sender hears of a new notification at once", async (t) => {
  const { received, port } = await receiver(t);
  const { db, options } = await failedRun(t, { QFLOW_CONN_OPS: `http://127.0.0.1:${port}/` });
  const sender = startSender({ ...options, pollMs: 60_000 });
  t.teardown(() => sender.stop());
  while (received.length < 1) await new Promise(setImmediate);
  await createRun(db, { dagId: "d", runId: "two", by: "test" });
  await work(db, () => FAILED);
  while (received.length < 2) await new Promise(setImmediate);
  t.pass();
});

test("every event reads well", (t) => {
  const base = { at: "2026-11-23T00:00:00Z", dag_id: "d", run_id: "r", task_id: "t", map_index: 3 };
  const subject = (event: Parameters<typeof textOf>[0]["event"], more: object = {}) =>
    textOf({ ...base, event, ...more }, null).subject;
  t.is(subject("taskFailed"), "d: task t[3] failed in run r");
  t.is(subject("taskRetry", { map_index: -1 }), "d: task t is tried again in run r");
  t.is(subject("deadlineMissed"), "d: task t[3] is late in run r");
  t.is(subject("runFailed", { cancelled: true }), "d: run r was cancelled");
  const { task_id: _task, ...run } = base;
  t.is(textOf({ ...run, event: "deadlineMissed" }, null).subject, "d: run r is late");
  const broken = textOf({ at: "now", dag_id: "d", event: "importError", file: "dags/d.ts", line: 7 }, null);
  t.deepEqual([broken.subject, ...broken.lines], ["d: its file cannot be loaded", "File: dags/d.ts:7", "At: now"]);
});
