import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { TRIGGER_RULES, type TriggerRule } from "../../src/dag/spec.ts";
import { decide } from "../../src/dag/trigger-rules.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, type Ending, FAILED, runOnce, success, type TaskGiven } from "./fixtures.ts";

const AS_STATE = { wait: "none", run: "queued", skipped: "skipped", upstream_failed: "upstream_failed" } as const;

test("the database decides as the pure rules do, for every rule and count", async (t) => {
  const db = await testDatabase(t);
  const count = fc.nat({ max: 3 });
  const cases = fc.sample(
    fc.record({
      rule: fc.constantFrom(...TRIGGER_RULES),
      success: count,
      failed: count,
      skipped: count,
      upstream_failed: count,
      open: count,
    }),
    4000,
  );
  const rows = cases.map((c) => ({ ...c, total: c.success + c.failed + c.skipped + c.upstream_failed + c.open }));
  const columns = [
    rows.map((row) => row.rule),
    ...(["total", "success", "failed", "skipped", "upstream_failed"] as const).map((key) =>
      rows.map((row) => row[key]),
    ),
  ];
  const result = await db.query<{ state: string }>(
    `select decide(r, t, s, f, k, u) as state from unnest($1::text[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[])
     with ordinality c (r, t, s, f, k, u, n) order by n`,
    columns,
  );
  for (const [i, row] of rows.entries())
    t.is(result.rows[i]?.state, AS_STATE[decide(row.rule, { ...row, skip_requested: false })], JSON.stringify(row));
});

const oracles = process.env.QFLOW_TEST_ORACLES;

interface OracleTask {
  readonly id: string;
  readonly upstream: string[];
  readonly rule: TriggerRule;
  readonly outcome: "success" | "fail" | "skip" | "branch" | "short_circuit";
  readonly branch?: string;
}

interface OracleLine {
  readonly id: string;
  readonly tasks: OracleTask[];
  readonly states: Record<string, string>;
  readonly run: string;
}

const oracleFile = oracles ? join(oracles, "trigger-rules-airflow.jsonl") : "";
if (existsSync(oracleFile)) {
  const lines = readFileSync(oracleFile, "utf8").trim().split("\n");
  test("every graph ends as it does in Airflow", async (t) => {
    const db = await testDatabase(t);
    for (const text of lines) {
      const line = JSON.parse(text) as OracleLine;
      const result = await runOnce(db, dagSpec(line.id, line.tasks.map(given)), ({ taskId }) => ending(line, taskId));
      t.deepEqual(result.tasks, line.states, line.id);
      t.is(result.run, line.run, line.id);
    }
  });
}

function given({ id, upstream, rule, outcome }: OracleTask): TaskGiven {
  const kind = outcome === "branch" ? "branch" : outcome === "short_circuit" ? "shortCircuit" : "function";
  return { id, upstream, rule, kind };
}

function ending(line: OracleLine, taskId: string): Ending {
  const task = line.tasks.find(({ id }) => id === taskId) as OracleTask;
  if (task.outcome === "fail") return FAILED;
  if (task.outcome === "skip") return { state: "skipped", reason: "asked to" };
  if (task.outcome === "branch") return { state: "success", value: null, branch: [task.branch as string] };
  if (task.outcome === "short_circuit") return { state: "success", value: false, proceed: false };
  return success();
}
