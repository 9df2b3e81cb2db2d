import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import fc from "fast-check";
import { createMasker } from "../../src/metadata/secrets/mask.ts";
import type { LogLine } from "../../src/metadata/work.ts";
import { LogBacklog } from "../../src/worker/log-backlog.ts";
import { LogBook } from "../../src/worker/log-book.ts";
import { LogSink } from "../../src/worker/log-sink.ts";
import { encodeFrame, type Frame, LogSplitter, MAX_LINE_BYTES } from "../../src/worker/log-split.ts";
import { testHome, until } from "./support.ts";

const AT = "2026-01-01T00:00:00.000Z";
const attempt = { attemptId: "a", token: "t" };

function split(chunks: Buffer[]): (string | Frame)[] {
  const got: (string | Frame)[] = [];
  const splitter = new LogSplitter("nonce", { line: (text) => got.push(text), frame: (frame) => got.push(frame) });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return got;
}

function line(text: string): LogLine {
  return { at: AT, level: "stdout", text };
}

test("lines come out the same however the stream is cut", (t) => {
  const frame: Frame = { attempt: "a", line: { at: AT, level: "info", text: "framed é\n" } };
  const text = `one\n\ntwo é€😀\r\n${encodeFrame("nonce", frame)}three${encodeFrame("nonce", { attempt: "a", end: true })}\n\nlast`;
  const whole = Buffer.from(text);
  const expected = ["one", "", "two é€😀", frame, "three", { attempt: "a", end: true }, "", "", "last"];
  t.deepEqual(split([whole]), expected);
  fc.assert(
    fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
      const ends = [...new Set([0, ...cuts, whole.length])].sort((a, b) => a - b);
      const chunks = ends.slice(1).map((end, i) => whole.subarray(ends[i], end));
      t.deepEqual(split(chunks), expected);
    }),
  );
});

test("a frame with another nonce is a line like any other", (t) => {
  const forged = encodeFrame("other", { attempt: "a", end: true });
  t.deepEqual(split([Buffer.from(forged)]), ["", forged.trim()]);
});

test("bytes that are not UTF-8 become replacement characters", (t) => {
  t.deepEqual(split([Buffer.from([0x61, 0xff, 0xfe, 0x62, 0x0a])]), ["a\ufffd\ufffdb"]);
});

test("a line without end keeps memory flat and says how much was cut", (t) => {
  const got: [string, number][] = [];
  const splitter = new LogSplitter("nonce", { line: (text, cut) => got.push([text, cut]), frame: () => {} });
  const chunk = Buffer.alloc(64 * 1024, "x");
  const before = process.memoryUsage();
  for (let i = 0; i < 1600; i++) splitter.push(chunk);
  const after = process.memoryUsage();
  splitter.push(Buffer.from("\n"));
  t.is(got.length, 1);
  const book = new LogBook(attempt, createMasker([]));
  book.add(line(got[0]?.[0] ?? ""), got[0]?.[1]);
  const text = book.take()?.lines[0]?.text ?? "";
  t.true(Buffer.byteLength(text) <= 64 * 1024);
  t.regex(text, new RegExp(`line cut: ${1600 * 64 * 1024 - MAX_LINE_BYTES} more bytes`));
  t.true(after.arrayBuffers - before.arrayBuffers < 40 * 1024 * 1024);
});

test("a line is never cut inside a character, nor a secret left in part", (t) => {
  const book = new LogBook(attempt, createMasker(["topsecretword"]));
  book.add(line("é".repeat(MAX_LINE_BYTES)));
  book.add(line(`${"x".repeat(MAX_LINE_BYTES - 5)}topsecretword`));
  const [first, second] = book.take()?.lines ?? [];
  t.false(first?.text.includes("\ufffd"));
  t.false(second?.text.includes("topse"));
});

test("NUL is shown, ANSI and markup are kept", (t) => {
  const book = new LogBook(attempt, createMasker([]));
  book.add(line("a\0b \u001b[31mred\u001b[0m </script>"));
  t.is(book.take()?.lines[0]?.text, "a\u2400b \u001b[31mred\u001b[0m </script>");
});

test("a log past its largest size keeps its head and its last lines, numbered without a gap", (t) => {
  const book = new LogBook(attempt, createMasker([]), { logBytes: 100, tailLines: 3 });
  for (let i = 0; i < 1000; i++) book.add(line(`line ${i}`));
  const head = book.take();
  book.close();
  const tail = book.take();
  t.is(head?.firstLine, 1);
  t.is(tail?.firstLine, 1 + (head?.lines.length ?? 0));
  t.regex(head?.lines.at(-1)?.text ?? "", /log cut here/);
  t.deepEqual(
    tail?.lines.slice(-3).map(({ text }) => text),
    ["line 997", "line 998", "line 999"],
  );
  t.is((head?.lines.length ?? 0) - 1 + Number(/^(\d+) lines/.exec(tail?.lines[0]?.text ?? "")?.[1]) + 3, 1000);
});

test("a backlog gives back in order what went in, through memory and file, and leaves no file", async (t) => {
  const file = join(await testHome(t), "backlog.jsonl");
  const backlog = new LogBacklog(file, 500);
  const batches = Array.from({ length: 200 }, (_, i) => ({
    ...attempt,
    firstLine: i + 1,
    lines: [line(`é line ${i}`)],
  }));
  const got: number[] = [];
  for (const [i, batch] of batches.entries()) {
    backlog.push(batch);
    if (i % 7 !== 0) continue;
    const some = backlog.peek(200);
    got.push(...some.map(({ firstLine }) => firstLine));
    backlog.drop(some.length);
  }
  t.true(existsSync(file));
  while (!backlog.isEmpty) {
    const some = backlog.peek(1000);
    t.true(some.length > 0);
    got.push(...some.map(({ firstLine }) => firstLine));
    backlog.drop(some.length);
  }
  t.deepEqual(
    got,
    batches.map(({ firstLine }) => firstLine),
  );
  t.false(existsSync(file));
});

test("a secret is masked in every form, wherever it stands in base64", (t) => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 8, maxLength: 40, unit: "binary-ascii" }),
      fc.nat(9),
      fc.nat(9),
      (secret, before, after) => {
        const { mask } = createMasker([secret]);
        const around = Buffer.from("u".repeat(before) + secret + "v".repeat(after)).toString("base64");
        // Whole groups of three bytes look the same in every text that begins with them.
        const head = Buffer.from(secret)
          .toString("base64")
          .slice(0, 4 * Math.floor(secret.length / 3));
        t.not(mask(around), around);
        if (before % 3 === 0) t.false(mask(around).includes(head));
        for (const form of [
          secret,
          encodeURIComponent(secret),
          JSON.stringify(secret).slice(1, -1),
          Buffer.from(secret).toString("hex"),
        ]) {
          t.false(mask(`x${form}y`).includes(form));
        }
      },
    ),
  );
});

test("without secrets nothing changes, and short ones are left", (t) => {
  t.is(createMasker([]).mask("abc"), "abc");
  t.is(createMasker(["a", ""]).mask("banana"), "banana");
});

test("a batch that a full disk cut in the middle is not kept, and the next ones still are", async (t) => {
  const file = join(await testHome(t), "logs.jsonl");
  const batch = (text: string) => ({ ...attempt, firstLine: 1, lines: [{ at: AT, level: "info", text }] });
  // In a process whose files may not grow beyond a kibibyte or two: the write that meets the limit is cut short.
  const script = `
    import { LogBacklog } from "${new URL("../../src/worker/log-backlog.ts", import.meta.url).href}";
    const backlog = new LogBacklog(${JSON.stringify(file)}, 0);
    let refused = "";
    backlog.push(${JSON.stringify(batch("first"))});
    try { backlog.push(${JSON.stringify(batch("x".repeat(10_000)))}); } catch (error) { refused = error.code; }
    backlog.push(${JSON.stringify(batch("last"))});
    const texts = [];
    for (; !backlog.isEmpty; backlog.drop(1)) texts.push(backlog.peek(1)[0].lines[0].text);
    console.log(JSON.stringify({ refused, texts }));
  `;
  const { stdout } = await promisify(execFile)("sh", [
    "-c",
    'ulimit -f 2; exec "$0" --input-type=module -e "$1"',
    process.execPath,
    script,
  ]);
  t.deepEqual(JSON.parse(stdout), { refused: "EFBIG", texts: ["first", "last"] });
});

test("lines that a full disk did not take leave no hole: how many there were stands in their place", async (t) => {
  const folder = join(await testHome(t), "not yet there");
  const stored: LogLine[] = [];
  const numbers: number[] = [];
  const warnings: string[] = [];
  const sink = new LogSink({
    masker: createMasker([]),
    backlog: new LogBacklog(join(folder, "logs.jsonl"), 1_000),
    append: async (batches) => {
      for (const { firstLine, lines } of batches) {
        numbers.push(...lines.map((_, i) => firstLine + i));
        stored.push(...lines);
      }
    },
    warn: (text) => warnings.push(text),
  });
  sink.open(attempt);
  sink.add("a", line("first"));
  await until(() => stored.length === 1);
  for (const text of ["x".repeat(2_000), "y".repeat(2_000)]) {
    sink.add("a", line(text));
    const before = warnings.length;
    await until(() => warnings.length > before);
  }
  sink.add("a", line("z".repeat(2_000)));
  const closed = sink.close("a");
  mkdirSync(folder);
  await closed;
  t.deepEqual(numbers, [1, 2, 3].slice(0, numbers.length));
  t.is(stored[0]?.text, "first");
  const [, missing] = /^(\d+) lines are not here: .*ENOENT/.exec(stored[1]?.text ?? "") ?? [];
  t.is(Number(missing) + stored.length, 5, JSON.stringify(stored));
});

/** What a book stores of some texts, taken after each or at the end, as one text per line. */
function stored(secrets: string[], texts: readonly string[], taking: "each" | "end"): string[] {
  const book = new LogBook(attempt, createMasker(secrets));
  const lines: string[] = [];
  const take = () => lines.push(...(book.take()?.lines.map(({ text }) => text) ?? []));
  for (const text of texts) {
    book.add(line(text));
    if (taking === "each") take();
  }
  book.close();
  take();
  return lines;
}

test("a secret that is spread over lines is hidden in all of them, wherever it is cut", (t) => {
  const secret = "Tr0ub4dor&3-horse";
  for (let cut = 4; cut < secret.length; cut++) {
    for (const taking of ["each", "end"] as const) {
      const lines = stored([secret], [`first ${secret.slice(0, cut)}`, `${secret.slice(cut)} rest`], taking);
      t.deepEqual(lines, ["first ***", "*** rest"], `${cut} ${taking}`);
    }
  }
  t.deepEqual(stored([secret], ["a Tr0u", "b4dor", "&3-horse z"], "end"), ["a ***", "***", "*** z"]);
});

test("a line that only begins like a secret is stored once nothing follows, in order with the others", (t) => {
  t.deepEqual(stored(["passage-to-nowhere"], ["we pass", "on"], "each"), ["we pass", "on"]);
  t.deepEqual(stored(["passage-to-nowhere"], ["see passage-to"], "each"), ["see ***"]);
});

test("base64 of a long secret that is wrapped is hidden line by line", (t) => {
  const secret = "a key of many characters, longer than what base64 puts on one line of a message";
  const wrapped = Buffer.from(secret)
    .toString("base64")
    .match(/.{1,64}/g) as string[];
  t.deepEqual(new Set(stored([secret], wrapped, "end")), new Set(["***"]));
});
