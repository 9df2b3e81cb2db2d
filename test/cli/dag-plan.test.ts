import test from "ava";
import { loadDags } from "../../src/dag/load-dags.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { commandLine } from "./command.ts";

const FIRST = `
import { cron, dag } from "qflow";
export default dag("daily", { schedule: cron("0 7 * * *") }, (t) => { t.task("a", () => 1); t.task("b", () => 2); });
`;

test("plan tells what changes, stores nothing, and exits 1 on a breaking change", async (t) => {
  const { db, folder, write, qflow } = await commandLine(t);
  await write("daily.ts", FIRST);
  await write("other.ts", FIRST.replace('"daily"', '"other"'));
  const { files } = await loadDags(folder);
  await storeVersions(
    db,
    files.map(({ path, dags, bundle }) => ({ file: path, dags, bundle: bundle as NonNullable<typeof bundle> })),
  );

  await write("daily.ts", FIRST.replace("0 7", "0 8").replace(' t.task("b", () => 2);', ""));
  await write("other.ts", null);
  const one = await qflow("dags", "plan", `${folder}/daily.ts`);
  t.is(one.code, 0, one.stderr);
  t.regex(one.stdout, /^~ daily {2}daily\.ts {2}\(paused\)\n/);
  t.regex(one.stdout, /- task b\n/);
  t.regex(one.stdout, /schedule 0 7 \* \* \* \(UTC\) → 0 8 \* \* \* \(UTC\)\n/);
  t.notRegex(one.stdout, /other/);
  t.is((await db.query("select from dag_version")).rowCount, 2);

  await write("daily.ts", FIRST.replace('cron("0 7 * * *")', "null"));
  const all = await qflow("dags", "plan", "-o", "json");
  t.is(all.code, 1);
  const plan = JSON.parse(all.stdout);
  t.deepEqual(
    plan.changes.map((change: { dagId: string; change: string }) => [change.dagId, change.change]),
    [
      ["daily", "changed"],
      ["other", "removed"],
    ],
  );
  t.deepEqual(
    plan.breaking.map((one: { rule: string }) => one.rule),
    ["schedule_kind"],
  );
});
