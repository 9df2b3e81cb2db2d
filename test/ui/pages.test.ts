/** The web client in a real browser, against the real API on a seeded database. The tests follow each other in one site. */
import { isDeepStrictEqual } from "node:util";
import test, { type ExecutionContext } from "ava";
import type { BrowserContext, Page } from "playwright-core";
import { INSIGHTS } from "../../src/api/insights.ts";
import type { RunningApi } from "../../src/api/server.ts";
import type { Database } from "../../src/metadata/database.ts";
import { buildWebClient } from "../../ui/build.ts";
import { testDatabase } from "../support/database.ts";
import { seedCatalog } from "./support/catalog.ts";
import { insightAnswer, SQL_ANSWER } from "./support/insights.ts";
import {
  FAILURE,
  LONG_LOG,
  type RunningTask,
  seedApproval,
  seedDags,
  seedFiles,
  seedMapped,
  seedRunning,
  seedRuns,
  seedWide,
} from "./support/seed.ts";
import { BROWSER, logIn, startBrowser, startSite } from "./support/site.ts";

const RUNS = 4;

interface Site {
  db: Database;
  api: RunningApi;
  browser: BrowserContext;
  page: Page;
  running: RunningTask;
  /** What the browser complained about: broken scripts, refused by the content security policy. */
  complaints: string[];
}

let site: Site;
const undo: (() => unknown)[] = [];
const later = { teardown: (work: () => unknown) => void undo.push(work) } as Pick<ExecutionContext, "teardown">;

/** Without a browser on the machine there is nothing to try. */
const browserTest = BROWSER ? test.serial : test.serial.skip;

test.before(async (t) => {
  if (!BROWSER) return;
  t.timeout(300_000);
  await buildWebClient();
  const db = await testDatabase(later);
  await seedDags(db);
  await seedRuns(db, RUNS);
  await seedMapped(db, ["a", "b", "c"]);
  await seedFiles(db);
  await seedCatalog(db);
  const running = await seedRunning(db, "batch-running");
  const api = await startSite(db);
  const browser = await startBrowser(later);
  const complaints: string[] = [];
  browser.on("weberror", (error) => complaints.push(error.error().message));
  browser.on("console", (message) => {
    if (/content security policy|warning: /i.test(message.text())) complaints.push(message.text());
  });
  const page = await browser.newPage();
  site = { db, api, browser, page, running, complaints };
});

test.after.always(async () => {
  await site?.api.close();
  for (const work of undo.reverse()) await work();
});

const open = (path: string) => site.page.goto(site.api.url + path);

browserTest("who is not logged in is told how to get a link; the link opens the home page", async (t) => {
  await open("/dags");
  await site.page.getByRole("heading", { name: "Log in to qflow" }).waitFor();
  await site.page.getByText("npx qflow login", { exact: true }).waitFor();
  await site.page.close();
  site.page = await logIn(site.browser, site.db, site.api.url);
  await site.page.getByRole("heading", { name: "Recent failures" }).waitFor();
  t.pass();
});

browserTest("home says what broke and leads to the log of it", async (t) => {
  const { page } = site;
  await page.getByRole("status").filter({ hasText: "1 run of the last 24 hours failed" }).waitFor();
  await page.getByText("dags/broken.ts:7").waitFor();
  await page.getByRole("link", { name: "qcompany_batch › conform" }).click();
  await page.getByRole("alert").filter({ hasText: FAILURE }).waitFor();
  await page.getByRole("log").getByText(FAILURE).waitFor();
  t.true(page.url().endsWith("/dags/qcompany_batch/runs/batch-3?task=conform"));
  await page.getByRole("tab", { name: /Try 1/ }).click();
  await page.getByRole("log").getByText("conform of batch-3, try 1").waitFor();
  await page.reload();
  await page.getByRole("log").getByText("conform of batch-3, try 1").waitFor();
});

browserTest(
  "a run of many tasks is fetched as far as it is looked at, sorted whole, and cancelled with all of them",
  async (t) => {
    const { page, db } = site;
    const wide = await seedWide(db, "wide", 1200);
    await open("/dags/export_orders/runs/wide");
    const tasks = page.getByRole("table", { name: "Tasks of the run" });
    await tasks.getByText("copy [0]", { exact: true }).waitFor();
    t.is(await tasks.getAttribute("aria-rowcount"), "1201");
    t.true((await tasks.getByRole("row").count()) < 100);
    const last = tasks.getByText("copy [1199]", { exact: true });
    await waitFor(async () => {
      await tasks.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      return (await last.count()) === 1;
    });
    await open("/dags/export_orders/runs/wide?task=copy");
    const items = page.getByRole("table", { name: "Mapped instances" });
    await items.getByRole("button", { name: "0", exact: true }).waitFor();
    await items.getByRole("button", { name: /^Item/ }).click();
    await items.getByRole("button", { name: /^Item/ }).click();
    await items.getByRole("button", { name: "1199", exact: true }).waitFor();
    // Where the run goes on, the list stays as it was sorted and scrolled.
    const table = await items.elementHandle();
    const asked = [/taskInstances\/copy$/, /listMapped/].map((address) => page.waitForResponse(address));
    await wide.next();
    await Promise.all(asked);
    t.true(await table?.evaluate((element) => element.isConnected));
    t.is(await items.getByRole("button", { name: "1199", exact: true }).count(), 1);
    await open("/dags/export_orders/runs/wide");
    const dialog = page.getByRole("dialog", { name: "Cancel the run" });
    await page.route(/taskInstances\?state=/, (route) => route.fulfill({ status: 500, body: "{}" }));
    await page.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByRole("alert").waitFor();
    await page.unroute(/taskInstances\?state=/);
    await dialog.getByRole("button", { name: "Let it run" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByText("1 running task will be stopped and 1,198 waiting tasks will not start").waitFor();
    await dialog.getByRole("button", { name: "Cancel the run" }).click();
    await dialog.waitFor({ state: "detached" });
    await wide.cancelled();
    await page.locator("header.page-head").getByText("Failed", { exact: true }).waitFor();
  },
);

browserTest("the DAG list searches, pauses and triggers with params", async (t) => {
  const { page, db } = site;
  await open("/dags");
  await page.getByLabel("Search DAGs").fill("export");
  await page.getByRole("link", { name: "qcompany_batch" }).waitFor({ state: "detached" });
  t.true(page.url().endsWith("/dags?q=export"));
  await page.getByRole("switch", { name: "export_orders is active" }).click();
  await page.getByRole("switch", { name: "export_orders is paused" }).waitFor();
  await waitFor(
    async () => (await db.query("select from dag where dag_id = 'export_orders' and paused")).rowCount === 1,
  );
  await page.getByRole("button", { name: "Trigger export_orders" }).click();
  const dialog = page.getByRole("dialog", { name: "Trigger export_orders" });
  await dialog.getByText("with 2 tasks").waitFor();
  t.true(await dialog.getByRole("button", { name: "Trigger" }).isDisabled());
  await dialog.getByLabel("label").fill("by hand");
  await dialog.getByLabel("rows").fill("0");
  await dialog.getByRole("button", { name: "Trigger" }).click();
  await dialog.getByRole("alert").filter({ hasText: "rows" }).waitFor();
  t.is(await dialog.getByLabel("label").inputValue(), "by hand");
  await dialog.getByLabel("rows").fill("7");
  await dialog.getByRole("button", { name: "Trigger" }).click();
  await dialog.waitFor({ state: "detached" });
  const made = await db.query<{ params: unknown }>(
    "select params from dag_run where dag_id = 'export_orders' order by id desc limit 1",
  );
  t.deepEqual(made.rows[0]?.params, { region: "eu", rows: 7, label: "by hand" });
});

browserTest("the grid opens a task by mouse and by keyboard, and Escape closes it", async (t) => {
  const { page } = site;
  await open("/dags/qcompany_batch");
  await page.getByRole("gridcell", { name: "standardize, batch-1: Success" }).click();
  await page.getByRole("log").getByText("standardize of batch-1, try 1").waitFor({ state: "detached" });
  await page.getByText(`${LONG_LOG.toLocaleString("en-US")} lines`).waitFor();
  await page.getByRole("log").getByText("quarantined 2").waitFor();
  t.true(page.url().includes("?run=batch-1&task=standardize"));
  await page.keyboard.press("Escape");
  await page.getByRole("complementary").waitFor({ state: "detached" });
  await page.getByRole("grid").focus();
  for (const key of ["ArrowLeft", "ArrowLeft", "ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await page.getByRole("complementary", { name: "Task conform" }).waitFor();
  t.true(page.url().includes("?run=batch-4&task=conform"));
});

browserTest("a long log is searched, and its lines can be linked to", async (t) => {
  const { page } = site;
  await open("/dags/qcompany_batch?run=batch-1&task=standardize");
  await page.getByLabel("Find in the log").fill("part-1234 ");
  await page.getByText("of 1", { exact: false }).first().waitFor();
  await page.getByLabel("Find in the log").press("Enter");
  await page.getByRole("log").getByText("part-1234").waitFor();
  t.true(page.url().endsWith("&line=1234"));
  await page.reload();
  await page.getByRole("log").getByText("part-1234").waitFor();
});

browserTest("a running task is followed: log, progress and state change without a reload", async (t) => {
  const { page, running } = site;
  await open("/dags/qcompany_batch?run=batch-running&task=standardize");
  await page.getByText("stage 3: sortWithinPartitions").waitFor();
  await running.log(
    1,
    Array.from({ length: 120 }, (_, index) => `step ${index + 1}`),
  );
  await page.getByRole("log").getByText("step 120", { exact: true }).waitFor();
  await page.getByRole("log").hover();
  await page.mouse.wheel(0, -5000);
  await page.getByRole("button", { name: "Follow", exact: true }).waitFor();
  await page.getByRole("log").getByText("step 1", { exact: true }).waitFor();
  await running.log(121, ["step 121"]);
  await page.getByText("121 lines so far").waitFor();
  t.is(await page.getByRole("log").getByText("step 121", { exact: true }).count(), 0);
  await page.getByRole("button", { name: "Follow", exact: true }).click();
  await page.getByRole("log").getByText("step 121", { exact: true }).waitFor();
  await running.succeed();
  await page.getByRole("gridcell", { name: "standardize, batch-running: Success" }).waitFor();
  await page.getByRole("complementary").getByText("Success").waitFor();
});

browserTest("clearing shows what it will do before it does it", async (t) => {
  const { page, db } = site;
  await open("/dags/qcompany_batch?run=batch-3&task=conform");
  await page.getByRole("button", { name: "Clear" }).click();
  const listed = page.getByRole("list", { name: "What will be cleared" });
  await listed.getByText("checks").waitFor();
  t.is(await listed.getByRole("listitem").count(), 3);
  await page.getByRole("radio", { name: "Only this task" }).check();
  await page.getByRole("button", { name: "Clear 1 task" }).waitFor();
  await page.getByRole("radio", { name: /everything after/ }).check();
  await page.getByRole("button", { name: "Clear 3 tasks" }).click();
  await page.getByRole("complementary").getByText("Queued").waitFor();
  await page.getByRole("list", { name: "Why it waits" }).getByRole("listitem").first().waitFor();
  const states = await db.query<{ state: string }>(
    "select i.state from task_instance i join dag_run r on r.id = i.dag_run_id where r.run_id = 'batch-3' order by task_index",
  );
  t.deepEqual(
    states.rows.map((row) => row.state),
    ["success", "success", "queued", "none", "none"],
  );
});

browserTest("marking shows what it changes, and the run goes by it", async (t) => {
  const { page, db } = site;
  await open("/dags/qcompany_batch?run=batch-3&task=checks");
  await page.getByRole("button", { name: "Mark", exact: true }).click();
  await page.getByRole("radio", { name: "Skipped" }).check();
  const listed = page.getByRole("list", { name: "What will be marked" });
  await listed.getByText("checks").waitFor();
  await page.getByRole("button", { name: "Mark 1 task skipped" }).click();
  await page.getByRole("gridcell", { name: "checks, batch-3: Skipped" }).waitFor();
  const marked = await db.query(
    "select from task_instance i join dag_run r on r.id = i.dag_run_id where r.run_id = 'batch-3' and i.state = 'skipped'",
  );
  t.is(marked.rowCount, 1);
});

browserTest("the graph shows tasks and datasets, and stays where it is when only states change", async (t) => {
  const { page } = site;
  await open("/dags/qcompany_batch/graph?run=batch-3");
  const card = page.locator(".react-flow__node").filter({ hasText: "conform" }).first();
  await card.getByRole("img", { name: "Queued" }).waitFor();
  // The view is fitted a moment after the first picture.
  let before = await card.boundingBox();
  await waitFor(async () => {
    const last = before;
    before = await card.boundingBox();
    return isDeepStrictEqual(last, before);
  });
  await page.getByLabel("Run", { exact: true }).selectOption("batch-1");
  await card.getByRole("img", { name: "Success" }).waitFor();
  t.deepEqual(await card.boundingBox(), before);
  await page.locator(".react-flow__node").filter({ hasText: "conformed.fact_sales" }).click();
  await page.getByRole("heading", { name: "conformed.fact_sales" }).waitFor();
});

browserTest("a dataset shows columns, personal data, neighbours and lineage that unfolds", async (t) => {
  const { page } = site;
  await open("/datasets");
  const row = page.getByRole("row").filter({ hasText: "conformed.dim_customer" });
  await row.getByText("PII").waitFor();
  await row.getByRole("link", { name: "conformed.dim_customer" }).click();
  await page.getByRole("row").filter({ hasText: "customer_email" }).getByText("PII").waitFor();
  await open("/datasets/conformed.fact_sales?view=schema");
  await page.getByRole("row").filter({ hasText: "+ couponCode string" }).waitFor();
  await page.getByRole("row").filter({ hasText: "+ transaction_id string" }).waitFor();
  await open("/datasets/conformed.fact_sales?view=lineage");
  await page.getByRole("button", { name: "Show what is beyond standardized.sales_transactions" }).click();
  await page.locator(".react-flow__node").filter({ hasText: "staging.files" }).waitFor();
  await open("/files");
  const file = page.getByRole("row").filter({ hasText: "branches_SS_raw_1.csv" });
  await file.waitFor();
  t.deepEqual(
    await file
      .getByRole("cell")
      .allInnerTexts()
      .then((cells) => cells.slice(4, 9)),
    ["1,500", "1,490", "8", "2", "✓ balanced"],
  );
});

browserTest("dashboards draw bars from zero with their values, and say where there is nothing", async (t) => {
  const { page } = site;
  await open("/dashboards");
  await page.getByText("HIVE_UNAVAILABLE").first().waitFor();
  await page.route("**/api/insights/*", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1);
    const summary = INSIGHTS.find((one) => one.name === name);
    if (!summary) return route.abort();
    const { sql: _sql, ...shown } = summary;
    return route.fulfill({ json: insightAnswer(shown, name === "sales_agent_performance" ? "none" : "some") });
  });
  await open("/dashboards");
  const card = page.getByRole("region", { name: "Most selling products" });
  const skirt = card.getByRole("row").filter({ hasText: "Skirt" });
  t.is(await skirt.getByRole("cell").getAttribute("title"), "Skirt\nonline: 300\noffline: 664\nUnits sold");
  await card.getByRole("rowheader", { name: "Boots (18)" }).waitFor();
  await card.getByLabel("Measure").selectOption({ label: "Revenue" });
  await card.getByText("122,054.39").waitFor();
  await card.getByRole("link", { name: "qcompany_batch › enrich" }).waitFor();
  await page.getByRole("region", { name: "Sales agents by units sold" }).getByText("Nothing to show yet").waitFor();
  await page.unroute("**/api/insights/*");
});

browserTest("SQL keeps what was typed when it fails, and hands out what it shows", async (t) => {
  const { page } = site;
  await open("/sql");
  const editor = page.getByRole("textbox", { name: "SQL" });
  await editor.fill("select 1");
  await editor.press("Control+Enter");
  await page.getByRole("alert").filter({ hasText: "HIVE_UNAVAILABLE" }).waitFor();
  t.is(await editor.inputValue(), "select 1");
  await page.route("**/api/sql", (route) => route.fulfill({ json: SQL_ANSWER }));
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("cell", { name: "35821.04" }).waitFor();
  await page.getByText("more exist").waitFor();
  await page.reload();
  t.is(await editor.inputValue(), "select 1");
  await page.unroute("**/api/sql");
});

browserTest("a person answers what a task asks on its page, with a note", async (t) => {
  const { page, db } = site;
  await seedApproval(db);
  await open("/dags/release/runs/r1?task=publish");
  const asked = page.getByRole("region", { name: "Approval" });
  await asked.getByText("Publish the figures?").waitFor();
  await asked.getByText("Of March.").waitFor();
  await asked.getByLabel("Note on the answer").fill("checked");
  await asked.getByRole("button", { name: "Approve" }).click();
  await page.getByText("Approved publish").waitFor();
  await asked.waitFor({ state: "detached" });
  const kept = await db.query(
    "select p.chosen, p.note, t.state from approval p join task_instance t on t.id = p.task_instance_id",
  );
  t.deepEqual(kept.rows, [{ chosen: "approve", note: "checked", state: "success" }]);
});

browserTest("the palette finds a run, and the theme stays chosen", async (t) => {
  const { page } = site;
  await open("/");
  await page.getByRole("button", { name: /^Theme: system/ }).click();
  await page.getByRole("button", { name: /^Theme: light/ }).click();
  await page.reload();
  await page.getByRole("button", { name: /^Theme: dark/ }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("batch-2");
  await page.getByRole("option", { name: /batch-2/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "batch-2" }).waitFor();
  t.true(page.url().endsWith("/dags/qcompany_batch/runs/batch-2"));
});

browserTest("a lost server is shown, and the page goes on when it is back", async (t) => {
  const { page, api, db } = site;
  await open("/dags");
  await page.getByText("Live", { exact: true }).waitFor();
  await api.close();
  await page.getByText("Reconnecting…").waitFor();
  await page.getByRole("link", { name: "qcompany_batch" }).waitFor();
  site.api = await startSite(db, Number(new URL(api.url).port));
  await page.getByText("Live", { exact: true }).waitFor();
  t.deepEqual(site.complaints, []);
});

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error("it did not happen within a minute");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
