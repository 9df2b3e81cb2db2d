import test from "ava";
import fc from "fast-check";
import type { ServiceReport } from "../../src/metadata/services/types.ts";
import { hear, MESSAGE_PREFIX } from "../../src/worker/services/messages.ts";
import { Reporter } from "../../src/worker/services/reporter.ts";

const say = (message: unknown) => hear(MESSAGE_PREFIX + JSON.stringify(message), ["d"]);

test("lines with the prefix are messages, all others are of the log", (t) => {
  t.is(hear("an ordinary line", []), null);
  t.is(hear(` ${MESSAGE_PREFIX}{}`, []), null);
  t.deepEqual(say({ type: "ready" }), { sign: true });
  t.deepEqual(say({ type: "heartbeat", more: 1 }), { sign: true });
  t.deepEqual(say({ type: "progress", batch: 1, rows: 0, lag: 7 }), { batch: { batch: 1, rows: 0, lag: 7 } });
  t.deepEqual(say({ type: "event", dataset: "d", partition: "10" }), { event: { dataset: "d", partition: "10" } });
});

test("fields of documents are named so that a database can keep them, whoever named them", (t) => {
  const fields = [
    { name: "a\u0000b\ud800", type: "string" },
    { name: "", type: "number" },
  ];
  t.deepEqual(say({ type: "fields", dataset: "d", fields }), {
    fields: [
      { dataset: "d", name: "a\ufffdb\ufffd", type: "string" },
      { dataset: "d", name: '""', type: "number" },
    ],
  });
});

test("what cannot be read is told, and ends nothing", (t) => {
  for (const wrong of [
    { type: "progress", batch: 1 },
    { type: "progress", batch: -1, rows: 1 },
    { type: "progress", batch: 1, rows: 1, eventTime: "yesterday" },
    { type: "event", dataset: "another" },
    { type: "fields", dataset: "another", fields: [] },
    { type: "fields", dataset: "d", fields: [{ name: "a" }] },
    { type: "event", dataset: "d", partition: "" },
    { type: "unknown" },
    null,
    "text",
  ])
    t.true("wrong" in (say(wrong) ?? {}), JSON.stringify(wrong));
  t.true("wrong" in (hear(`${MESSAGE_PREFIX}{"type":`, []) ?? {}));
  fc.assert(fc.property(fc.string(), (text) => hear(MESSAGE_PREFIX + text, []) !== null));
});

test("reports are numbered, kept while the database is away, and tell every batch once and in order", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 30 }), async (answers) => {
      let clock = 0;
      const taken: ServiceReport[] = [];
      const reporter = new Reporter({
        clock: () => clock,
        send: async (report) => {
          // An answer that is lost: what was told may have been taken.
          if (!taken.some(({ number }) => number === report.number)) taken.push(report);
          if (answers.shift() === false) throw new Error("away");
          return true;
        },
        fenced: () => t.fail(),
        warn: () => {},
      });
      for (let batch = 1; batch <= 20; batch++) {
        reporter.batch({ batch, rows: 1 });
        reporter.tick();
        clock += 100;
        await new Promise((next) => setImmediate(next));
      }
      answers.length = 0;
      await reporter.finish();
      const batches = taken.flatMap((report) => report.batches.map(({ batch }) => batch));
      return (
        batches.join() === Array.from({ length: 20 }, (_, i) => i + 1).join() &&
        taken.every(({ number }, i) => number === i + 1)
      );
    }),
    { numRuns: 30 },
  );
  t.pass();
});

test("events of a partition are joined between two reports; a report that is refused is the last", async (t) => {
  const sent: ServiceReport[] = [];
  let fenced = 0;
  const reporter = new Reporter({
    clock: () => 0,
    send: async (report) => sent.push(report) < 1,
    fenced: () => fenced++,
    warn: () => {},
  });
  for (const rows of [1, 2]) reporter.event({ dataset: "d", partition: "10", rows });
  reporter.event({ dataset: "d", rows: 5 });
  await reporter.finish();
  reporter.sign();
  await reporter.finish();
  t.deepEqual(
    sent.map(({ events }) => events),
    [
      [
        { dataset: "d", partition: "10", rows: 3 },
        { dataset: "d", rows: 5 },
      ],
    ],
  );
  t.is(fenced, 1);
});
