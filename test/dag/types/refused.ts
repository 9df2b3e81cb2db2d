/** What the compiler refuses: every `@ts-expect-error` is an assertion, held by the type check. Nothing here is ever called. */
import { z } from "zod";
import { type DagBuilder, defineOperator, type TaskRef } from "../../../src/index.ts";

interface Landed {
  path: string;
  bytes: number;
}
const pathSchema = z.object({ path: z.string() });
const ingest = defineOperator<Landed[], typeof pathSchema>("ingest", pathSchema);
const submitSchema = z.object({ application: z.string(), limit: z.number().optional() });
const submit = defineOperator<{ rows: number }, typeof submitSchema>("submit", submitSchema);
const params = z.object({ region: z.enum(["eu", "us"]).default("eu"), limit: z.number().default(10) });

/** A DAG's `build` full of mistakes. */
export function refused(t: DagBuilder<z.output<typeof params>>, files: TaskRef<Landed[]>): void {
  // @ts-expect-error a Date does not survive JSON
  t.task("a", () => ({ at: new Date() }));
  // @ts-expect-error a bigint is not JSON
  t.task("b", {}, async () => [1n]);
  // @ts-expect-error a Map is not JSON
  t.task("c", () => new Map([["a", 1]]));
  // @ts-expect-error a function is not JSON
  t.task("d", () => ({ call: () => 1 }));
  // @ts-expect-error a mapped item that returns a Date
  t.map("e", files, () => new Date());
  const one = t.task("x", () => 1);
  // @ts-expect-error what is not an array cannot be mapped over
  t.map("f", one, () => 1);
  // @ts-expect-error no such param
  submit({ application: t.params.regoin });
  // @ts-expect-error a number where a string belongs
  submit({ application: t.params.limit });
  // @ts-expect-error no such property in what the upstream returned
  submit({ application: files.output[0].size });
  // @ts-expect-error no such rule
  t.task("g", { rule: "all_fine" }, () => 1);
  // @ts-expect-error a duration has a unit
  t.task("h", { timeout: "10" }, () => 1);
  // @ts-expect-error no such option
  t.task("i", { retrys: 3 }, () => 1);
  // @ts-expect-error an operator takes no `in`
  t.task("j", ingest({ path: "a" }), { in: { files } });
  // @ts-expect-error an input must be a task
  t.task("k", { in: { files: [1, 2] } }, () => 1);
  // @ts-expect-error no input of that name
  t.task("l", { in: { files } }, ({ file }) => file);
  t.task("m", () => {});
  t.task("n", async () => {});
  t.task("o", async (): Promise<Landed> => ({ path: "a", bytes: 1 }));
  t.task("p", { in: { files } }, ({ files }) =>
    files.map((file) => ({ ...file, note: undefined as string | undefined })),
  );
  t.task("q", (_, ctx) => ctx.params.region);
  t.task("r", () => JSON.parse("1") as unknown as { a?: { b: (string | null)[] } } | null);
}
