/** What every file store does: the same tests for each. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext, TestFn } from "ava";
import type { Bytes, FileStore } from "../../../src/lake/index.ts";

/** Opens a store on an empty folder of its own, absent so far. */
export type OpenStore = (t: ExecutionContext) => Promise<FileStore>;

/** Registers the contract's tests. */
export function storeContract(test: TestFn, open: OpenStore): void {
  readingAndWriting(test, open);
  names(test, open);
  folders(test, open);
}

function readingAndWriting(test: TestFn, open: OpenStore): void {
  test("what is written is read back, whole, in ranges and by its hash", async (t) => {
    const store = await open(t);
    const content = randomBytes(3_000_000);
    t.is(await store.write("a/b/data.bin", pieces(content)), content.length);
    t.deepEqual(await bytesOf(store.read("a/b/data.bin")), content);
    t.deepEqual(
      await bytesOf(store.read("a/b/data.bin", { start: 1_000, end: 2_000_001 })),
      content.subarray(1_000, 2_000_001),
    );
    t.deepEqual(await bytesOf(store.read("a/b/data.bin", { start: 2_999_990 })), content.subarray(2_999_990));
    t.deepEqual(await bytesOf(store.read("a/b/data.bin", { start: 5, end: 5 })), Buffer.alloc(0));
    t.is(await store.sha256("a/b/data.bin"), createHash("sha256").update(content).digest("hex"));
  });

  test("an empty file is a file", async (t) => {
    const store = await open(t);
    t.is(await store.write("empty", pieces(Buffer.alloc(0))), 0);
    t.like(await store.stat("empty"), { name: "empty", kind: "file", bytes: 0 });
    t.deepEqual(await bytesOf(store.read("empty")), Buffer.alloc(0));
  });

  test("a name that is taken is never replaced", async (t) => {
    const store = await open(t);
    await store.write("one", text("first"));
    await t.throwsAsync(store.write("one", text("second")), { code: "FILE_EXISTS" });
    t.is(String(await bytesOf(store.read("one"))), "first");
    await store.mkdir("folder");
    await t.throwsAsync(store.write("folder", text("x")), { code: "FILE_EXISTS" });
    t.deepEqual(await store.list("folder"), []);
  });

  test("of two writers of one name one wins and the other is told", async (t) => {
    const store = await open(t);
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => store.write("race", text(String(n)))));
    const won = outcomes.flatMap(({ status }, i) => (status === "fulfilled" ? [String(i + 1)] : []));
    t.is(won.length, 1);
    for (const outcome of outcomes) if (outcome.status === "rejected") t.is(outcome.reason.code, "FILE_EXISTS");
    t.deepEqual([String(await bytesOf(store.read("race")))], won);
  });

  test("content that breaks off leaves nothing, and fails with its own error", async (t) => {
    const store = await open(t);
    const broken = async function* (): Bytes {
      yield randomBytes(100_000);
      throw new Error("the source broke");
    };
    await t.throwsAsync(store.write("x/half", broken()), { message: "the source broke" });
    t.is(await store.stat("x/half"), null);
    t.deepEqual(await store.list(".incoming"), []);
  });

  test("a file of this machine is put as it is and stays", async (t) => {
    const store = await open(t);
    const folder = await mkdtemp(join(tmpdir(), "qflow-put-"));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const local = join(folder, "local.csv");
    await writeFile(local, "a,b\n1,2\n");
    await store.put(local, "staging/f.csv");
    await store.put(local, "staging/g.csv");
    await t.throwsAsync(store.put(local, "staging/f.csv"), { code: "FILE_EXISTS" });
    t.is(String(await bytesOf(store.read("staging/f.csv"))), "a,b\n1,2\n");
    t.deepEqual(
      (await store.list("staging")).map((entry) => [entry.name, entry.bytes]),
      [
        ["f.csv", 8],
        ["g.csv", 8],
      ],
    );
  });

  test("what is not there", async (t) => {
    const store = await open(t);
    t.is(await store.stat("nothing"), null);
    t.is(await store.stat("nothing/below"), null);
    await t.throwsAsync(bytesOf(store.read("nothing")), { code: "FILE_NOT_FOUND" });
    await t.throwsAsync(store.sha256("nothing"), { code: "FILE_NOT_FOUND" });
    await t.throwsAsync(store.list("nothing"), { code: "FILE_NOT_FOUND" });
    await t.throwsAsync(store.rename("nothing", "elsewhere"), { code: "FILE_NOT_FOUND" });
    await store.remove("nothing");
    t.is(await store.stat("elsewhere"), null);
  });
}

function names(test: TestFn, open: OpenStore): void {
  const ODD = [
    "a b.csv",
    "100%25.csv",
    "%2A.csv",
    "ümlaut ☃.csv",
    "a+b&c=d;e.csv",
    "quote'\".csv",
    "#hash?.csv",
    "batch=3",
  ];

  for (const name of ODD) {
    test(`the name ${name} stays as it is`, async (t) => {
      const store = await open(t);
      await store.write(`odd/${name}/${name}`, text(name));
      t.deepEqual(
        (await store.list(`odd/${name}`)).map((entry) => entry.name),
        [name],
      );
      t.is((await store.stat(`odd/${name}/${name}`))?.bytes, Buffer.byteLength(name));
      t.is(String(await bytesOf(store.read(`odd/${name}/${name}`))), name);
      t.true(store.locate(`odd/${name}`).endsWith(`/odd/${name}`));
      await store.rename(`odd/${name}/${name}`, `odd/2 ${name}`);
      await store.remove(`odd/2 ${name}`);
      t.is(await store.stat(`odd/2 ${name}`), null);
    });
  }

  for (const path of ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", "./a", "a\0b"]) {
    test(`the path ${JSON.stringify(path)} is refused`, async (t) => {
      const store = await open(t);
      await t.throwsAsync(store.stat(path), { code: "FILE_NAME_REFUSED" });
      await t.throwsAsync(store.write(path, text("x")), { code: "FILE_NAME_REFUSED" });
      await store.write("here", text("x"));
      await t.throwsAsync(store.rename("here", path), { code: "FILE_NAME_REFUSED" });
      await t.throwsAsync(store.remove(path), { code: "FILE_NAME_REFUSED" });
    });
  }
}

function folders(test: TestFn, open: OpenStore): void {
  test("a listing has files and folders by name, with size and time", async (t) => {
    const store = await open(t);
    const before = Date.now();
    for (const name of ["b", "a", "B", "a.b"]) await store.write(`f/${name}`, text(name));
    await store.mkdir("f/c/d");
    const listed = await store.list("f");
    t.deepEqual(
      listed.map((entry) => [entry.name, entry.kind, entry.bytes]),
      [
        ["B", "file", 1],
        ["a", "file", 1],
        ["a.b", "file", 3],
        ["b", "file", 1],
        ["c", "folder", 0],
      ],
    );
    for (const { modified } of listed) t.true(Math.abs(Date.parse(modified) - before) < 60_000, modified);
    await t.throwsAsync(store.list("f/a"), { code: "FILE_NOT_FOUND" });
  });

  test("a rename takes a free name only, of files and of folders", async (t) => {
    const store = await open(t);
    await store.write("from/one", text("1"));
    await store.write("from/two", text("2"));
    await store.mkdir("empty");
    await t.throwsAsync(store.rename("from/one", "from/two"), { code: "FILE_EXISTS" });
    await t.throwsAsync(store.rename("from/one", "empty"), { code: "FILE_EXISTS" });
    await t.throwsAsync(store.rename("from", "empty"), { code: "FILE_EXISTS" });
    await store.rename("from/one", "deep/er/uno");
    await store.rename("from", "deep/folder");
    t.is(await store.stat("from"), null);
    t.is(String(await bytesOf(store.read("deep/er/uno"))), "1");
    t.is(String(await bytesOf(store.read("deep/folder/two"))), "2");
    t.deepEqual(await store.list("empty"), []);
  });

  test("making a folder again is nothing, over a file it is refused", async (t) => {
    const store = await open(t);
    await store.mkdir("a/b");
    await store.mkdir("a/b");
    t.like(await store.stat("a/b"), { kind: "folder", bytes: 0 });
    await store.write("a/file", text("x"));
    await t.throwsAsync(store.mkdir("a/file"), { code: "FILE_EXISTS" });
  });

  test("removing a folder removes what is in it", async (t) => {
    const store = await open(t);
    await store.write("tree/a/b/c", text("x"));
    await store.remove("tree/a");
    t.deepEqual(await store.list("tree"), []);
  });

  test("a sweep leaves what may still be written", async (t) => {
    const store = await open(t);
    await store.sweep();
    await store.write("x", text("x"));
    await store.mkdir(".incoming/young");
    await store.sweep();
    t.deepEqual(
      (await store.list(".incoming")).map((entry) => entry.name),
      ["young"],
    );
  });
}

/** Bytes in uneven pieces. */
export async function* pieces(content: Buffer): Bytes {
  for (let at = 0; at < content.length; at += 77_777) yield content.subarray(at, at + 77_777);
}

/** A text as content. */
export async function* text(value: string): Bytes {
  yield Buffer.from(value);
}

/** All bytes of a content. */
export async function bytesOf(content: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
