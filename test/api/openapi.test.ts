import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { openApiDocument } from "../../src/api/openapi.ts";
import { allRoutes } from "../../src/api/routes.ts";
import { askApproval } from "../../src/metadata/approvals.ts";
import { bury } from "../../src/metadata/message-inbox.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { serviceWithHistory } from "../metadata/service-fixture.ts";
import { startTestApi } from "./support.ts";

test("the document describes every path that works, once, with its parameters", (t) => {
  const document = openApiDocument(allRoutes, "1.2.3");
  const paths = Object.keys(document.paths ?? {});
  t.true(paths.includes("/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"));
  t.false(paths.some((path) => path.startsWith("/api/v2/plugins")));
  const ids = Object.values(document.paths ?? {}).flatMap((path) =>
    Object.values(path as Record<string, { operationId: string }>).map((operation) => operation.operationId),
  );
  t.is(new Set(ids).size, ids.length);
  const trigger = document.paths?.["/api/v2/dags/{dag_id}/dagRuns"]?.post;
  t.truthy(trigger?.requestBody);
  t.truthy(document.components?.schemas?.DAGRun);
});

test("docs/api.md names every path that works by its last word", (t) => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/api.md"), "utf8");
  const paths = Object.keys(openApiDocument(allRoutes, "1.2.3").paths ?? {});
  const names = paths.map((path) => path.split("/").findLast((part) => !part.startsWith("{")) ?? "");
  t.deepEqual(
    [...new Set(names)].filter((name) => !new RegExp(`\\b${name}\\b`).test(page)),
    [],
  );
});

test("every answer fits the schema it is documented with", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(
    db,
    dagSpec("d", [
      { id: "a", emits: ["staging.x"] },
      { id: "b", upstream: ["a"], reads: ["staging.x"] },
    ]),
  );
  await createRun(db, { dagId: "d", runId: "one", by: "user:ada" });
  const [a] = await work(db, () => success({ rows: 1 }));
  if (a) await askApproval(db, a, { subject: "Go on?", body: "", role: "user", onReject: "skip" });
  await (await import("../../src/metadata/catalog-declare.ts")).syncDeclarations(db);
  await serviceWithHistory(db);
  await bury(db, { dagId: "d", taskId: "a" }, [
    {
      topic: "t",
      partition: 0,
      offset: 1,
      sentAt: new Date(),
      key: null,
      value: Buffer.from("v"),
      bytes: 1,
      reason: "r",
    },
  ]);
  const call = await as("admin");
  await call("POST", "/api/v2/connections", { connection_id: "ftp", conn_type: "ftp", host: "h", password: "p" });
  await call("POST", "/api/v2/variables", { key: "region", value: "eu" });
  await call("POST", "/api/v2/backfills", { dag_id: "d", dates: ["2026-01-01T00:00:00Z"] });
  const values: Record<string, string> = {
    connection_id: "ftp",
    variable_key: "region",
    dag_id: "d",
    run_id: "one",
    task_id: "a",
    try_number: "1",
    version_number: "1",
    map_index: "-1",
    key: "return_value",
    pool_name: "spark",
    backfill_id: "1",
    id: "staging.x",
    service_id: "s",
    number: "2",
    message_id: "1",
  };
  const queries: Record<string, string> = {
    "/api/catalog/lineage": "?node=dataset:staging.x",
    "/api/catalog/column-lineage": "?dataset=staging.x",
  };
  for (const route of allRoutes) {
    if (route.method !== "get" || !route.response || /insights\/:name|\/sample$/.test(route.path)) continue;
    const path = route.path.replace(/:(\w+)/g, (_whole, name: string) => values[name] as string);
    const answer = await call("GET", path + (queries[route.path] ?? ""));
    t.is(answer.status, 200, `${path} ${JSON.stringify(answer.body)}`);
    const parsed = route.response.safeParse(answer.body);
    t.true(parsed.success, `${path}: ${parsed.error?.message}`);
  }
});
