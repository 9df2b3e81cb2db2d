/** Faults that tasks bring with them: memory, processes, signals, output. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cancelRun } from "../../src/metadata/runs.ts";
import { readLog } from "../../src/metadata/work.ts";
import { attempts, deploy, isProcessAlive, oneTask } from "../worker/support.ts";
import { Cgroup } from "./cgroup.ts";
import { demand, MINUTE, ready, type Scenario, scenario } from "./scenario.ts";
import type { Member, World } from "./world.ts";

const MIB = 1024 * 1024;

async function start(world: World): Promise<Member> {
  world.scheduler();
  const worker = world.worker();
  await ready(world);
  return worker;
}

function isAlive({ child }: Member): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** Largest resident set of a process while some work goes on, and that before it, in MiB. */
async function memoryDuring(pid: number, work: Promise<unknown>): Promise<{ before: number; most: number }> {
  const resident = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  const before = resident();
  let most = before;
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    most = Math.max(most, resident());
    await sleep(50);
  }
  await over;
  return { before, most };
}

/** Tasks that hurt themselves and their machine. */
export const TASK_SCENARIOS: readonly Scenario[] = [
  scenario("F8", "a task that takes too much memory is killed and tried again, the worker lives", async (world) => {
    const worker = await start(world);
    const group = await Cgroup.make("memory", 200 * MIB);
    const body = `if (ctx.tryNumber > 1) return 1;
      ctx.log.info("before");
      writeFileSync(${JSON.stringify(group.procs)}, String(process.pid));
      for (const all = []; ; await new Promise((next) => setTimeout(next, 5))) all.push(Buffer.alloc(${MIB * 4}, 1));`;
    try {
      await deploy(world.db, oneTask("greedy", body));
      const run = await world.run("greedy");
      await world.until("select from task_attempt where dag_run_id = $1 and state = 'failed'", [run], MINUTE);
      const again = await world.runEnded(run, MINUTE);
      const [first] = await attempts(world.db, run);
      demand(first?.error?.message === "killed by signal 9 (likely out of memory)", `it says ${first?.error?.message}`);
      const { lines } = await readLog(world.db, first?.attempt_id ?? "", 1, 10);
      demand(lines[0]?.text === "before", "the log of the killed attempt is not there");
      demand(isAlive(worker), "the worker ended");
      return { again };
    } finally {
      await group.remove();
    }
  }),
  scenario(
    "F9",
    "a task that starts processes without end fails, none of them is left, the worker lives",
    async (world) => {
      const worker = await start(world);
      const group = await Cgroup.make("pids", 300);
      const body = `writeFileSync(${JSON.stringify(group.procs)}, String(process.pid));
      for (let n = 0; ; n++) await new Promise((next, fail) => {
        const child = spawn("sleep", ["1000"], { stdio: "ignore" });
        child.once("spawn", next);
        child.once("error", () => fail(new Error("no more than " + n)));
      });`;
      try {
        await deploy(world.db, oneTask("bomb", body));
        const run = await world.run("bomb");
        await world.runEnded(run, MINUTE);
        const ended = performance.now();
        const [first] = await attempts(world.db, run);
        const started = Number(/no more than (\d+)/.exec(first?.error?.message ?? "")?.[1]);
        demand(started > 100, `it says ${first?.error?.message}`);
        while ((await group.pids()).some((pid) => pid !== worker.child.pid && isSleep(pid))) {
          demand(performance.now() - ended < 60_000, "its processes live on");
          await sleep(100);
        }
        const allGone = Math.round(performance.now() - ended);
        demand(isAlive(worker), "the worker ended");
        await ready(world);
        await world.forget(run);
        return { processes: started, allGone };
      } finally {
        await group.remove();
      }
    },
  ),
  scenario("F11", "what ignores TERM or leaves its group is gone when its task is cancelled", async (world) => {
    await start(world);
    const file = join(world.home, "pids");
    const body = `process.on("SIGTERM", () => {});
      const child = spawn("sh", ["-c", "trap '' TERM; sleep 1000; sleep 1000"]);
      const other = spawn("setsid", ["sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"], { detached: true, stdio: "ignore" });
      writeFileSync(${JSON.stringify(file)}, [process.pid, child.pid, other.pid].join(" "));
      await new Promise(() => setInterval(() => {}, 1000));`;
    await deploy(world.db, oneTask("stubborn", body));
    const run = await world.run("stubborn");
    const pids = () => (existsSync(file) ? readFileSync(file, "utf8").split(" ").map(Number) : []);
    while (pids().length < 3) await sleep(50);
    const found = await world.db.query<{ run_id: string }>("select run_id from dag_run where id = $1", [run]);
    const cancelled = performance.now();
    await cancelRun(world.db, "stubborn", found.rows[0]?.run_id ?? "");
    while (pids().some(isProcessAlive)) {
      demand(performance.now() - cancelled < 15_000, "its processes live on after 15 s");
      await sleep(20);
    }
    const gone = Math.round(performance.now() - cancelled);
    await world.runEnded(run, MINUTE);
    await world.forget(run);
    return { gone };
  }),
  scenario("F26", "output that is too long, endless or no text fills no memory and breaks no log", async (world) => {
    const worker = await start(world);
    const body = `const write = (data) => new Promise((next) => process.stdout.write(data, next));
      await write(Buffer.from([0x61, 0xff, 0xfe, 0x00, 0x62, 0x0a]));
      await write("\\u001b[31mred\\u001b[0m </script>\\n");
      const chunk = Buffer.alloc(${MIB}, "x");
      for (let i = 0; i < 100; i++) await write(chunk);
      await write("\\n");
      const lines = ("y".repeat(999) + "\\n").repeat(1000);
      for (let i = 0; i < 320; i++) await write(lines);
      ctx.log.info("last");`;
    await deploy(world.db, oneTask("loud", body));
    // What the first task needs is loaded by then.
    await world.runEnded(await world.run("quick"), MINUTE);
    const run = await world.run("loud");
    const startedAt = performance.now();
    const { before, most } = await memoryDuring(worker.child.pid ?? 0, world.runEnded(run, 5 * MINUTE));
    const took = Math.round(performance.now() - startedAt);
    const [attempt] = await attempts(world.db, run);
    const page = await readLog(world.db, attempt?.attempt_id ?? "", 1, 4);
    const texts = page.lines.map(({ text }) => text);
    demand(
      texts[0] === "a\ufffd\ufffd\u2400b" && texts[1] === "\u001b[31mred\u001b[0m </script>",
      `it has ${texts[0]}`,
    );
    demand(/line cut: 1047\d+ more bytes/.test(texts[2] ?? ""), "the long line is not said to be cut");
    const count = await world.db.query<{ n: number }>(
      "select coalesce(sum(line_count), 0)::float8 as n from log_chunk where attempt_id = $1",
      [attempt?.attempt_id],
    );
    const lines = count.rows[0]?.n ?? 0;
    const end = await readLog(world.db, attempt?.attempt_id ?? "", lines, 1);
    demand(end.lines[0]?.text === "last", `the log ends with ${end.lines[0]?.text}`);
    // Collected garbage comes and goes; what grows with the output would be hundreds.
    demand(most - before < 200, `the worker grew by ${Math.round(most - before)} MiB`);
    return { took, workerGrewByMiB: Math.round(most - before), linesKept: lines };
  }),
];

function isSleep(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep");
}
