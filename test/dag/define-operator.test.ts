import test from "ava";
import { z } from "zod";
import { defineOperator } from "../../src/dag/define-operator.ts";
import { refTo } from "../../src/dag/refs.ts";
import { encodeConfig, resolveTokens } from "../../src/dag/tokens.ts";
import { QflowError } from "../../src/errors.ts";

const schema = z.strictObject({
  application: z.string(),
  args: z.array(z.string()).default([]),
  tables: z.array(z.string()).optional(),
  mode: z.enum(["append", "overwrite"]).optional(),
  target: z.union([z.object({ table: z.string() }), z.object({ path: z.string() })]).optional(),
});
const submit = defineOperator<{ rows: number }, typeof schema>("submit", schema, {
  reads: (config) => [config.tables],
  emits: (config) => [config.application],
});

const batch = refTo<string>({ $param: ["batch"] });
const land = refTo<{ files: { path: string }[] }>({ $output: "land", path: [] });

test("a config with references becomes JSON with tokens", (t) => {
  const operator = submit({
    application: "a.py",
    args: ["--batch", batch, land.files[0]?.path ?? "-"],
    tables: ["x.y"],
  });
  t.deepEqual(operator.config, {
    application: "a.py",
    args: ["--batch", { $param: ["batch"] }, { $output: "land", path: ["files", 0, "path"] }],
    tables: ["x.y"],
  });
  t.deepEqual([operator.reads, operator.emits], [["x.y"], ["a.py"]]);
});

test("a wrong config is refused at the author's line", (t) => {
  // @ts-expect-error the mode does not exist
  const wrong = () => submit({ application: "a.py", mode: "append!", args: [batch] });
  const error = t.throws(wrong, { instanceOf: QflowError });
  t.is(error.code, "DAG_INVALID");
  t.regex(error.message, /define-operator\.test\.ts:\d+: operator submit: config mode: /);
});

test("unknown keys are refused even beside references, unions around references are let through", (t) => {
  // @ts-expect-error no such key
  t.throws(() => submit({ application: batch, appplication: "x" }), { message: /Unrecognized key/ });
  t.notThrows(() => submit({ application: batch, target: { table: batch } }));
});

test("references resolve to params, outputs and facts of the run", (t) => {
  const config = encodeConfig({
    a: batch,
    b: land.files,
    c: refTo({ $run: "logicalDate" }),
    d: undefined,
    e: [1, null],
  });
  const run = {
    runId: "r",
    dagId: "d",
    logicalDate: "2026-01-01T00:00:00Z",
    intervalStart: null,
    intervalEnd: null,
    partition: null,
  };
  const resolved = resolveTokens(config, { params: { batch: "7" }, outputs: { land: { files: [] } }, run });
  t.deepEqual(resolved, { a: "7", b: [], c: "2026-01-01T00:00:00Z", e: [1, null] });
  t.throws(() => resolveTokens(config, { params: {}, outputs: {}, run }), { code: "REFERENCE_UNRESOLVED" });
  t.throws(() => resolveTokens(config, { params: Object.create({ batch: 1 }), outputs: {}, run }), {
    message: /params\.batch has no value/,
  });
});

test("a reference is never put into a string, spread or changed", (t) => {
  t.throws(() => `--batch=${batch}`, { message: /params\.batch cannot be put inside a string/ });
  t.throws(() => JSON.stringify({ land }), { message: /output of land cannot be put inside a string/ });
  t.throws(() => ({ ...land }), { message: /cannot be spread/ });
  t.throws(() => [...(land.files as unknown as Iterable<unknown>)], { message: /cannot be iterated/ });
});

test("what is not JSON is refused by its path", (t) => {
  t.throws(() => encodeConfig({ a: [new Date(0)] }), { message: /config a\.0 is not JSON: Date/ });
  t.throws(() => encodeConfig({ a: Number.NaN }), { message: /config a is not JSON: NaN/ });
  t.throws(() => encodeConfig({ a: { $param: ["x"] } }), { message: /reserved/ });
});

// @ts-expect-error a reference to a number is not a string
const _wrongType = () => submit({ application: refTo<number>({ $param: ["n"] }) });
// @ts-expect-error a plain object is not a reference
const _notReference = () => submit({ application: { foo: 1 } });
