// What comes over the wire is made here: a fetch that writes given bytes stands for pip and Ivy. Everything behind it is real.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { type Fetch, obtain, obtainSet, removeDrafts } from "../../src/engines/download.ts";
import type { Artifact } from "../../src/engines/lockfile.ts";
import { lineProgress } from "../../src/engines/progress.ts";
import { temporaryFolder } from "./support/processes.ts";

const CONTENT = "the real thing";
const ARTIFACT: Artifact = {
  file: "thing-1.jar",
  name: "thing",
  bytes: CONTENT.length,
  sha256: createHash("sha256").update(CONTENT).digest("hex"),
};
const silent = lineProgress(
  () => {},
  () => 0,
);

function serving(content: string): Fetch & { calls: number } {
  const fetch = async (folder: string) => {
    fetch.calls += 1;
    await writeFile(join(folder, ARTIFACT.file), content);
    return { code: 0, output: "" };
  };
  fetch.calls = 0;
  return fetch;
}

test("a file is downloaded once", async (t) => {
  const folder = await temporaryFolder(t);
  const fetch = serving(CONTENT);
  const path = await obtain(ARTIFACT, folder, fetch, silent);
  t.is(await readFile(path, "utf8"), CONTENT);
  t.is(await obtain(ARTIFACT, folder, fetch, silent), path);
  t.is(fetch.calls, 1);
  t.deepEqual(await readdir(folder), [ARTIFACT.file]);
});

test("a file with another checksum is refused and nothing of it stays", async (t) => {
  const folder = await temporaryFolder(t);
  const error = await t.throwsAsync(obtain(ARTIFACT, folder, serving("forged"), silent), { code: "DOWNLOAD_FAILED" });
  t.regex(error.message, /thing-1\.jar does not have the checksum/);
  t.deepEqual(await readdir(folder), []);
});

test("a file that was damaged on disk is downloaded again", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, ARTIFACT.file), "half");
  const path = await obtain(ARTIFACT, folder, serving(CONTENT), silent);
  t.is(await readFile(path, "utf8"), CONTENT);
});

test("a download that brings nothing tells what the tool said", async (t) => {
  const folder = await temporaryFolder(t);
  const fetch: Fetch = async () => ({ code: 1, output: "\nno route to the index\n" });
  const error = await t.throwsAsync(obtain(ARTIFACT, folder, fetch, silent), { code: "DOWNLOAD_FAILED" });
  t.regex(error.message, /no route to the index/);
});

test("what a killed download left is removed, what is complete stays", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, ".part-x"));
  await writeFile(join(folder, ".part-x", ARTIFACT.file), "half");
  await writeFile(join(folder, ARTIFACT.file), CONTENT);
  await removeDrafts(folder);
  t.deepEqual(await readdir(folder), [ARTIFACT.file]);
});

const OTHER: Artifact = { ...ARTIFACT, file: "other-1.jar", name: "other" };

test("a set of files appears whole, without what the tool left beside it", async (t) => {
  const folder = join(await temporaryFolder(t), "set");
  const fetch: Fetch = async (draft) => {
    for (const { file } of [ARTIFACT, OTHER]) await writeFile(join(draft, file), CONTENT);
    await writeFile(join(draft, "ivy.xml"), "");
    return { code: 0, output: "" };
  };
  await obtainSet("a set", [ARTIFACT, OTHER], folder, fetch, silent);
  t.deepEqual((await readdir(folder)).toSorted(), [OTHER.file, ARTIFACT.file]);
  t.deepEqual(await readdir(join(folder, "..")), ["set"]);
});

test("a set in which one file is wrong does not appear", async (t) => {
  const folder = join(await temporaryFolder(t), "set");
  const fetch: Fetch = async (draft) => {
    await writeFile(join(draft, ARTIFACT.file), CONTENT);
    await writeFile(join(draft, OTHER.file), "forged");
    return { code: 0, output: "" };
  };
  const error = await t.throwsAsync(obtainSet("a set", [ARTIFACT, OTHER], folder, fetch, silent), {
    code: "DOWNLOAD_FAILED",
  });
  t.regex(error.message, /other-1\.jar/);
  t.deepEqual(await readdir(join(folder, "..")), []);
});

test("elsewhere than on a terminal progress is a line now and then", (t) => {
  const lines: string[] = [];
  let now = 0;
  const bar = lineProgress(
    (line) => lines.push(line),
    () => now,
  ).begin("Downloading x", 2 * 1024 * 1024);
  bar.update(1);
  now = 6_000;
  bar.update(1024 * 1024);
  bar.update(1024 * 1024 + 1);
  now = 7_500;
  bar.finish();
  t.deepEqual(lines, ["Downloading x (2 MiB) …", "Downloading x: 50 %", "Downloading x: done in 7.5 s"]);
});
