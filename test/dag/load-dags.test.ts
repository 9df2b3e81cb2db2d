import { execFile } from "node:child_process";
import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import anyTest, { type TestFn } from "ava";
import { type LoadedDags, loadDags } from "../../src/dag/load-dags.ts";
import { loadTasks } from "../../src/dag/load-tasks.ts";
import type { Sandbox } from "../../src/dag/sandbox.ts";
import { openSandboxPool } from "../../src/dag/sandbox-pool.ts";
import { watchDags } from "../../src/dag/watch-dags.ts";
import { dagText, folderWith, put } from "./folder.ts";

const test = anyTest as TestFn<{ sandbox: Sandbox }>;
test.before((t) => {
  t.context.sandbox = openSandboxPool();
});
test.after.always((t) => t.context.sandbox.close());

const errorsOf = ({ files }: LoadedDags): Record<string, string> =>
  Object.fromEntries(
    files.flatMap(({ path, error }) => (error ? [[path, `${error.line}:${error.code}: ${error.message}`]] : [])),
  );
const idsOf = ({ files }: LoadedDags): string[] => files.flatMap(({ dags }) => dags.map((dag) => dag.dagId));

test("every exported DAG is loaded, helpers and what is no DAG file are not", async (t) => {
  const dir = await folderWith(t, {
    "a.ts": `${dagText("a")}
import { dag } from "qflow";
export const b = dag("b", {}, (t) => { t.task("x", () => 1); });
export const many = ["c", "d"].map((id) => dag(id, {}, (t) => { t.task("x", () => 1); }));
export { b as again };`,
    "lib/helper.ts": "export const helper = () => 1;",
    "types.d.ts": "export {};",
    "a.test.ts": "throw new Error('a test is no DAG');",
    "node_modules/x/y.ts": "throw new Error('not ours');",
    ".hidden/z.ts": "throw new Error('not ours');",
    "notes.md": "# notes",
  });
  symlinkSync(dir, join(dir, "lib", "loop"));
  const loaded = await loadDags(dir, t.context);
  t.deepEqual(errorsOf(loaded), {});
  t.deepEqual(idsOf(loaded).toSorted(), ["a", "b", "c", "d"]);
  t.is(loaded.files.length, 1);
});

test("imports are bundled, zod comes from the installation, SQL can be imported, the same code has the same hash anywhere", async (t) => {
  const files = {
    "flow.ts": `import { dag } from "qflow";
import { z } from "zod";
import query from "./query.sql";
import { twice } from "./lib/twice.ts";
export default dag("flow", { doc: query, params: z.object({ n: z.number().default(twice(2)) }) }, (t) => {
  t.task("x", (_, ctx) => twice(ctx.params.n));
});`,
    "lib/twice.ts": "export const twice = (n: number): number => n * 2;",
    "query.sql": "select 1",
  };
  const [one, other] = [await folderWith(t, files), await folderWith(t, files)];
  const loaded = await loadDags(one, t.context);
  t.deepEqual(errorsOf(loaded), {});
  const [file] = loaded.files;
  t.is(file?.dags[0]?.doc, "select 1");
  t.deepEqual(file?.dags[0]?.params, { type: "object", properties: { n: { type: "number", default: 4 } } });
  t.is(file?.bundle?.source, files["flow.ts"]);
  t.is((await loadDags(other, t.context)).files[0]?.bundle?.hash, file?.bundle?.hash);

  const path = join(one, "bundle.mjs");
  writeFileSync(path, file?.bundle?.code ?? "");
  const tasks = await loadTasks(path);
  t.is(tasks("flow", "x")({} as never, { params: { n: 21 } } as never), 42);
  t.throws(() => tasks("flow", "y"), { code: "DAG_LOAD_FAILED", message: /no function for task y of flow/ });
});

const BROKEN: Record<string, [string, RegExp]> = {
  syntax: ["const a = 1;\nlet b: = 2;", /^2:DAG_LOAD_FAILED: Unexpected "="/],
  missing: ['import "./gone.ts";', /^1:DAG_LOAD_FAILED: Could not resolve "\.\/gone\.ts"/],
  throws: ['\n\nthrow new TypeError("no luck");', /^3:DAG_LOAD_FAILED: TypeError: no luck/],
  exits: ["process.exit(0);", /^1:DAG_LOAD_FAILED: a DAG file may not end or change its process/],
  writes: [
    'import fs from "node:fs";\nfs.writeFileSync("/tmp/qflow-never", "");',
    /^2:DAG_LOAD_FAILED: a DAG file may not read or write files/,
  ],
  reads: [
    'import fs from "node:fs";\nfs.readFileSync("/etc/passwd");',
    /^2:DAG_LOAD_FAILED: a DAG file may not read or write files/,
  ],
  spawns: [
    'import { execFileSync } from "node:child_process";\nexecFileSync("id");',
    /^2:DAG_LOAD_FAILED: a DAG file may not/,
  ],
  forks: [
    'import { fork } from "node:child_process";\nfork("x.js");',
    /^2:DAG_LOAD_FAILED: a DAG file may not .* start processes/,
  ],
  threads: [
    'import { Worker } from "node:worker_threads";\nnew Worker("for (;;) {}", { eval: true });',
    /^2:DAG_LOAD_FAILED: a DAG file may not .* start processes/,
  ],
  kills: ['process.kill(process.ppid, "SIGKILL");', /^1:DAG_LOAD_FAILED: a DAG file may not end or change its process/],
  leaves: ["process.disconnect();", /DAG_LOAD_FAILED: ended the process that loaded it/],
  recursion: [
    "const f = (): number => f() + 1;\nf();",
    /^1:DAG_LOAD_FAILED: RangeError: Maximum call stack size exceeded/,
  ],
  network: [
    'await fetch("http://127.0.0.1:8080/");',
    /DAG_LOAD_FAILED: TypeError: fetch failed: a DAG file may not use the network/,
  ],
  cycle: [
    'import { dag } from "qflow";\nexport default dag("cycle", {}, (t) => {\n  const a = t.task("a", () => 1);\n  t.branch("b", { after: [a], to: { a } }, () => "a");\n});',
    /^3:DAG_INVALID: tasks form a cycle: a → b → a/,
  ],
  clock: [
    'import { dag } from "qflow";\nexport default dag("clock", {}, (t) => {\n  t.task("a", { doc: new Date().toISOString() }, () => 1);\n});',
    /^3:DAG_NOT_DETERMINISTIC: DAG clock is not the same on every load: task\.a\.doc is first "2026-01-05T09:30/,
  ],
  chance: [
    'import { dag } from "qflow";\nexport default dag("d_" + Math.random(), {}, () => {});',
    /DAG_NOT_DETERMINISTIC: .* dagId is first "d_0\.\d+", then "d_0/,
  ],
  lost: [
    'import { dag } from "qflow";\ndag("lost", {}, (t) => {\n  t.task("a", () => 1);\n});',
    /^3:DAG_INVALID: DAG lost is declared but not exported/,
  ],
  token: [
    'import { dag } from "qflow";\nimport { z } from "zod";\nexport default dag("token", { params: z.object({ r: z.string() }) }, (t) => {\n  const s = "--r=" + t.params.r;\n});',
    /^4:DAG_INVALID: params\.r cannot be put inside a string/,
  ],
  binary: ["\u0000\u0001\u0047\u0040", /DAG_LOAD_FAILED/],
  helper: ['import { fail } from "./lib/fail.ts";\nfail();', /^2:DAG_LOAD_FAILED: from the helper/],
};

test("what is wrong with a file is told with its line and hurts no other file", async (t) => {
  const files = Object.fromEntries(Object.entries(BROKEN).map(([name, [text]]) => [`${name}.ts`, text]));
  const dir = await folderWith(t, {
    ...files,
    "lib/fail.ts": "export function fail(): never {\n  throw new Error('from the helper');\n}",
    "zz.ts": dagText("zz"),
    "aa.ts": dagText("aa"),
  });
  const loaded = await loadDags(dir, t.context);
  t.deepEqual(idsOf(loaded), ["aa", "zz"]);
  const errors = errorsOf(loaded);
  for (const [name, [, expected]] of Object.entries(BROKEN)) t.regex(errors[`${name}.ts`] ?? "none", expected, name);
  t.is(loaded.files.find(({ path }) => path === "helper.ts")?.error?.file, join(dir, "lib/fail.ts"));
});

test("an endless loop and a promise that never settles hurt only their file", async (t) => {
  const sandbox = openSandboxPool({ timeLimitMs: 15_000 });
  t.teardown(() => sandbox.close());
  const dir = await folderWith(t, {
    "a_loop.ts": "for (;;) {}",
    "b_wait.ts": "await new Promise(() => {});",
    "c_regex.ts": "/^(a+)+$/.test('a'.repeat(60) + 'b');",
    "e_good.ts": dagText("good"),
  });
  const loaded = await loadDags(dir, { sandbox });
  t.deepEqual(idsOf(loaded), ["good"]);
  t.deepEqual(Object.keys(errorsOf(loaded)), ["a_loop.ts", "b_wait.ts", "c_regex.ts"]);
  for (const error of Object.values(errorsOf(loaded))) t.regex(error, /DAG_LOAD_FAILED: was not loaded within 15 s/);
});

test("too much memory hurts only its file, on the heap or beside it", async (t) => {
  const sandbox = openSandboxPool({ memoryLimitMb: 100 });
  t.teardown(() => sandbox.close());
  const dir = await folderWith(t, {
    "c_heap.ts": "const all: number[][] = [];\nfor (;;) all.push(new Array(1e6).fill(1.5));",
    "d_buffers.ts": "const all: Buffer[] = [];\nfor (;;) all.push(Buffer.alloc(5e7, 1));",
    "d_ten.ts": "export const ten = Buffer.alloc(1e10, 1);",
    "e_good.ts": dagText("good"),
  });
  const loaded = await loadDags(dir, { sandbox });
  t.deepEqual(idsOf(loaded), ["good"]);
  t.deepEqual(Object.keys(errorsOf(loaded)), ["c_heap.ts", "d_buffers.ts", "d_ten.ts"]);
  for (const error of Object.values(errorsOf(loaded))) t.regex(error, /needed more than 100 MB of memory to load/);
});

test("what a file leaves behind is not there for the next", async (t) => {
  const dir = await folderWith(t, {
    "a.ts":
      "Array.prototype.map = () => [];\n(globalThis as { leak?: number }).leak = 1;\nsetInterval(() => { throw new Error('later'); }, 1);\nvoid Promise.reject(new Error('lost'));",
    "b.ts": `${dagText("b", "leak")}if ("leak" in globalThis) throw new Error("leaked");`,
  });
  const sandbox = openSandboxPool({ size: 1 });
  t.teardown(() => sandbox.close());
  const loaded = await loadDags(dir, { sandbox });
  t.deepEqual([idsOf(loaded), errorsOf(loaded)], [["b"], {}]);
});

test("of two files with one id the second is wrong, until the first is gone", async (t) => {
  const dir = await folderWith(t, { "a.ts": dagText("same"), "b.ts": dagText("same"), "c.ts": dagText("other") });
  const first = await loadDags(dir, t.context);
  t.deepEqual(errorsOf(first), { "b.ts": "null:DAG_DUPLICATE: DAG id same is already taken by a.ts" });
  await put(dir, "a.ts", dagText("changed"));
  const second = await loadDags(dir, { ...t.context, previous: first });
  t.deepEqual([errorsOf(second), idsOf(second)], [{}, ["changed", "same", "other"]]);
});

test("only changed files are loaded again, a changed import counts as a change", async (t) => {
  const evaluated: string[] = [];
  const sandbox: Sandbox = {
    evaluate: (file, code) => {
      evaluated.push(file.split("/").at(-1) ?? "");
      return t.context.sandbox.evaluate(file, code);
    },
    close: () => {},
  };
  const dir = await folderWith(t, {
    "a.ts": dagText("a"),
    "b.ts":
      'import { id } from "./lib/id.ts";\nimport { dag } from "qflow";\nexport default dag(id, {}, (t) => { t.task("x", () => 1); });',
    "lib/id.ts": 'export const id = "b";',
  });
  const first = await loadDags(dir, { sandbox });
  evaluated.length = 0;
  const second = await loadDags(dir, { sandbox, previous: first });
  t.deepEqual([evaluated, second.files], [[], first.files]);
  await put(dir, "lib/id.ts", 'export const id = "renamed";');
  t.deepEqual(idsOf(await loadDags(dir, { sandbox, previous: second })), ["a", "renamed"]);
  t.deepEqual(evaluated.toSorted(), ["b.ts", "id.ts"]);
});

test("a saved file is reloaded, a half-written one is never seen", async (t) => {
  const dir = await folderWith(t, { "a.ts": dagText("a", "old") });
  const seen: LoadedDags[] = [];
  const wake: { next: () => void } = { next: () => {} };
  const text = dagText("a", "new");
  let pauses = 0;
  const watch = await watchDags(dir, {
    ...t.context,
    onLoad: (loaded) => {
      seen.push(loaded);
      wake.next();
    },
    onError: (message) => t.fail(message),
    pause: async () => {
      // The half has been read, or is about to be, when the whole comes.
      if (++pauses === 2) await put(dir, "a.ts", text);
    },
  });
  t.teardown(() => watch.close());
  const docOf = (loaded: LoadedDags | undefined): unknown => loaded?.files[0]?.dags[0]?.doc;
  t.is(docOf(seen[0]), "old");
  const next = new Promise<void>((resolve) => {
    wake.next = resolve;
  });
  await put(dir, "a.ts", text.slice(0, 60));
  await next;
  t.is(docOf(seen[1]), "new");
  t.deepEqual(
    seen.flatMap((loaded) => Object.values(errorsOf(loaded))),
    [],
  );
});

test("a folder that does not exist is a wrong setting", async (t) => {
  await t.throwsAsync(loadDags("/nonexistent/dags", t.context), {
    code: "CONFIG_INVALID",
    message: /dagsDir: \/nonexistent\/dags/,
  });
});

test("importing the package prints nothing and keeps nothing running", async (t) => {
  const index = new URL("../../src/index.ts", import.meta.url).href;
  const code = `import ${JSON.stringify(index)}`;
  t.deepEqual(await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code]), {
    stdout: "",
    stderr: "",
  });
});

test("the examples load", async (t) => {
  const dir = fileURLToPath(new URL("../../examples", import.meta.url));
  const loaded = await loadDags(dir, t.context);
  t.deepEqual(errorsOf(loaded), {});
  t.is(loaded.files.length, readdirSync(dir).filter((name) => name.endsWith(".ts")).length);
});
