import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { type ProcessSpec, startProcess, sweepInstance } from "../../src/engines/process.ts";
import { INSTANCE_MARKER } from "../../src/processes/markers.ts";
import { findByMarker, identify, isAlive } from "../../src/processes/table.ts";
import { spawnNode, temporaryFolder, until } from "./support/processes.ts";

function shell(folder: string, script: string): ProcessSpec {
  return {
    name: "a shell",
    command: "/bin/sh",
    args: ["-c", script],
    env: { PATH: "/usr/bin:/bin", [INSTANCE_MARKER]: folder },
    cwd: folder,
    logFile: join(folder, "log"),
    stopSignals: [{ signal: "SIGTERM", patienceMs: 300 }],
  };
}

test("output goes to the log and the end is told", async (t) => {
  const folder = await temporaryFolder(t);
  const started = await startProcess(shell(folder, "echo out; echo err >&2; sleep 0.2; exit 3"));
  t.is(await started.exited, "exit code 3");
  t.is(await readFile(join(folder, "log"), "utf8"), "out\nerr\n");
});

test("a stop ends what ignores TERM, and the children with it", async (t) => {
  const folder = await temporaryFolder(t);
  const started = await startProcess(shell(folder, "trap '' TERM; sleep 1000 & sleep 1000; wait"));
  await until(async () => (await findByMarker(INSTANCE_MARKER, folder)).length >= 4);
  await started.stop();
  t.is(await started.exited, "killed by SIGKILL");
  await until(async () => (await findByMarker(INSTANCE_MARKER, folder)).length === 0);
  await t.notThrowsAsync(started.stop());
});

test("a program that is missing is an ENGINE_FAILED", async (t) => {
  const folder = await temporaryFolder(t);
  await t.throwsAsync(startProcess({ ...shell(folder, ""), command: join(folder, "absent") }), {
    code: "ENGINE_FAILED",
  });
});

test("when the parent is killed, the group goes too, even when it ignores TERM", async (t) => {
  const folder = await temporaryFolder(t);
  const parent = spawnNode(
    t,
    `
    import { startProcess } from "${new URL("../../src/engines/process.ts", import.meta.url).href}";
    await startProcess(${JSON.stringify(shell(folder, "trap '' TERM; sleep 1000 & touch up; wait; sleep 1000"))});
    setInterval(() => {}, 1000);
  `,
  );
  await until(() =>
    readFile(join(folder, "up")).then(
      () => true,
      () => false,
    ),
  );
  parent.kill("SIGKILL");
  await until(async () => (await findByMarker(INSTANCE_MARKER, folder)).length === 0);
  t.pass();
});

test("a sweep ends what left its group, and nothing of another instance", async (t) => {
  const folder = await temporaryFolder(t);
  const other = await temporaryFolder(t);
  const stray = await startProcess(shell(folder, "setsid sleep 1000 & wait"));
  const kept = await startProcess(shell(other, "sleep 1000"));
  t.teardown(() => kept.stop());
  await until(async () => (await findByMarker(INSTANCE_MARKER, folder)).length >= 3);
  process.kill(stray.identity.pid, "SIGKILL");
  await stray.exited;
  t.true((await sweepInstance(folder, 1_000)) >= 1);
  t.deepEqual(await findByMarker(INSTANCE_MARKER, folder), []);
  t.true(await isAlive(kept.identity));
});

test("an identity does not hold for another process with the same pid", async (t) => {
  const self = await identify(process.pid);
  t.truthy(self);
  t.true(await isAlive({ pid: process.pid, startedAt: self?.startedAt ?? "" }));
  t.false(await isAlive({ pid: process.pid, startedAt: "1" }));
});
