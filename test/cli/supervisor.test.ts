import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { supervise } from "../../src/cli/supervisor.ts";

/** Process group of a process. */
async function groupOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]);
}

test("a process that is kept alive hears no Ctrl-C of the terminal: who keeps it ends it, in its turn", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-supervisor-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const deaths: string[] = [];
  const kept = supervise(
    {
      ...{ name: "node", command: process.execPath, env: {}, logFile: join(folder, "log") },
      args: ["-e", "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000)"],
    },
    (text) => deaths.push(text),
  );
  const pid = kept.pid() ?? 0;
  t.is(await groupOf(pid), pid);
  await kept.stop(10_000);
  t.is(kept.pid(), null);
  t.deepEqual(deaths, []);
});
