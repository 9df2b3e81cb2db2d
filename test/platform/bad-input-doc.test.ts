/** docs/bad-input.md is what the tests' tables say; QFLOW_UPDATE_DOCS=1 writes it anew. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { BAD_INPUT } from "./support/bad-input-cases.ts";
import { badInputPage, type DeliveryCase } from "./support/bad-input-doc.ts";

const ROOT = join(import.meta.dirname, "../..");
const PAGE = join(ROOT, "docs/bad-input.md");
const INGEST = "test/operators/ftp-ingest.test.ts";
const NAMES = "test/operators/ftp-names.test.ts";
const ARRIVALS = "test/operators/ftp-arrivals.test.ts";

const DELIVERIES: readonly DeliveryCase[] = [
  {
    input: "A file that shrinks while it is read",
    rule: "thrown away and fetched again when it is stable; the others land",
    test: { file: INGEST, title: "a file that shrinks while it is read is not published, the others are" },
  },
  {
    input: "A file that still grows",
    rule: "waited for; loaded once two listings are equal",
    test: {
      file: INGEST,
      title: "a file that grows between the listings is waited for; one that never stops fails the attempt",
    },
  },
  {
    input: "The same file twice",
    rule: "known by its content: a duplicate, its rows are counted and not loaded",
    test: { file: INGEST, title: "known content under another name is a duplicate of the live file" },
  },
  {
    input: "Other content under an old name",
    rule: "a new version: withdraws what its predecessor loaded, then loads",
    test: {
      file: INGEST,
      title: "new content under an old name is a version that supersedes once it is loaded, and gets a name of its own",
    },
  },
  {
    input: "A new version that cannot be read",
    rule: "refused; the version before it stays loaded",
    test: { file: INGEST, title: "a new version that is refused whole leaves the old one live" },
  },
  {
    input: "A name with spaces and quotes",
    rule: "lands under its name; pattern characters are encoded in staging",
    test: {
      file: NAMES,
      title: "names with spaces, quotes and other scripts land; glob characters are encoded in staging",
    },
  },
  {
    input: "A folder instead of a file",
    rule: "logged and left alone",
    test: {
      file: NAMES,
      title: "foreign files, folders in place of files and empty folders are logged and left alone",
    },
  },
  {
    input: "A transfer that ends short",
    rule: "not believed: fetched again",
    test: { file: INGEST, title: "a transfer that ends short is not believed" },
  },
  {
    input: "A batch with one of its three files missing",
    rule: "waits `QFLOW_BATCH_GRACE` seconds, is loaded as it is, and again when the file comes",
    test: {
      file: ARRIVALS,
      title: "an incomplete batch waits its grace, is announced as it is, and again when the file comes",
    },
  },
];

test("docs/bad-input.md is up to date", async (t) => {
  const page = badInputPage(DELIVERIES);
  if (process.env.QFLOW_UPDATE_DOCS) await writeFile(PAGE, page);
  t.is(await readFile(PAGE, "utf8"), page);
});

test("every delivery it tells of is shown by a test that exists", async (t) => {
  for (const { test: shown } of DELIVERIES) {
    const text = await readFile(join(ROOT, shown.file), "utf8");
    t.true(text.includes(JSON.stringify(shown.title)), `${shown.file}: ${shown.title}`);
  }
});

test("no two cases have the same name", (t) => {
  const names = BAD_INPUT.map(({ input }) => input);
  t.is(new Set(names).size, names.length);
});
