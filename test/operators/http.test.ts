import test, { type ExecutionContext } from "ava";
import type { z } from "zod";
import type { Connection } from "../../src/dag/operator.ts";
import { type ErrorCode, QflowError, type RetryClass } from "../../src/errors.ts";
import type { Database } from "../../src/metadata/database.ts";
import { retryAfterMs } from "../../src/operators/clients/http.ts";
import { run } from "../../src/operators/http.run.ts";
import { httpSchema } from "../../src/operators/http.ts";
import { httpServer, json } from "../support/http-server.ts";
import { operatorContext } from "../support/operator-context.ts";

const NO_DATABASE = {} as Database;

function ask(config: z.input<typeof httpSchema>, options: { connections?: Connection[]; signal?: AbortSignal } = {}) {
  const { context, recorded } = operatorContext({ database: NO_DATABASE, home: "/nowhere", ...options });
  return { answer: run(httpSchema.parse(config), context), recorded };
}

async function failure(t: ExecutionContext, config: z.input<typeof httpSchema>): Promise<QflowError> {
  const error = await t.throwsAsync(ask(config).answer, { instanceOf: QflowError });
  return error as QflowError;
}

test("asks with method, query, headers and a JSON body, and answers with the parsed body", async (t) => {
  const { origin, seen } = await httpServer(t, { "/orders": json({ id: 7 }, 201) });
  const { answer, recorded } = ask({
    url: `${origin}/orders`,
    method: "POST",
    query: { dry: "yes", secret: "s3cret" },
    headers: { "x-team": "a" },
    body: { items: [1] },
  });
  t.deepEqual(await answer, { status: 201, body: { id: 7 } });
  t.like(seen[0], { method: "POST", url: "/orders?dry=yes&secret=s3cret", body: '{"items":[1]}' });
  t.like(seen[0]?.headers, { "x-team": "a", "content-type": "application/json" });
  t.false(JSON.stringify(recorded.lines).includes("s3cret"));
});

test("a connection gives address and credentials", async (t) => {
  const { port, seen } = await httpServer(t, { "/v1/a": json(1) });
  const basic = connection({ port, user: "u", password: "p" });
  await ask({ connection: "c", path: "a" }, { connections: [basic] }).answer;
  const bearer = connection({ port, options: { token: "tok" } });
  await ask({ connection: "c", path: "/a" }, { connections: [bearer] }).answer;
  t.is(seen[0]?.headers.authorization, `Basic ${Buffer.from("u:p").toString("base64")}`);
  t.is(seen[1]?.headers.authorization, "Bearer tok");
});

test("the config names exactly one target", (t) => {
  t.false(httpSchema.safeParse({}).success);
  t.false(httpSchema.safeParse({ url: "http://a/", connection: "c" }).success);
  t.false(httpSchema.safeParse({ url: "ftp://a/" }).success);
});

test("the kind of failure says whether it is tried again", async (t) => {
  const { origin } = await httpServer(t, {
    "/bad": json({ why: "no" }, 422),
    "/broken": json({}, 500),
    "/page": (_, response) => response.end("<html>hello"),
    "/big": (_, response) => response.end("x".repeat(100_000)),
    "/slow": () => {},
  });
  const cases: [z.input<typeof httpSchema>, ErrorCode, RetryClass, RegExp][] = [
    [{ url: `${origin}/bad` }, "HTTP_REFUSED", "fatal", /answered 422: {"why":"no"}/],
    [{ url: `${origin}/missing` }, "HTTP_REFUSED", "fatal", /404/],
    [{ url: `${origin}/broken` }, "HTTP_UNAVAILABLE", "retryable", /500/],
    [{ url: `${origin}/page` }, "HTTP_NOT_JSON", "fatal", /<html>hello/],
    [{ url: `${origin}/big`, maxBytes: 1000 }, "HTTP_TOO_LARGE", "fatal", /1000 bytes/],
    [{ url: `${origin}/slow`, timeoutSeconds: 0.05 }, "HTTP_TIMEOUT", "retryable", /0.05 s/],
    [{ url: "http://127.0.0.1:1/" }, "HTTP_UNREACHABLE", "retryable", /bad port|ECONNREFUSED/],
  ];
  for (const [config, code, retry, message] of cases) {
    const error = await failure(t, config);
    t.is(error.code, code);
    t.is(error.retry, retry, code);
    t.regex(error.message, message);
  }
});

test("statuses, text and nothing can be what is expected", async (t) => {
  const { origin } = await httpServer(t, { "/gone": (_, response) => response.writeHead(410).end("bye") });
  t.deepEqual(await ask({ url: `${origin}/gone`, expect: [410], response: "text" }).answer, {
    status: 410,
    body: "bye",
  });
  t.deepEqual(await ask({ url: `${origin}/gone`, expect: [410], response: "none" }).answer, {
    status: 410,
    body: null,
  });
});

test("a server that says later is asked again when it said, within the patience of the task", async (t) => {
  let calls = 0;
  const { origin } = await httpServer(t, {
    "/busy": (_, response) => {
      calls++;
      if (calls === 1) response.writeHead(503, { "retry-after": "0" }).end();
      else json({ calls })({} as never, response);
    },
    "/full": (_, response) => response.writeHead(429, { "retry-after": "3600" }).end(),
  });
  t.deepEqual(await ask({ url: `${origin}/busy` }).answer, { status: 200, body: { calls: 2 } });
  const error = await failure(t, { url: `${origin}/full` });
  t.is(error.code, "HTTP_RATE_LIMITED");
  t.regex(error.message, /come back in 3600 s/);
  t.deepEqual(error.details, { retryAfterMs: 3_600_000 });
});

test("Retry-After is seconds or a date", (t) => {
  const at = (value: string) => retryAfterMs(new Headers({ "retry-after": value }), Date.parse("2026-01-01T00:00:00Z"));
  t.is(at("7"), 7000);
  t.is(at("Thu, 01 Jan 2026 00:01:00 GMT"), 60_000);
  t.is(at("Wed, 31 Dec 2025 00:00:00 GMT"), 0);
  t.is(at("soon"), null);
  t.is(retryAfterMs(new Headers(), 0), null);
});

test("redirects are followed to their limit; credentials stay with their server", async (t) => {
  const other = await httpServer(t, { "/there": json("here") });
  const { origin, port, seen } = await httpServer(t, {
    "/same": (_, response) => response.writeHead(307, { location: "/end" }).end(),
    "/end": json("end"),
    "/away": (_, response) => response.writeHead(302, { location: `${other.origin}/there` }).end(),
    "/loop": (_, response) => response.writeHead(302, { location: "/loop" }).end(),
    "/file": (_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
  });
  const secret = [connection({ port, path: "/", user: "u", password: "p" })];
  t.is(
    (await ask({ connection: "c", path: "/same", method: "POST", body: "b" }, { connections: secret }).answer).body,
    "end",
  );
  t.like(seen.at(-1), { method: "POST", body: "b" });
  t.truthy(seen.at(-1)?.headers.authorization);
  const headers = { "x-api-key": "k", "x-plain": "p" };
  await ask({ connection: "c", path: "/away", headers, method: "POST", body: "b" }, { connections: secret }).answer;
  t.like(other.seen[0], { method: "GET", body: "" });
  t.is(other.seen[0]?.headers.authorization, undefined);
  t.is(other.seen[0]?.headers["x-api-key"], undefined);
  t.is(other.seen[0]?.headers["x-plain"], "p");
  t.is((await failure(t, { url: `${origin}/loop`, redirects: 2 })).code, "HTTP_REDIRECT");
  t.is((await failure(t, { url: `${origin}/file` })).code, "HTTP_REDIRECT");
});

test("a stopped attempt stops its request", async (t) => {
  const { origin, seen } = await httpServer(t, { "/slow": () => {} });
  const stop = new AbortController();
  const { answer } = ask({ url: `${origin}/slow` }, { signal: stop.signal });
  const poll = setInterval(() => seen.length > 0 && stop.abort(new Error("cancelled")), 5);
  await t.throwsAsync(answer, { message: "cancelled" });
  clearInterval(poll);
});

function connection(given: Partial<Connection>): Connection {
  return {
    id: "c",
    kind: "http",
    host: "127.0.0.1",
    port: 0,
    user: "",
    password: "",
    path: "/v1/",
    options: {},
    ...given,
  };
}
