import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { csvLines, neutralised, openDraft, removeDrafts, sha256OfFile } from "../../src/operators/csv-file.ts";
import { duePartitions } from "../../src/operators/csv-report.run.ts";

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "qflow-csv-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("cells follow RFC 4180", (t) => {
  t.is(
    csvLines([["a", 'say "x"', "b,c", "line\nbreak", "cr\r", null, ""]], "crlf"),
    'a,"say ""x""","b,c","line\nbreak","cr\r",,\r\n',
  );
  t.is(csvLines([["ü", "日本 🙂"]], "lf"), "ü,日本 🙂\n");
  t.is(csvLines([], "crlf"), "");
});

test("cells that could run as a formula are neutralised, plain numbers are not", (t) => {
  for (const cell of ["=1+1", "+A1", "-cmd", "@x", "\tx", "\rx", "-1e5", "+1 2"]) t.is(neutralised(cell), `'${cell}`);
  for (const cell of ["-12", "+3.50", "0", "-0.1", "a=b", "", "'x"]) t.is(neutralised(cell), cell);
  t.is(neutralised(null), null);
});

test("any text comes back through a reader of RFC 4180, but for the neutralising apostrophe", (t) => {
  const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", "=", " ", "é", "🙂") });
  const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(rows, (given) => {
      t.deepEqual(
        parse(csvLines(given, "crlf")),
        given.map((row) => row.map((value) => neutralised(value) ?? "")),
      );
    }),
  );
});

test("readers see the old file or the new one, and drafts of dead attempts are swept", async (t) => {
  const dir = await folder(t);
  const path = join(dir, "report.csv");
  await writeFile(path, "old");
  await writeFile(join(dir, ".report.csv.dead.tmp"), "half");
  await removeDrafts(dir, "mine");
  const draft = await openDraft(path, { token: "mine", header: ["a", "b"], ending: "crlf" });
  await draft.write([["1", "2"]]);
  t.is(await readFile(path, "utf8"), "old");
  const { sha256, rows, bytes } = await draft.finish();
  await draft.publish();
  t.is(await readFile(path, "utf8"), "a,b\r\n1,2\r\n");
  t.deepEqual([rows, bytes, sha256], [1, 10, await sha256OfFile(path)]);
  t.deepEqual(await readdir(dir), ["report.csv"]);
  const other = await openDraft(path, { token: "mine", header: ["a"], ending: "lf" });
  await other.discard();
  t.deepEqual(await readdir(dir), ["report.csv"]);
  t.false(existsSync(join(dir, ".report.csv.dead.tmp")));
});

test("due are new, changed, lost and vanished partitions, in order", (t) => {
  const entry = (partition: string, changed: string, rows = 1) => ({
    partition,
    changed,
    rows,
    fileName: "",
    sha256: "",
  });
  const ledger = [entry("d1", "5"), entry("d2", "5"), entry("d3", "5"), entry("d4", "5"), entry("d5", "5", 0)];
  const changes = new Map([
    ["d9", "1"],
    ["d1", "5"],
    ["d2", "9007199254740993"],
    ["d3", "5"],
  ]);
  t.deepEqual(duePartitions(changes, ledger, new Set(["d3"])), [
    { partition: "d2", changed: "9007199254740993", vanished: false },
    { partition: "d3", changed: "5", vanished: false },
    { partition: "d4", changed: "5", vanished: true },
    { partition: "d9", changed: "1", vanished: false },
  ]);
});

/** A strict reader of RFC 4180 with CRLF. */
function parse(text: string): string[][] {
  const rows: string[][] = [];
  let at = 0;
  while (at < text.length) {
    const row: string[] = [];
    for (;;) {
      let value = "";
      if (text[at] === '"') {
        for (at++; !(text[at] === '"' && text[at + 1] !== '"'); at += text[at] === '"' ? 2 : 1) value += text[at];
        at++;
      } else {
        for (; at < text.length && text[at] !== "," && text[at] !== "\r"; at++) value += text[at];
      }
      row.push(value);
      if (text[at] !== ",") break;
      at++;
    }
    at += 2;
    rows.push(row);
  }
  return rows;
}
