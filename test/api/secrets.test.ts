import test from "ava";
import { startTestApi } from "./support.ts";

const BODY = {
  connection_id: "warehouse",
  conn_type: "postgres",
  host: "db.example",
  login: "loader",
  schema: "sales",
  port: 5432,
  password: "hunter2-hunter2",
  extra: '{"sslmode": "require", "api_token": "t0ken-t0ken"}',
};

test("a connection goes in whole and comes out without its secrets; a change leaves what is not given", async (t) => {
  const { db, as } = await startTestApi(t);
  const call = await as("admin");
  const made = await call("POST", "/api/v2/connections", BODY);
  t.is(made.status, 201);
  const shown = {
    ...BODY,
    description: null,
    password: "***",
    extra: '{"sslmode":"require","api_token":"***"}',
    team_name: null,
  };
  t.deepEqual(made.body, shown);
  t.is((await call("POST", "/api/v2/connections", BODY)).status, 409);
  const path = "/api/v2/connections/warehouse";
  t.deepEqual((await call("GET", path)).body, shown);
  const changed = await call("PATCH", `${path}?update_mask=description`, {
    ...BODY,
    password: "x",
    description: "sales",
  });
  t.deepEqual(changed.body, { ...shown, description: "sales" });
  const back = await call("PATCH", path, { ...shown, host: "new.example" });
  t.deepEqual(back.body, { ...shown, host: "new.example", description: null });
  t.is((await call("PATCH", path, { ...BODY, connection_id: "other" })).status, 400);
  t.is((await call("PATCH", `${path}?update_mask=nonsense`, BODY)).status, 422);
  const list = await call("GET", "/api/v2/connections?connection_id_pattern=ware&order_by=-connection_id");
  t.is(list.body.total_entries, 1);
  t.is((await call("DELETE", path)).status, 204);
  t.is((await call("DELETE", path)).status, 404);
  const audit = await db.query<{ action: string }>(
    "select action from audit_log where error is null order by audit_id",
  );
  t.deepEqual(
    audit.rows.map(({ action }) => action),
    ["connection.create", "connection.update", "connection.update", "connection.delete"],
  );
});

test("only admins see or change connections and variables", async (t) => {
  const { as } = await startTestApi(t);
  for (const role of ["viewer", "user"] as const) {
    const call = await as(role);
    for (const [method, path, body] of [
      ["GET", "/api/v2/connections", undefined],
      ["POST", "/api/v2/connections", BODY],
      ["POST", "/api/v2/connections/test", BODY],
      ["GET", "/api/v2/variables/a", undefined],
      ["PATCH", "/api/v2/variables", { actions: [] }],
    ] as const) {
      t.is((await call(method, path, body)).status, 403, `${role} ${method} ${path}`);
    }
  }
});

test("variables: JSON values are kept as text; secret ones, and secret fields of JSON, are not answered", async (t) => {
  const { as } = await startTestApi(t);
  const call = await as("admin");
  const made = await call("POST", "/api/v2/variables", { key: "limits", value: { rows: 5, password: "p-in-json" } });
  t.is(made.status, 201);
  t.deepEqual(made.body, {
    key: "limits",
    value: '{"rows":5,"password":"***"}',
    description: null,
    is_encrypted: true,
    team_name: null,
  });
  const token = await call("POST", "/api/v2/variables", { key: "api_token", value: "t0ken-t0ken" });
  t.is(token.body.value, "***");
  const patched = await call("PATCH", "/api/v2/variables/limits", { key: "limits", value: "plain", description: "d" });
  t.deepEqual([patched.body.value, patched.body.description], ["plain", "d"]);
  t.is((await call("GET", "/api/v2/variables?variable_key_pattern=lim")).body.total_entries, 1);
  t.is((await call("DELETE", "/api/v2/variables/limits")).status, 204);
  t.is((await call("GET", "/api/v2/variables/limits")).status, 404);
  t.is((await call("POST", "/api/v2/variables", { key: "big", value: "x".repeat(70_000) })).status, 400);
});

test("a bulk request does what it can and tells what it could not", async (t) => {
  const { as } = await startTestApi(t);
  const call = await as("admin");
  await call("POST", "/api/v2/variables", { key: "a", value: "1" });
  const answer = await call("PATCH", "/api/v2/variables", {
    actions: [
      {
        action: "create",
        entities: [
          { key: "a", value: "2" },
          { key: "b", value: "2" },
        ],
      },
      { action: "create", entities: [{ key: "a", value: "3" }], action_on_existence: "overwrite" },
      { action: "update", entities: [{ key: "c", value: "2" }], action_on_non_existence: "skip" },
      { action: "delete", entities: ["b", "z"] },
    ],
  });
  t.is(answer.status, 200);
  t.deepEqual(answer.body.create.success, ["b", "a"]);
  t.deepEqual(answer.body.create.errors, [{ error: "there is a variable a already", status_code: 409 }]);
  t.deepEqual(answer.body.update, { success: [], errors: [] });
  t.deepEqual(answer.body.delete.success, ["b"]);
  t.is(answer.body.delete.errors[0].status_code, 404);
  t.is((await call("GET", "/api/v2/variables/a")).body.value, "3");
});

test("a test with the kept password goes only to the kept address", async (t) => {
  const { as } = await startTestApi(t);
  const call = await as("admin");
  const tcp = { ...BODY, conn_type: "custom", host: "127.0.0.1", port: 9 };
  await call("POST", "/api/v2/connections", tcp);
  const elsewhere = await call("POST", "/api/v2/connections/test", { ...tcp, password: "***", host: "localhost" });
  t.is(elsewhere.status, 400);
  const refused = await call("POST", "/api/v2/connections/test", { ...tcp, password: "***" });
  t.is(refused.status, 200);
  t.false(refused.body.status);
  t.regex(refused.body.message, /custom 127\.0\.0\.1:9: .*ECONNREFUSED/);
});
