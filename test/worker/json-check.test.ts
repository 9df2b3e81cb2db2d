import test from "ava";
import fc from "fast-check";
import { checkJson } from "../../src/worker/json-check.ts";

test("what is JSON comes back as it was", (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const text = JSON.stringify(value);
      if (text.includes("\\u0000")) return;
      t.is(JSON.stringify(checkJson(value)), text);
    }),
  );
  t.is(checkJson(undefined), null);
  t.deepEqual(checkJson({ a: undefined, b: 1 }), { b: 1 });
  t.deepEqual(checkJson(Object.create(null)), {});
});

const loop: Record<string, unknown> = {};
loop.self = { loop };

for (const [value, path, what] of [
  [Number.NaN, "value", "NaN"],
  [{ a: [1, Number.POSITIVE_INFINITY] }, "value.a[1]", "Infinity"],
  [{ "odd key": 1n }, 'value["odd key"]', "a bigint"],
  [[undefined], "value[0]", "undefined"],
  [{ when: new Date(0) }, "value.when", "an instance of Date; return date.toISOString()"],
  [new Map(), "value", "an instance of Map"],
  [{ f: () => 1 }, "value.f", "a function"],
  [loop, "value.self.loop", "a reference to one of its own parents"],
  [{ s: "a\0b" }, "value.s", "a string with a NUL character"],
  [Symbol("x"), "value", "a symbol"],
] as const) {
  test(`${path} that is ${what} is refused by its path`, (t) => {
    const error = t.throws(() => checkJson(value), { code: "RESULT_NOT_JSON" });
    t.true(error?.message.endsWith(`${path} is ${what}`), error?.message);
  });
}

test("nesting without end is refused, the same object twice is not", (t) => {
  let deep: unknown = 1;
  for (let i = 0; i < 5000; i++) deep = [deep];
  t.throws(() => checkJson(deep), { code: "RESULT_NOT_JSON", message: /nested deeper/ });
  const shared = { n: 1 };
  t.deepEqual(checkJson([shared, shared]), [{ n: 1 }, { n: 1 }]);
});
