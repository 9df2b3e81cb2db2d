import test from "ava";
import { createLoginLink, createToken, createUser, revokeToken } from "../../src/metadata/access.ts";
import { dagSpec, deploy } from "../metadata/fixtures.ts";
import { answerOf, caller, startTestApi } from "./support.ts";

test("nobody gets in without a session or a token", async (t) => {
  const { api } = await startTestApi(t);
  for (const path of ["/api/v2/dags", "/api/me", "/api/catalog/datasets", "/api/grid/x", "/api/events"]) {
    const answer = await answerOf(await fetch(api.url + path));
    t.is(answer.status, 401, path);
    t.is(answer.body.code, "UNAUTHENTICATED");
    t.truthy(answer.body.detail);
    t.truthy(answer.body.remedy);
  }
  t.is((await fetch(`${api.url}/health`)).status, 200);
});

test("a login link works once and gives a cookie that scripts and other sites cannot use", async (t) => {
  const { api, db } = await startTestApi(t);
  const link = await createLoginLink(db, api.url);
  const first = await fetch(link, { redirect: "manual" });
  t.is(first.status, 303);
  const cookie = first.headers.get("set-cookie") as string;
  t.regex(cookie, /HttpOnly/);
  t.regex(cookie, /SameSite=Strict/);
  const session = cookie.split(";")[0] as string;
  const me = await answerOf(await fetch(`${api.url}/api/me`, { headers: { cookie: session } }));
  t.deepEqual(me.body, { name: "admin", role: "admin" });
  const second = await answerOf(await fetch(link, { redirect: "manual" }));
  t.is(second.status, 401);
  t.is(second.body.code, "LOGIN_LINK_INVALID");
  const stored = await db.query<{ secret_hash: Buffer }>("select secret_hash from access_session");
  t.false(session.includes(stored.rows[0]?.secret_hash.toString("base64url") as string));
});

test("logging out ends the session", async (t) => {
  const { api, db } = await startTestApi(t);
  const first = await fetch(await createLoginLink(db, api.url), { redirect: "manual" });
  const cookie = (first.headers.get("set-cookie") as string).split(";")[0] as string;
  const out = await fetch(`${api.url}/api/logout`, { method: "POST", headers: { cookie, origin: api.url } });
  t.is(out.status, 204);
  t.is((await fetch(`${api.url}/api/me`, { headers: { cookie } })).status, 401);
});

test("a change with the cookie is taken from qflow's own pages only", async (t) => {
  const { api, db } = await startTestApi(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  const first = await fetch(await createLoginLink(db, api.url), { redirect: "manual" });
  const cookie = (first.headers.get("set-cookie") as string).split(";")[0] as string;
  const change = (origin: Record<string, string>) =>
    fetch(`${api.url}/api/v2/dags/d`, {
      method: "PATCH",
      headers: { cookie, "content-type": "application/json", ...origin },
      body: JSON.stringify({ is_paused: true }),
    });
  t.is((await change({})).status, 403);
  t.is((await change({ origin: "http://evil.example" })).status, 403);
  t.is((await change({ origin: "null" })).status, 403);
  t.is((await change({ origin: api.url })).status, 200);
});

test("roles: a viewer looks, a user changes, and each change leaves an audit row", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  const viewer = await as("viewer");
  const user = await as("user");
  t.is((await viewer("GET", "/api/v2/dags/d")).status, 200);
  const refused = await viewer("PATCH", "/api/v2/dags/d", { is_paused: true });
  t.is(refused.status, 403);
  t.is(refused.body.code, "FORBIDDEN");
  t.is((await viewer("POST", "/api/v2/dags/d/dagRuns", {})).status, 403);
  const paused = await user("PATCH", "/api/v2/dags/d", { is_paused: true });
  t.is(paused.status, 200);
  t.true(paused.body.is_paused);
  const audit = await db.query("select actor, action, dag_id from audit_log");
  t.deepEqual(audit.rows, [{ actor: "user", action: "dag.pause", dag_id: "d" }]);
});

test("a change that fails leaves one audit row that says so", async (t) => {
  const { db, as } = await startTestApi(t);
  const user = await as("user");
  t.is((await user("PATCH", "/api/v2/dags/nowhere", { is_paused: true })).status, 404);
  const audit = await db.query("select action, dag_id, error from audit_log");
  t.deepEqual(audit.rows, [{ action: "dag.pause", dag_id: "nowhere", error: "NOT_FOUND" }]);
});

test("a revoked token is refused", async (t) => {
  const { api, db } = await startTestApi(t);
  await createUser(db, "ada", "admin");
  const { id, token } = await createToken(db, { name: "ci", user: "ada", days: null });
  const call = caller(api.url, token);
  t.is((await call("GET", "/api/me")).body.name, "ada");
  await revokeToken(db, id);
  t.is((await call("GET", "/api/me")).status, 401);
  await t.throwsAsync(createToken(db, { name: "x", user: "nobody", days: 1 }), { message: /no user/ });
});

test("the lineage token sends lineage and nothing else", async (t) => {
  const { api } = await startTestApi(t);
  const machine = caller(api.url, "lineage-secret");
  t.is((await machine("GET", "/api/v2/dags")).status, 403);
  t.is((await machine("POST", "/api/v1/lineage", { job: { namespace: "a", name: "b" } })).status, 201);
});

test("a page that points its own name at this machine gets nothing", async (t) => {
  const { api } = await startTestApi(t);
  const { request } = await import("node:http");
  const status = await new Promise((resolve, reject) => {
    request(`${api.url}/health`, { headers: { host: "evil.example" } }, (response) => resolve(response.statusCode))
      .on("error", reject)
      .end();
  });
  t.is(status, 403);
});

test("security headers are on every answer", async (t) => {
  const { api } = await startTestApi(t);
  for (const path of ["/health", "/api/nothing", "/"]) {
    const { headers } = await fetch(api.url + path);
    t.regex(headers.get("content-security-policy") ?? "", /default-src 'self'/);
    t.is(headers.get("x-content-type-options"), "nosniff");
    t.is(headers.get("x-powered-by"), null);
  }
});

test("bodies: too large, too deep, not JSON, not what is asked for", async (t) => {
  const { api, as, defects } = await startTestApi(t);
  const user = await as("user");
  t.is((await user("POST", "/api/v2/dags/d/dagRuns", { note: "x".repeat(2_000_000) })).status, 413);
  let deep: unknown = 1;
  for (let level = 0; level < 100; level += 1) deep = { deep };
  t.is((await user("POST", "/api/v2/dags/d/dagRuns", { conf: deep })).status, 413);
  const unknown = await user("PATCH", "/api/v2/dags/d", { is_paused: "yes" });
  t.is(unknown.status, 422);
  t.is(unknown.body.code, "REQUEST_INVALID");
  t.regex(unknown.body.detail, /is_paused/);
  const broken = await fetch(`${api.url}/api/v1/lineage`, {
    method: "POST",
    headers: { authorization: "Bearer lineage-secret", "content-type": "application/json" },
    body: "{not json",
  });
  t.is(broken.status, 400);
  t.deepEqual(defects, []);
});

test("unknown paths are 404; known ones of Airflow that are not there are 501 with a reason", async (t) => {
  const { as } = await startTestApi(t);
  const viewer = await as("viewer");
  t.is((await viewer("GET", "/api/v2/nothing")).status, 404);
  const plugins = await viewer("GET", "/api/v2/plugins");
  t.is(plugins.status, 501);
  t.regex(plugins.body.detail, /no plugins/);
});
