import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import express from "express";
import { errorHandler } from "../../src/api/failure.ts";
import { startApi } from "../../src/api/server.ts";
import { serveWebClient } from "../../src/api/web-client.ts";
import { loadConfig } from "../../src/config.ts";
import { startTestApi } from "./support.ts";

/** Serves a built client of one page and one hashed file. */
async function serve(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "qflow-ui-"));
  await mkdir(join(folder, "assets"));
  await writeFile(join(folder, "index.html"), "<title>qflow</title>");
  await writeFile(join(folder, "assets/main-abc123.js"), "1");
  const app = express();
  serveWebClient(app, folder);
  app.use(errorHandler(() => {}));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.teardown(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("hashed files are kept for ever, the page never, every address of the client is the page", async (t) => {
  const url = await serve(t);
  const script = await fetch(`${url}/assets/main-abc123.js`);
  t.regex(script.headers.get("cache-control") ?? "", /immutable/);
  for (const path of ["/", "/dags/shop/grid", "/datasets/conformed.fact_sales"]) {
    const page = await fetch(url + path);
    t.is(page.status, 200, path);
    t.is(page.headers.get("cache-control"), "no-cache");
    t.regex(await page.text(), /qflow/);
  }
  t.is((await fetch(`${url}/assets/gone-000.js`)).status, 404);
  t.not((await fetch(`${url}/..%2f..%2fetc%2fpasswd`)).headers.get("content-type"), "text/plain");
});

test("a port that is taken is named with what to do", async (t) => {
  const { api, db } = await startTestApi(t);
  const config = loadConfig({ QFLOW_PORT: new URL(api.url).port });
  await t.throwsAsync(startApi({ database: db, config, hive: null, report: () => {} }), { code: "PORT_TAKEN" });
});
