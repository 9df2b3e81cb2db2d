import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { generateFeed, originOf } from "../../src/feed/index.ts";
import { expectedAnswers, parseCsv } from "../support/expected-answers.ts";

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "qflow-feed-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function transactions(directory: string, batch: number): Promise<string> {
  return readFile(join(directory, `group${batch}`, `sales_transactions_SS_raw_${batch}.csv`), "utf8");
}

test("the same seed gives the same bytes, another seed others", async (t) => {
  const [a, b, c] = [await folder(t), await folder(t), await folder(t)];
  await generateFeed({ directory: a, batches: 2, rows: 50, seed: 4 });
  await generateFeed({ directory: b, batches: 2, rows: 50, seed: 4 });
  await generateFeed({ directory: c, batches: 2, rows: 50, seed: 5 });
  t.is(await transactions(a, 2), await transactions(b, 2));
  t.not(await transactions(a, 2), await transactions(c, 2));
});

test("a batch is the same whether it is generated with others or alone", async (t) => {
  const [together, alone] = [await folder(t), await folder(t)];
  await generateFeed({ directory: together, batches: 5, rows: 20, seed: 1 });
  await generateFeed({ directory: alone, batches: 1, rows: 20, seed: 1, firstBatch: 5 });
  t.is(await transactions(alone, 5), await transactions(together, 5));
});

test("a feed has the dirt of the real one", async (t) => {
  const directory = await folder(t);
  await generateFeed({ directory, batches: 4, rows: 400, seed: 9 });
  const [header1, ...first] = parseCsv(await transactions(directory, 1));
  const [header3, ...third] = parseCsv(await transactions(directory, 3));
  t.is(header1?.length, 21);
  t.true(header3?.includes("cusomter_email"), "the header is misspelt from batch 3 on");
  t.deepEqual(third, first, "batch 3 repeats batch 1");
  t.true(first.some((row) => row.length === 20) && first.some((row) => row.length === 21), "offline rows are short");
  t.true(
    first.some((row) => /\.com./.test(row[5] ?? "")),
    "e-mails trail junk",
  );
  t.true(
    first.some((row) => /-\d-/.test(row[0] ?? "")),
    "dates are not padded",
  );
  t.true(first.every((row) => row.slice(11, 16).filter((offer) => offer !== "").length <= 1));
  const addresses = first.flatMap((row) => (row.length === 21 ? [row[20] ?? ""] : []));
  t.true(
    addresses.some((address) => address.split("/").length === 5),
    "a street can hold a slash",
  );
  t.true(
    addresses.some((address) => /\/\/[A-Z]{2}\/\d{5}$/.test(address)),
    "a city can be blank",
  );
  t.is(parseCsv(await readFile(join(directory, "group4/branches_SS_raw_4.csv"), "utf8")).length, 7);
  t.is(parseCsv(await readFile(join(directory, "group3/branches_SS_raw_3.csv"), "utf8")).length, 6);
});

test("transaction ids are different in all rows of all batches that are not repeats", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000_000), fc.integer({ min: 1, max: 300 }), async (seed, rows) => {
      const directory = await folder(t);
      await generateFeed({ directory, batches: 5, rows, seed });
      const ids = await Promise.all(
        [1, 2, 4, 5].map(async (n) =>
          parseCsv(await transactions(directory, n))
            .slice(1)
            .map((row) => row[1]),
        ),
      );
      return new Set(ids.flat()).size === 4 * rows;
    }),
    { numRuns: 10 },
  );
  t.deepEqual([1, 2, 3, 4, 5, 6, 7].map(originOf), [1, 2, 1, 4, 5, 6, 5]);
});

test("nothing but finished files is left, and progress ends at the number of rows", async (t) => {
  const directory = await folder(t);
  const told: number[] = [];
  await generateFeed({ directory, batches: 2, rows: 10, seed: 1, onProgress: (rows) => told.push(rows) });
  t.is(told.at(-1), 20);
  const names = await readdir(join(directory, "group2"));
  t.deepEqual(names.sort(), ["branches_SS_raw_2.csv", "sales_agents_SS_raw_2.csv", "sales_transactions_SS_raw_2.csv"]);
  t.true((await stat(join(directory, "group2"))).isDirectory());
});

test("more rows than there are transaction ids are refused", async (t) => {
  const directory = await folder(t);
  await t.throwsAsync(generateFeed({ directory, batches: 1, rows: 10_000_000, seed: 1 }), { message: /at most/ });
});

const recorded = process.env.QFLOW_TEST_DATA;
if (recorded) {
  test("the calculator of right answers gives the recorded ones for the real feed", async (t) => {
    const expected = JSON.parse(await readFile(join(recorded, "expected.json"), "utf8"));
    t.deepEqual(await expectedAnswers(recorded, [1, 2, 3, 4]), expected);
  });
}
