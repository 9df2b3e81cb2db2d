/** The real API with the built web client on a seeded database, and a headless Chromium that is logged in. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { type RunningApi, startApi } from "../../../src/api/server.ts";
import { loadConfig } from "../../../src/config.ts";
import { createLoginLink } from "../../../src/metadata/access.ts";
import type { Database } from "../../../src/metadata/database.ts";

/** Where Debian, Ubuntu and Google's packages put it. */
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** A machine that is busy with other tests is slow; a page that is wrong is wrong after any time. */
const WAIT_MS = 60_000;

/** The browser of this machine, or null: browser tests are not registered without one. */
export const BROWSER = BROWSERS.find((path) => existsSync(path)) ?? null;

type Teardown = Pick<ExecutionContext, "teardown">;

/** Starts the API on a free port. */
export async function startSite(database: Database, port = 0): Promise<RunningApi> {
  const config = { ...loadConfig({}), port };
  return startApi({ database, config, hive: null, report: (error) => console.error(error) });
}

/** Starts the browser with a profile of its own. */
export async function startBrowser(t: Teardown): Promise<BrowserContext> {
  const profile = await mkdtemp(join(tmpdir(), "qflow-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: BROWSER ?? "",
    args: FLAGS,
    viewport: { width: 1280, height: 720 },
    timeout: 180_000,
  });
  context.setDefaultTimeout(WAIT_MS);
  t.teardown(async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  });
  return context;
}

/** A page that was opened with a one-time link. */
export async function logIn(context: BrowserContext, database: Database, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(await createLoginLink(database, url));
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  return page;
}
