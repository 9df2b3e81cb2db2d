import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, open, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { loadConfig } from "../../src/config.ts";
import { FTP_USER, startFtpServer } from "../../src/engines/ftp-server.ts";
import { installEngines } from "../../src/engines/install.ts";
import { run as ingest } from "../../src/operators/ftp-ingest.run.ts";
import { ftpIngestSchema } from "../../src/operators/ftp-ingest.ts";
import { freePort } from "../../src/processes/ports.ts";
import { testDatabase } from "../support/database.ts";
import { operatorContext } from "../support/operator-context.ts";
import { FEED } from "./feed.ts";

const PASSWORD = "p@ss word";

/** The platform's own FTP server over an empty folder, and a way to land from it. */
async function realFeed(t: ExecutionContext) {
  const home = await mkdtemp(join(tmpdir(), "qflow-ftp-"));
  const root = join(home, "feed");
  const { python } = await installEngines(loadConfig(process.env), { note() {} } as never);
  const port = await freePort();
  const start = () =>
    startFtpServer({
      python,
      root,
      port,
      password: PASSWORD,
      runDir: home,
      logFile: join(home, "ftp.log"),
      instance: `test-${port}`,
      environment: { PATH: process.env.PATH ?? "" },
    });
  const state = { server: await start() };
  t.teardown(async () => {
    await state.server.stop();
    await rm(home, { recursive: true, force: true });
  });
  const database = await testDatabase(t);
  const connection = {
    id: "ftp",
    kind: "ftp",
    host: "127.0.0.1",
    port,
    user: FTP_USER,
    password: PASSWORD,
    path: "/",
    options: {},
  };
  const land = async (overrides: { password?: string; onProgress?: (bytes: number) => void } = {}) => {
    const { context } = operatorContext({
      home,
      database,
      connections: [{ ...connection, password: overrides.password ?? PASSWORD }],
    });
    const progress = (_step: string, done: number) => overrides.onProgress?.(done);
    const config = ftpIngestSchema.parse({ ...FEED, batch: 1 });
    return ingest(config, { ...context, progress }, async () => {});
  };
  return { root, land, state, start };
}

test.serial("delivered names and times come through a real server, and a wrong password is FTP_DENIED", async (t) => {
  const feed = await realFeed(t);
  const name = `branches_SS_raw_1 it's "new" ü 日本.csv`;
  await mkdir(join(feed.root, "group1", "sales_agents_SS_raw_1.csv"), { recursive: true });
  await writeFile(join(feed.root, "group1", name), "branch_id\r\n1\r\n");
  await utimes(join(feed.root, "group1", name), new Date("2026-11-22T10:00:00Z"), new Date("2026-11-22T10:00:00Z"));
  const [file] = await feed.land();
  t.like(file, { name, bytes: 14, ftpTime: "2026-11-22T10:00:00.000Z" });
  t.is(await readFile(file?.path ?? "", "utf8"), "branch_id\r\n1\r\n");
  const denied = await t.throwsAsync(feed.land({ password: "wrong" }));
  t.is((denied as { code?: string }).code, "FTP_DENIED");
});

test.serial("200 MB land in flat memory, though the server is killed on the way", async (t) => {
  const feed = await realFeed(t);
  await mkdir(join(feed.root, "group1"), { recursive: true });
  const handle = await open(join(feed.root, "group1/sales_transactions_SS_raw_1.csv"), "w");
  const hash = createHash("sha256");
  for (let i = 0; i < 200; i++) {
    const piece = randomBytes(1 << 20);
    hash.update(piece);
    await handle.write(piece);
  }
  await handle.close();
  let peak = 0;
  let killed: Promise<unknown> | null = null;
  const before = process.memoryUsage().rss;
  const [file] = await feed.land({
    onProgress: (bytes) => {
      peak = Math.max(peak, process.memoryUsage().rss);
      if (bytes > 50 << 20 && killed === null) {
        process.kill(feed.state.server.identity.pid, "SIGKILL");
        killed = feed.state.server.exited.then(feed.start).then((server) => {
          feed.state.server = server;
        });
      }
    },
  });
  await killed;
  t.truthy(killed);
  t.is(file?.sha256, hash.digest("hex"));
  t.true(peak - before < 100 << 20, `${Math.round((peak - before) / 2 ** 20)} MB more`);
});
