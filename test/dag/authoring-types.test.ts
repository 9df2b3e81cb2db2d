/** What the compiler makes of a DAG: the assertions are the types; the test shows that the checks agree. */
import test from "ava";
import { z } from "zod";
import { dag, defineOperator, type MappedTaskRef, type Outcome, type TaskRef } from "../../src/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <_T extends true>(): void => {};

interface Landed {
  path: string;
  bytes: number;
}
const ingest = defineOperator<Landed[], z.ZodObject<{ path: z.ZodString }>>("ingest", z.object({ path: z.string() }));
const submit = defineOperator<{ rows: number }, typeof submitSchema>(
  "submit",
  z.object({ application: z.string(), args: z.array(z.string()).optional(), limit: z.number().optional() }),
);
declare const submitSchema: z.ZodObject<{
  application: z.ZodString;
  args: z.ZodOptional<z.ZodArray<z.ZodString>>;
  limit: z.ZodOptional<z.ZodNumber>;
}>;

const params = z.object({ region: z.enum(["eu", "us"]).default("eu"), limit: z.number().default(10) });

const example = dag("types", { params }, (t) => {
  const files = t.task("land", ingest({ path: "/orders" }));
  same<Equal<typeof files, TaskRef<Landed[]>>>();
  const sizes = t.map("profile", files, { maxActive: 8, retries: 3 }, async (file, ctx) => {
    same<Equal<typeof file, Landed>>();
    same<Equal<typeof ctx.params, { region: "eu" | "us"; limit: number }>>();
    return { path: file.path, rows: file.bytes / 80 };
  });
  same<Equal<typeof sizes, MappedTaskRef<{ path: string; rows: number }>>>();
  const load = t.task(
    "load",
    submit({
      application: "load.py",
      args: ["--region", t.params.region, files.output[0]?.path ?? ""],
      limit: t.params.limit,
    }),
    { after: [sizes], pool: "spark" },
  );
  const check = t.task("check", { in: { sizes, load } }, async ({ sizes, load }) => {
    same<Equal<typeof sizes, { path: string; rows: number }[]>>();
    same<Equal<typeof load, { rows: number }>>();
    return { ok: sizes.length > 0 };
  });
  t.task("notify", { in: { check, sizes }, rule: "all_done" }, ({ check, sizes }, ctx) => {
    same<Equal<typeof check, Outcome<{ ok: boolean }>>>();
    same<Equal<typeof sizes, Outcome<{ path: string; rows: number }>[]>>();
    // @ts-expect-error an outcome must be narrowed before its value is read
    ctx.log.info("done", { ok: check.value });
    if (check.state === "success") ctx.log.info("done", { ok: check.value.ok });
  });
  const big = t.task("big", () => "big");
  const small = t.task("small", () => null);
  t.branch("size", { in: { load }, to: { big, small } }, ({ load }) => (load.rows > 5 ? "big" : "small"));
  // @ts-expect-error not a name of `to`
  t.branch("wrong", { to: { big, small } }, () => "huge");
  t.branch("free", { after: [check] }, () => ["one", "other"]);
  t.shortCircuit("go", { in: { load } }, ({ load }) => load.rows > 0);
  // @ts-expect-error a short circuit answers true or false
  t.shortCircuit("go2", { in: { load } }, ({ load }) => load.rows);
});

test("what the types accept, the checks accept", (t) => {
  t.deepEqual(example.spec.tasks.find((task) => task.taskId === "load")?.upstream.toSorted(), ["land", "profile"]);
});
