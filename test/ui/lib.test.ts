/** The parts of the web client that need no browser. */
import test from "ava";
import { TASK_STATES as CONTRACT_STATES } from "../../src/api/contract.ts";
import { RUN_STATES, TASK_STATES } from "../../src/metadata/task-states.ts";
import { layered } from "../../ui/src/flow/layout.ts";
import { ansiSpans, stripAnsi } from "../../ui/src/lib/ansi.ts";
import { isAffected, NO_CHANGE } from "../../ui/src/lib/change.ts";
import { toCsv } from "../../ui/src/lib/csv.ts";
import { absolute, bytes, count, duration, middleCut, relative } from "../../ui/src/lib/format.ts";
import { fieldsOf, readForm } from "../../ui/src/lib/params-form.ts";
import { STATE_LOOKS } from "../../ui/src/lib/states.ts";
import { barModel, roundUp } from "../../ui/src/pages/dashboards/bar-model.ts";

test("every state of the server has a look of its own word", (t) => {
  t.deepEqual(new Set(Object.keys(STATE_LOOKS)), new Set(CONTRACT_STATES));
  for (const state of [...TASK_STATES, ...RUN_STATES]) t.true(Object.hasOwn(STATE_LOOKS, state), state);
  const words = Object.values(STATE_LOOKS).map((look) => look.word);
  t.is(new Set(words).size, words.length);
});

test("times, durations, sizes and counts read as people write them", (t) => {
  t.is(duration(83_000), "1m 23s");
  t.is(duration(400), "400 ms");
  t.is(duration(7_265_000), "2h 01m");
  t.is(duration(null), "–");
  t.is(bytes(1_234_567_890), "1.2 GB");
  t.is(count("1234567.80"), "1,234,567.80");
  t.is(count("-0012"), "-0,012");
  t.is(count(12345), "12,345");
  t.is(relative("2026-11-22T10:00:00Z", Date.parse("2026-11-22T10:03:00Z")), "3 min ago");
  t.is(relative("2026-11-22T12:00:00Z", Date.parse("2026-11-22T10:00:00Z")), "in 2 h");
  t.is(absolute("2026-11-22T10:00:05.123Z", "utc"), "2026-11-22 10:00:05 UTC");
  t.is(middleCut("scheduled__2026-11-22T10:00:00", 15), "schedul…0:00:00");
});

test("colours of a log become spans and everything else of the terminal is dropped", (t) => {
  t.deepEqual(ansiSpans("\u001b[1;31mbad\u001b[0m good"), [
    { text: "bad", className: "ansi-1 ansi-bold" },
    { text: " good", className: "" },
  ]);
  t.deepEqual(ansiSpans("\u001b[38;5;196mx\u001b[92my"), [
    { text: "x", className: "" },
    { text: "y", className: "ansi-10" },
  ]);
  t.is(stripAnsi("\u001b[2K\u001b[1Gprogress\u001b]0;title\u0007 50%"), "progress 50%");
});

test("a form of params is read back typed, and says what is wrong with it", (t) => {
  const fields = fieldsOf({
    type: "object",
    required: ["day", "rows"],
    properties: {
      day: { type: "string" },
      rows: { type: "integer", minimum: 1, default: 10 },
      dry: { type: "boolean", default: true },
      tags: { type: "array", default: ["a"] },
      limit: { type: "number" },
    },
  });
  t.deepEqual(readForm(fields, {}), { ok: false, name: "day", problem: "is required" });
  t.deepEqual(readForm(fields, { day: "mon", dry: "false" }), {
    ok: true,
    conf: { day: "mon", rows: 10, dry: false, tags: ["a"] },
  });
  t.deepEqual(readForm(fields, { day: "mon", limit: "many" }), {
    ok: false,
    name: "limit",
    problem: "is not a number",
  });
  t.deepEqual(readForm(fields, { day: "mon", tags: "[1" }), { ok: false, name: "tags", problem: "is not JSON" });
  t.deepEqual(fieldsOf(null), []);
});

test("a change makes old what shows it, and nothing else", (t) => {
  const change = { ...NO_CHANGE, runs: [{ dag_id: "a", dag_run_id: "1" }], datasets: ["x"] };
  t.true(isAffected(["dag", "a", "grid"], change));
  t.true(isAffected(["dag", "a", "run", "1", "tries"], change));
  t.false(isAffected(["dag", "a", "run", "2", "tries"], change));
  t.false(isAffected(["dag", "b", "grid"], change));
  t.true(isAffected(["dags", ""], change));
  t.true(isAffected(["insight", "x", "chart"], change));
  t.false(isAffected(["insight", "y", "chart"], change));
  t.false(isAffected(["me"], change));
});

test("a CSV quotes what needs it and lets no cell run as a formula", (t) => {
  const columns = [
    { name: "a", type: "string" },
    { name: "b,c", type: "int" },
  ];
  const rows = [
    ['say "hi"', 1],
    ["=1+1", null],
    ["-5", "line\nbreak"],
    ["-cmd", true],
  ];
  t.is(toCsv({ columns, rows }), 'a,"b,c"\r\n"say ""hi""",1\r\n\'=1+1,\r\n-5,"line\nbreak"\r\n\'-cmd,true\r\n');
});

test("bars of one name stay apart by id, and series add up to their group", (t) => {
  const chart = {
    kind: "bar",
    x: "name",
    y: "n",
    series: "offer",
    x_title: "Product",
    y_title: "Redemptions",
  } as const;
  const columns = ["name", "offer", "n", "product_id"].map((name) => ({
    name,
    type: name === "n" ? "bigint" : "string",
  }));
  const rows = [
    ["Boots", "offer_2", "3", "9"],
    ["Boots", "offer_1", "5", "18"],
    ["Boots", "offer_2", "4", "18"],
  ];
  const model = barModel({ columns, rows, chart }, "n");
  t.deepEqual(
    model.groups.map((group) => [group.label, group.total]),
    [
      ["Boots (18)", 9],
      ["Boots (9)", 3],
    ],
  );
  t.deepEqual(model.series, ["offer_1", "offer_2"]);
  t.is(model.axisEnd, 10);
  t.deepEqual([0, 964, 0.031, 12_345].map(roundUp), [1, 1000, 0.04, 15_000]);
});

test("a graph of 5,000 tasks is laid out at once: every task right of its upstreams, none upon another", (t) => {
  const boxes = Array.from({ length: 5000 }, (_, i) => ({ id: `t${i}`, width: 184, height: 60 }));
  const edges = boxes.flatMap(({ id }, i) => {
    const upstreams = i < 50 ? [] : [i - 50, i - 1 - (i % 50), Math.floor(i / 3)];
    return [...new Set(upstreams)].map((up) => ({ source: `t${up}`, target: id }));
  });
  const before = performance.now();
  const positions = layered(boxes, edges);
  const took = performance.now() - before;
  const at = (id: string) => positions.get(id) as { x: number; y: number };
  t.true(edges.every(({ source, target }) => at(source).x + 184 < at(target).x));
  t.is(new Set(boxes.map(({ id }) => `${at(id).x} ${at(id).y}`)).size, 5000);
  t.true(took < 60_000, `${took} ms`);
  t.deepEqual(layered(boxes, edges), positions);
});
