import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { QflowError } from "../../src/errors.ts";
import type { LandedFile } from "../../src/operators/ftp-ingest.ts";
import { run as record } from "../../src/operators/load-record.run.ts";
import { operatorContext } from "../support/operator-context.ts";
import { type FeedWorld, feedWorld } from "./feed.ts";

test("a batch lands verified, by feed, date, hour and batch, and in order", async (t) => {
  const world = await feedWorld(t);
  world.batch(3);
  const { files } = await world.ingest(3);
  t.deepEqual(
    files.map((file) => [file.feed, file.batch, file.name, file.version, file.duplicateOf]),
    [
      ["branches", 3, "branches_SS_raw_3.csv", 1, null],
      ["sales_agents", 3, "sales_agents_SS_raw_3.csv", 1, null],
      ["sales_transactions", 3, "sales_transactions_SS_raw_3.csv", 1, null],
    ],
  );
  // 10:00 UTC is 12:00 in Cairo.
  t.true(files[0]?.path.endsWith("/lake/staging/branches/2026-11-22/12/batch=3/branches_SS_raw_3.csv"));
  t.is(await readFile(files[2]?.path ?? "", "utf8"), "trx\n3\n");
  t.deepEqual(await readdir(join(world.home, "lake/staging/.incoming")), []);
  t.true(ascending(files));
});

test("batches without a number asked for land in ascending numeric order", async (t) => {
  const world = await feedWorld(t);
  for (const n of [10, 2, 1]) world.batch(n);
  const { files } = await world.ingest(null);
  t.deepEqual([...new Set(files.map((file) => file.batch))], [1, 2, 10]);
  t.true(ascending(files));
});

test("the same run gets the same answer and fetches nothing twice; another run gets nothing", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const first = await world.ingest(1);
  const reads = world.ftp.commands.filter((line) => line.startsWith("RETR")).length;
  t.deepEqual((await world.ingest(1)).files, first.files);
  await loaded(world, first.files);
  t.deepEqual((await world.ingest(1)).files, first.files);
  t.deepEqual((await world.ingest(1, { runId: "run-2" })).files, []);
  t.is(world.ftp.commands.filter((line) => line.startsWith("RETR")).length, reads);
});

test("known content under another name is a duplicate of the live file", async (t) => {
  const world = await feedWorld(t);
  world.batch(1, { branches: "same\n" });
  world.batch(2, { branches: "same\n" });
  const one = await world.ingest(1);
  const two = await world.ingest(2, { runId: "run-2" });
  t.is(two.files[0]?.duplicateOf, one.files[0]?.fileId ?? -1);
  t.is(two.files[1]?.duplicateOf, null);
  t.is(await readFile(two.files[0]?.path ?? "", "utf8"), "same\n");
  await loaded(world, one.files);
  await loaded(world, two.files, "run-2");
  const row = await manifestRow(world, two.files[0]?.fileId);
  t.like(row, { state: "duplicate", rows_read: "1", rows_duplicate: "1", rows_loaded: "0" });
});

test("new content under an old name is a version that supersedes once it is loaded, and gets a name of its own", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const one = await world.ingest(1);
  await loaded(world, one.files);
  world.batch(1, { sales_transactions: "trx\n1\n2\n" });
  const two = await world.ingest(1, { runId: "run-2" });
  t.is(two.files.length, 1);
  const [newer] = two.files;
  const older = one.files[2];
  t.like(newer, { version: 2, feed: "sales_transactions", supersedes: [older?.fileId ?? -1], duplicateOf: null });
  t.regex(newer?.path ?? "", /sales_transactions_SS_raw_1\.[0-9a-f]{8}\.csv$/);
  t.is(await readFile(older?.path ?? "", "utf8"), "trx\n1\n");
  t.is((await manifestRow(world, older?.fileId)).state, "loaded");
  const totals = await loaded(world, two.files, "run-2");
  t.deepEqual(totals.superseded, [older?.fileId ?? -1]);
  t.is((await manifestRow(world, older?.fileId)).state, "superseded");
  t.deepEqual((await world.ingest(1, { runId: "run-2" })).files, two.files, "a cleared run gets the same answer");
});

test("a new version that is refused whole leaves the old one live", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const one = await world.ingest(1);
  await loaded(world, one.files);
  world.batch(1, { sales_transactions: "rubbish" });
  const two = await world.ingest(1, { runId: "run-2" });
  const [newer] = two.files;
  const counts = [{ fileId: newer?.fileId ?? -1, read: 4, loaded: 0, quarantined: 4, rejected: "columns" }];
  const totals = await recorded(world, two.files, { counts, runId: "run-2" });
  t.deepEqual(totals.superseded, []);
  t.is((await manifestRow(world, newer?.fileId)).state, "quarantined");
  t.like(await manifestRow(world, one.files[2]?.fileId), { state: "loaded", replaced_by: null });
});

test("content that comes back after it was superseded is loaded again", async (t) => {
  const world = await feedWorld(t);
  for (const [i, content] of ["a\n", "b\n", "a\n"].entries()) {
    world.batch(1, { sales_transactions: content });
    world.ftp.put("/group1/sales_transactions_SS_raw_1.csv", content, new Date(Date.UTC(2026, 10, 22, 10, i)));
    const { files } = await world.ingest(1, { runId: `run-${i}` });
    const last = files.at(-1);
    t.like(last, { version: i + 1, duplicateOf: null });
    await loaded(world, files, `run-${i}`);
  }
  const states = await world.database.query(
    "select state from file_manifest where feed = 'sales_transactions' order by version",
  );
  t.deepEqual(
    states.rows.map((row) => row.state),
    ["superseded", "superseded", "loaded"],
  );
});

test("the same content delivered again with a new time is a duplicate and replaces nothing", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const one = await world.ingest(1);
  await loaded(world, one.files);
  world.ftp.put("/group1/branches_SS_raw_1.csv", "branch_id\n1\n", new Date("2026-11-22T11:00:00Z"));
  const two = await world.ingest(1, { runId: "run-2" });
  t.like(two.files[0], { version: 2, duplicateOf: one.files[0]?.fileId ?? -1, supersedes: [] });
  await loaded(world, two.files, "run-2");
  t.is((await manifestRow(world, one.files[0]?.fileId)).state, "loaded");
  t.deepEqual((await world.ingest(1, { runId: "run-3" })).files, []);
});

test("known content that replaces something else under its name is loaded, not a duplicate", async (t) => {
  const world = await feedWorld(t);
  world.batch(1, { sales_transactions: "a\n" });
  world.batch(2, { sales_transactions: "b\n" });
  await loaded(world, (await world.ingest(1)).files);
  const two = await world.ingest(2, { runId: "run-2" });
  await loaded(world, two.files, "run-2");
  world.ftp.put("/group2/sales_transactions_SS_raw_2.csv", "a\n", new Date("2026-11-22T11:00:00Z"));
  const { files } = await world.ingest(2, { runId: "run-3" });
  t.like(files[0], { duplicateOf: null, supersedes: [two.files[2]?.fileId ?? -1] });
});

test("the same picture in another batch is loaded again where the feed says that the latest counts", async (t) => {
  const world = await feedWorld(t);
  world.batch(1, { sales_agents: "same\n", sales_transactions: "same\n" });
  world.batch(2, { sales_agents: "same\n", sales_transactions: "same\n" });
  const one = await world.ingest(1, { snapshots: ["sales_agents"] });
  const two = await world.ingest(2, { snapshots: ["sales_agents"], runId: "run-2" });
  const original = one.files[2]?.fileId ?? -1;
  t.deepEqual(
    two.files.map((file) => [file.feed, file.duplicateOf]),
    [
      ["branches", null],
      ["sales_agents", null],
      ["sales_transactions", original],
    ],
  );
});

test("when a replaced file had duplicates, the oldest of them takes over", async (t) => {
  const world = await feedWorld(t);
  for (const n of [1, 2, 3]) world.batch(n, { sales_transactions: "same\n" });
  const runs = [
    await world.ingest(1, { runId: "r1" }),
    await world.ingest(2, { runId: "r2" }),
    await world.ingest(3, { runId: "r3" }),
  ];
  for (const [i, landed] of runs.entries()) await loaded(world, landed.files, `r${i + 1}`);
  world.batch(1, { sales_transactions: "other\n" });
  const { files } = await world.ingest(1, { runId: "r4" });
  const heir = runs[1]?.files[2];
  t.deepEqual(
    files.map((file) => [file.batch, file.fileId === heir?.fileId, file.duplicateOf]),
    [
      [2, true, null],
      [1, false, null],
    ],
  );
  await loaded(world, files, "r4");
  t.like(await manifestRow(world, heir?.fileId), { state: "loaded", duplicate_of: null });
  t.like(await manifestRow(world, runs[2]?.files[2]?.fileId), {
    state: "duplicate",
    duplicate_of: String(heir?.fileId),
  });
  t.deepEqual((await world.ingest(1, { runId: "r4" })).files, files);
});

test("a transfer that is cut is resumed, and what arrives is whole", async (t) => {
  const world = await feedWorld(t);
  const content = Array.from({ length: 5000 }, (_, i) => `trx-${i}\n`).join("");
  world.batch(1, { sales_transactions: content });
  world.ftp.faults.cutAfter.set("/group1/sales_transactions_SS_raw_1.csv", [0, 0, 10_000, 10_000]);
  const { files } = await world.ingest(1);
  t.is(await readFile(files[2]?.path ?? "", "utf8"), content);
  t.true(world.ftp.commands.includes("REST 10000"));
});

test("a transfer that ends short is not believed", async (t) => {
  const world = await feedWorld(t);
  world.batch(1, { branches: "0123456789" });
  world.ftp.faults.shortAfter.set("/group1/branches_SS_raw_1.csv", [4]);
  const { files } = await world.ingest(1);
  t.is(await readFile(files[0]?.path ?? "", "utf8"), "0123456789");
  t.true(world.ftp.commands.includes("REST 4"));
});

test("a file that shrinks while it is read is not published, the others are", async (t) => {
  const world = await feedWorld(t);
  world.batch(1, { branches: "a long content\n" });
  const shrink = once(() => world.ftp.put("/group1/branches_SS_raw_1.csv", "short\n"));
  world.ftp.faults.beforeRead = (path) => path.includes("branches") && shrink();
  const error = await t.throwsAsync(world.ingest(1), { instanceOf: QflowError });
  t.is((error as QflowError).code, "FTP_CHANGED");
  const staged = await readdir(join(world.home, "lake/staging"));
  t.deepEqual(staged.sort(), [".incoming", "sales_agents", "sales_transactions"]);
  const { files } = await world.ingest(1);
  t.deepEqual(
    files.map((file) => file.feed),
    ["sales_agents", "sales_transactions", "branches"],
  );
  t.is(await readFile(files[2]?.path ?? "", "utf8"), "short\n");
});

test("a file whose time changes while it is read is not published", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const touch = once(() =>
    world.ftp.put("/group1/branches_SS_raw_1.csv", "branch_id\n9\n", new Date("2026-11-22T12:00:00Z")),
  );
  world.ftp.faults.beforeRead = (path) => path.includes("branches") && touch();
  await t.throwsAsync(world.ingest(1), { message: /changed: its time/ });
});

test("a file listed with other content right after it was read is not recorded with the old content", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const permit = once(() => world.batch(1, { branches: "branch_id\n1\n2\n" }));
  const error = await t.throwsAsync(
    world.ingest(1, {
      permit: async () => {
        permit();
        await world.arrivals();
      },
    }),
  );
  t.is((error as QflowError).code, "FTP_CHANGED");
  const { files } = await world.ingest(1);
  const branches = files.find((file) => file.feed === "branches");
  t.is(await readFile(branches?.path ?? "", "utf8"), "branch_id\n1\n2\n");
});

test("a file that grows between the listings is waited for; one that never stops fails the attempt", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  let size = 0;
  const grow = () => world.ftp.put("/group1/branches_SS_raw_1.csv", "x".repeat(++size * 3));
  const calm = await world.ingest(1, { pause: () => size < 3 && grow() });
  t.is(calm.files[0]?.bytes, 9);
  world.batch(2);
  const error = await t.throwsAsync(
    world.ingest(2, {
      runId: "run-2",
      pause: () => world.ftp.put("/group2/branches_SS_raw_2.csv", "x".repeat(++size)),
    }),
  );
  t.is((error as QflowError).code, "FTP_UNSTABLE");
});

test("an unreadable file fails the attempt by name, the others land", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const file = world.ftp.files.get("/group1/branches_SS_raw_1.csv");
  if (file) file.denied = true;
  const error = await t.throwsAsync(world.ingest(1), { message: /branches_SS_raw_1\.csv/ });
  t.is((error as QflowError).code, "FTP_DENIED");
  if (file) file.denied = false;
  t.is((await world.ingest(1)).files.length, 3);
});

test("an empty file lands empty; empty files of different feeds are no duplicates", async (t) => {
  const world = await feedWorld(t);
  world.batch(1, { branches: "", sales_agents: "" });
  const { files } = await world.ingest(1);
  t.deepEqual(
    files.map((file) => [file.bytes, file.duplicateOf]),
    [
      [0, null],
      [0, null],
      [6, null],
    ],
  );
});

test("an attempt that lost its task publishes nothing", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const permit = async () => {
    throw new QflowError("FENCED", "gone");
  };
  await t.throwsAsync(world.ingest(1, { permit }), { message: "gone" });
  t.deepEqual(await readdir(join(world.home, "lake/staging")), [".incoming"]);
});

test("what a killed attempt published before it could record it is used, not overwritten", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const first = await world.ingest(1);
  const path = first.files[0]?.path ?? "";
  await world.database.query("truncate file_manifest cascade");
  world.ftp.put("/group1/branches_SS_raw_1.csv", "other content");
  const second = await world.ingest(1);
  t.is(await readFile(path, "utf8"), "branch_id\n1\n");
  t.regex(second.files[0]?.path ?? "", /branches_SS_raw_1\.[0-9a-f]{8}\.csv$/);
  t.is(second.files[1]?.path, first.files[1]?.path);
});

test("a server that is not there is FTP_UNAVAILABLE", async (t) => {
  const world = await feedWorld(t);
  await world.ftp.stop();
  const error = await t.throwsAsync(world.ingest(1));
  t.is((error as QflowError).code, "FTP_UNAVAILABLE");
});

test("hundreds of files land", async (t) => {
  const world = await feedWorld(t);
  for (let i = 0; i < 300; i++) world.ftp.put(`/group1/branches_SS_raw_1_${i}.csv`, `content ${i}`);
  t.is((await world.ingest(1)).files.length, 300);
});

function ascending(files: LandedFile[]): boolean {
  return files.every((file, i) => i === 0 || file.loadSeq > (files[i - 1]?.loadSeq ?? 0));
}

/** Records one loaded row a file that is no duplicate. */
async function loaded(world: FeedWorld, files: LandedFile[], runId?: string) {
  const counts = files
    .filter((file) => file.duplicateOf === null)
    .map(({ fileId }) => ({ fileId, read: 1, loaded: 1 }));
  return recorded(world, files, { counts, ...(runId && { runId }) });
}

async function recorded(
  world: FeedWorld,
  files: LandedFile[],
  {
    counts,
    runId,
  }: {
    counts: { fileId: number; read: number; loaded: number; quarantined?: number; rejected?: string }[];
    runId?: string;
  },
) {
  const { context } = operatorContext({ database: world.database, home: world.home, ...(runId && { runId }) });
  const full = counts.map((entry) => ({ duplicate: 0, conflict: 0, quarantined: 0, reasons: {}, ...entry }));
  return record({ files, counts: full }, context);
}

async function manifestRow(world: FeedWorld, fileId: number | undefined) {
  const found = await world.database.query("select * from file_manifest where file_id = $1", [fileId]);
  return found.rows[0] ?? {};
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
