/** Faults of the place where everything runs: full disks, wrong clocks, DAG files of all kinds. */
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { keepDagsStored } from "../../src/cli/dag-loader.ts";
import { unpauseDag } from "../../src/metadata/runs.ts";
import { readLog } from "../../src/metadata/work.ts";
import { sha256OfFile } from "../../src/operators/csv-file.ts";
import { attempts, deploy, oneTask, testConfig, xcomOf } from "../worker/support.ts";
import { demand, MINUTE, ready, type Scenario, scenario } from "./scenario.ts";
import type { World } from "./world.ts";

const run = promisify(execFile);

/** A folder with little room, while some work goes on. Needs a machine that lets one mount. */
async function withSmallDisk<T>(world: World, size: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(world.home, "small");
  await mkdir(folder);
  await run("mount", ["-t", "tmpfs", "-o", `size=${size},mode=700`, "tmpfs", folder]);
  try {
    return await work(folder);
  } finally {
    await run("umount", ["--lazy", folder]);
  }
}

/** A DAG that ticks once a second and has to do with nothing else. */
const STEADY = `import { dag, every } from "qflow";
export default dag("steady", { schedule: every("1s"), start: "2026-01-01", catchup: "latest" }, (t) => { t.task("t", () => 1); });
`;
const TICKS = `import { dag, every } from "qflow";
export const ticks = dag("ticks", { schedule: every("1s"), start: new Date().toISOString(), catchup: "all", maxActiveRuns: 5 }, (t) => {
  t.task("t", { retries: 1, retryDelay: "100ms" }, (_, ctx) => { if (ctx.tryNumber === 1) throw new Error("as told"); return 1; });
});
`;

/** Files that are wrong, each in its way, and what the error of each must say. */
const HOSTILE: Readonly<Record<string, readonly [string | Buffer, RegExp]>> = {
  "a-steady.ts": ['import { dag } from "qflow";\nlet broken: = 1;', /Unexpected "="/],
  "cycle.ts": [
    'import { dag } from "qflow";\nexport default dag("cycle", {}, (t) => { const a = t.task("a", () => 1); const b = t.task("b", { after: [a] }, () => 1); a.before(b); b.before(a); });',
    /./,
  ],
  "exits.ts": ["process.exit(0);", /may not end or change its process/],
  "forever.ts": ["for (;;);", /./],
  "garbage.ts": [Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 7919) % 256)), /./],
  "greedy.ts": ["const all = []; for (;;) all.push(Buffer.alloc(64 * 1024 * 1024, 1));", /./],
  "half.ts": ['import { dag } from "qflow";\nexport default dag("half", {}, (t) => { t.ta', /Expected|Unexpected/],
  "throws.ts": ['\n\nthrow new TypeError("no luck");', /TypeError: no luck/],
  "twin.ts": [STEADY.replace("1s", "2s").replace('"steady"', '"other"'), /other/],
};

function oneDag(id: string): string {
  return `import { dag } from "qflow";\nexport default dag("${id}", {}, (t) => { t.task("t", () => 1); });\n`;
}

/** Disks, clocks, DAG files. */
export const PLACE_SCENARIOS: readonly Scenario[] = [
  scenario("F22", "the disk of logs is full while the database is away: the task goes on, its log says so", (world) =>
    withSmallDisk(world, "6m", async (home) => {
      world.scheduler();
      const { child } = world.worker("", "proxy", { home });
      await ready(world);
      const body = `await new Promise((next) => setTimeout(next, 1500));
        for (let i = 0; i < 500; i++) { ctx.log.info(i + "z".repeat(60_000)); await new Promise((next) => setTimeout(next, 10)); }
        ctx.log.info("end"); return 1;`;
      await deploy(world.db, oneTask("wordy", body));
      const wordy = await world.run("wordy");
      await world.tryRuns(wordy, 1, MINUTE);
      world.proxy.mode = { blackHole: true };
      await sleep(8_000);
      world.proxy.mode = {};
      world.proxy.reset();
      const afterTheOutage = await world.runEnded(wordy, MINUTE);
      demand(child.exitCode === null && child.signalCode === null, "the worker ended");
      const [attempt] = await attempts(world.db, wordy);
      const { lines } = await readLog(world.db, attempt?.attempt_id ?? "", 1, 1_000);
      const told = lines.flatMap(({ text }) => /^(\d+) lines are not here: .*ENOSPC/.exec(text)?.[1] ?? []);
      const lost = told.reduce((sum, count) => sum + Number(count), 0);
      const missing = 501 - (lines.length - told.length);
      demand(lost > 0 && lost === missing, `${missing} lines are not there, and it says ${told.join()}`);
      return { afterTheOutage, linesLost: lost };
    }),
  ),
  scenario("F23", "the disk of a CSV file is full: nothing of it is seen, the next try makes it whole", (world) =>
    withSmallDisk(world, "4m", async (folder) => {
      world.scheduler();
      world.worker();
      await ready(world);
      const file = join(folder, "report.csv");
      const module = new URL("../../src/operators/csv-file.ts", import.meta.url).href;
      const source = `import { dag } from "qflow";
        import { openDraft } from ${JSON.stringify(module)};
        export default dag("export", {}, (t) => { t.task("t", { retries: 5, retryDelay: "1s" }, async (_, ctx) => {
          const draft = await openDraft(${JSON.stringify(file)}, { token: "try" + ctx.tryNumber, header: ["n", "text"], ending: "lf" });
          try {
            for (let i = 0; i < 100; i++) await draft.write(Array.from({ length: 1000 }, (_, n) => [String(i * 1000 + n), "z".repeat(100)]));
            const { sha256 } = await draft.finish();
            await draft.publish();
            return sha256;
          } catch (error) { await draft.discard(); throw error; }
        }); });`;
      await deploy(world.db, source);
      const made = await world.run("export");
      await world.until("select from task_attempt where dag_run_id = $1 and state = 'failed'", [made], MINUTE);
      demand((await readdir(folder)).length === 0, `there is ${await readdir(folder)}`);
      const [first] = await attempts(world.db, made);
      demand(/ENOSPC/.test(first?.error?.message ?? ""), `it says ${first?.error?.message}`);
      await run("mount", ["-o", "remount,size=64m", folder]);
      const afterThereIsRoom = await world.runEnded(made, MINUTE);
      demand((await sha256OfFile(file)) === (await xcomOf(world.db, made)), "the file is not what was written");
      demand((await readdir(folder)).join() === "report.csv", `there is ${await readdir(folder)}`);
      return { afterThereIsRoom };
    }),
  ),
  scenario("F24", "the clocks and zones of machines are wrong: due and lease are the database's", async (world) => {
    await deploy(world.db, TICKS);
    world.scheduler("direct", { clock: { shiftMs: 86_400_000, timezone: "America/New_York" } });
    world.scheduler("direct", { clock: { shiftMs: -3_600_000, timezone: "Asia/Kolkata" } });
    world.worker("", "direct", { clock: { shiftMs: 3_600_000, timezone: "Pacific/Auckland" } });
    await ready(world);
    await sleep(15_000);
    const found = await world.db.query<{ ticks: number; gaps: number; early: number; lost: number; slowest: number }>(
      `select count(*)::float8 as ticks, (count(*) filter (where at - before <> interval '1 s'))::float8 as gaps,
         (count(*) filter (where at > queued_at))::float8 as early, (select count(*)::float8 from worker where state = 'lost') as lost,
         (max(extract(epoch from queued_at - at) * 1000) filter (where at > now() - interval '14 s'))::float8 as slowest
       from (select logical_date as at, lag(logical_date) over (order by logical_date) as before, queued_at
         from dag_run where dag_id = 'ticks' and kind = 'scheduled') tick`,
    );
    const { ticks = 0, gaps, early, lost, slowest = 0 } = found.rows[0] ?? {};
    demand(ticks >= 12 && gaps === 0 && early === 0 && lost === 0, JSON.stringify(found.rows[0]));
    return { ticks, slowestTick: Math.round(slowest) };
  }),
  scenario(
    "F25",
    "DAG files of all kinds: the last good version goes on, errors are told, others load",
    async (world) => {
      const folder = join(world.home, "dags");
      await mkdir(folder);
      const put = async (name: string, content: string | Buffer) => {
        await writeFile(join(folder, `.${name}.tmp`), content);
        await rename(join(folder, `.${name}.tmp`), join(folder, name));
      };
      await put("a-steady.ts", STEADY);
      await put("other.ts", oneDag("other"));
      world.scheduler();
      world.worker();
      const watch = await keepDagsStored(world.db, testConfig(world.home, { QFLOW_DAGS: folder }), () => {});
      try {
        await world.until("select from dag where dag_id in ('steady', 'other') having count(*) = 2", [], MINUTE);
        for (const dagId of ["steady", "other"]) await unpauseDag(world.db, dagId);
        const startedAt = performance.now();
        for (const [name, [content]] of Object.entries(HOSTILE)) await put(name, content);
        await symlink(folder, join(folder, "loop"));
        await put(
          "wide.ts",
          oneDag("wide").replace('t.task("t", () => 1);', 'for (let i = 0; i < 10_000; i++) t.task("t" + i, () => 1);'),
        );
        await world.until("select from import_error having count(*) >= $1", [Object.keys(HOSTILE).length], 3 * MINUTE);
        const allTold = Math.round(performance.now() - startedAt);
        const errors = await world.db.query<{ file: string; message: string }>(
          "select file, message from import_error",
        );
        for (const [name, [, says]] of Object.entries(HOSTILE)) {
          const told = errors.rows.find(({ file }) => file.endsWith(name))?.message;
          demand(told !== undefined && says.test(told), `${name}: ${told}`);
        }
        await world.until("select from task_def having count(*) filter (where task_id like 't%') > 10000", [], MINUTE);
        const ticks =
          "select from dag_run where dag_id = 'steady' and state = 'success' and started_at > now() - interval '10 s'";
        await world.until(`${ticks} having count(*) >= 5`, [], 20_000);
        const other = await world.runEnded(await world.run("other"), MINUTE);
        const saved = performance.now();
        await Promise.all(Array.from({ length: 200 }, (_, i) => put(`many-${i}.ts`, oneDag(`many_${i}`))));
        await world.until("select from dag where dag_id like 'many%' and active having count(*) = 200", [], 2 * MINUTE);
        return { allTold, otherRun: other, twoHundredFiles: Math.round(performance.now() - saved) };
      } finally {
        await watch.close();
      }
    },
  ),
];
