import test from "ava";
import { commandLine } from "./command.ts";

const DAGS = `
import { cron, dag, every } from "qflow";
const task = (t) => { t.task("a", () => 1); };
export const daily = dag("daily", { schedule: cron("0 7 * * *", { timezone: "Africa/Cairo" }), start: "2026-01-01", end: "2199-01-02" }, task);
export const often = dag("often", { schedule: every("PT1H", { anchor: "2026-01-01T00:30:00Z" }), start: "2026-01-01", catchup: "latest" }, task);
`;

test("next lists what comes of a DAG and of all; unpause tells what is due, and with --dry-run does nothing else", async (t) => {
  const { db, write, qflow } = await commandLine(t);
  await write("dags.ts", DAGS);

  const daily = await qflow("dags", "next", "daily", "--count", "2", "-o", "json");
  t.is(daily.code, 0, daily.stderr);
  const runs = JSON.parse(daily.stdout);
  t.is(runs.length, 2);
  t.is(Date.parse(runs[1].runAfter) - Date.parse(runs[0].runAfter), 86_400_000);
  t.true(Date.parse(runs[0].runAfter) > Date.now());
  t.regex(daily.stderr, /paused/);

  const dry = await qflow("dags", "unpause", "often", "--dry-run", "-o", "json");
  t.like(JSON.parse(dry.stdout), { dagId: "often", paused: true, created: 1 });
  t.is((await db.query("select from dag where not paused")).rowCount, 0);

  const real = await qflow("dags", "unpause", "often");
  t.is(real.code, 0, real.stderr);
  t.regex(real.stderr, /often: un-pausing creates this run/);
  t.regex(real.stderr, /missed ticks get no run/);
  t.is((await db.query("select from dag where not paused and dag_id = 'often'")).rowCount, 1);
  t.is((await qflow("dags", "pause", "often")).code, 0);
  const audit = await db.query("select actor, action from audit_log where dag_id = 'often' order by audit_id");
  t.deepEqual(
    audit.rows.map(({ actor, action }) => [actor, action]),
    [
      ["cli", "dag.unpause"],
      ["cli", "dag.pause"],
    ],
  );
  await qflow("dags", "unpause", "often");
  const fleet = JSON.parse((await qflow("dags", "next", "--count", "3", "-o", "json")).stdout);
  t.deepEqual(
    fleet.map((run: { dagId: string }) => run.dagId),
    ["often", "often", "often"],
  );
});
