/** The real API with the built web client on a seeded database, and a headless Chromium that is logged in. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { type RunningApi, startApi } from "../../../src/api/server.ts";
import { loadConfig } from "../../../src/config.ts";
import { createLoginLink } from "../../../src/metadata/access.ts";
import type { Database } from "../../../src/metadata/database.ts";

const UI = join(import.meta.dirname, "../../../ui");
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

const WAIT_MS = 15_000;

/** The browser of this machine, or null: browser tests are not registered without one. */
export const BROWSER = BROWSERS.find((path) => existsSync(path)) ?? null;

type Teardown = Pick<ExecutionContext, "teardown">;

/** Builds the web client where a source is newer than what was built last. */
export async function buildClient(): Promise<void> {
  const built = await stat(join(UI, "dist/index.html")).catch(() => null);
  if (built && built.mtimeMs > (await newestSource())) return;
  await build({ root: UI, configFile: join(UI, "vite.config.ts"), logLevel: "error" });
}

async function newestSource(): Promise<number> {
  const folders = ["src", "public"].map((name) => join(UI, name));
  const listed = await Promise.all(folders.map((folder) => readdir(folder, { recursive: true, withFileTypes: true })));
  const files = listed.flat().filter((entry) => entry.isFile());
  const paths = [
    ...files.map((entry) => join(entry.parentPath, entry.name)),
    join(UI, "index.html"),
    join(UI, "vite.config.ts"),
  ];
  return Math.max(...(await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs))));
}

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
