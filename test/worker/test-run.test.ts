import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { dag } from "../../src/dag/dag.ts";
import { type TestRun, testDagFile, testDeclaredDag } from "../../src/worker/test-run.ts";
import { testDatabase } from "../support/database.ts";
import { testConfig, testHome } from "./support.ts";

test("a declared DAG runs on the real engine, its functions in the test's process", async (t) => {
  const seen: string[] = [];
  const declared = dag("declared", {}, (d) => {
    const list = d.task("list", () => [1, 2, 3]);
    const twice = d.map("twice", list, (n, ctx) => {
      seen.push(`${ctx.taskId}[${ctx.mapIndex}]`);
      return n * 2;
    });
    d.task("sum", { in: { twice } }, ({ twice: all }) => all.reduce((a, b) => a + b, 0));
    d.task("late", { in: { twice }, retries: 1, retryDelay: "PT0.01S" }, (_, ctx) => {
      if (ctx.tryNumber === 1) throw new Error("once");
      return ctx.logicalDate?.toISOString() ?? null;
    });
  });
  const home = await testHome(t);
  const options = { database: await testDatabase(t), config: testConfig(home) };
  const run = await testDeclaredDag(declared, options, { logicalDate: new Date("2026-01-02T00:00:00Z") });
  t.is(run.state, "success");
  t.deepEqual(run.tasks, { list: "success", twice: "success", sum: "success", late: "success" });
  t.deepEqual(run.xcoms, { list: [1, 2, 3], twice: [2, 4, 6], sum: 12, late: "2026-01-02T00:00:00.000Z" });
  t.deepEqual(seen.sort(), ["twice[0]", "twice[1]", "twice[2]"]);
});

interface OracleTask {
  id: string;
  upstream: string[];
  rule: string;
  outcome: "success" | "fail" | "skip" | "branch" | "short_circuit";
  branch?: string;
}

test("a test run has the pools and queues that its tasks name", async (t) => {
  const declared = dag("limited", {}, (d) => {
    const a = d.task("a", { pool: "erp", poolSlots: 3, queue: "heavy" }, () => 1);
    d.task("b", { in: { a }, pool: "spark", poolSlots: 2 }, ({ a }) => a + 1);
  });
  const options = { database: await testDatabase(t), config: testConfig(await testHome(t)) };
  t.deepEqual((await testDeclaredDag(declared, options, {})).tasks, { a: "success", b: "success" });
});

interface OracleLine {
  id: string;
  tasks: OracleTask[];
  states: Record<string, string>;
  run: string;
}

/** The source of one DAG: every task with its rule and the outcome it is to have. */
function sourceOf(line: OracleLine): string {
  const body = line.tasks.map((task) => {
    const options = `{ after: [${task.upstream.join(", ")}], rule: ${JSON.stringify(task.rule)} }`;
    const call = {
      success: `t.task("${task.id}", ${options}, () => 1)`,
      fail: `t.task("${task.id}", ${options}, () => { throw new Error("on purpose"); })`,
      skip: `t.task("${task.id}", ${options}, () => { throw new Skip("on purpose"); })`,
      branch: `t.branch("${task.id}", ${options}, () => ${JSON.stringify(task.branch)})`,
      short_circuit: `t.shortCircuit("${task.id}", ${options}, () => false)`,
    }[task.outcome];
    return `  const ${task.id} = ${call};`;
  });
  return `export const ${line.id} = dag("${line.id}", {}, (t) => {\n${body.join("\n")}\n});\n`;
}

const oracles = process.env.QFLOW_TEST_ORACLES;
if (oracles) {
  test("the states that Airflow ends with, for every graph of the oracle", async (t) => {
    t.timeout(300_000);
    const text = readFileSync(join(oracles, "trigger-rules-airflow.jsonl"), "utf8");
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as OracleLine);
    const folder = await mkdtemp(join(tmpdir(), "qflow-oracle-"));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "oracle.ts");
    await writeFile(file, `import { dag, Skip } from "qflow";\n${lines.map(sourceOf).join("")}`);
    const home = await testHome(t);
    const got = new Map<string, TestRun>();
    for await (const run of testDagFile(file, { database: await testDatabase(t), config: testConfig(home) }))
      got.set(run.dagId, run);
    for (const line of lines) {
      t.deepEqual(got.get(line.id)?.tasks, line.states, line.id);
      t.is(got.get(line.id)?.state as string, line.run, line.id);
    }
  });
}
