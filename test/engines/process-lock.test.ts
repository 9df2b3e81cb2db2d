import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { lockOwner, lockWhenFree, tryLock } from "../../src/engines/process-lock.ts";
import { spawnNode, temporaryFolder, until } from "./support/processes.ts";

test("of many who try at once exactly one gets the lock", async (t) => {
  const file = join(await temporaryFolder(t), "lock");
  const results = await Promise.all(Array.from({ length: 20 }, () => tryLock(file)));
  t.is(results.filter((result) => "release" in result).length, 1);
});

test("a lock whose owner is gone is taken over, by one alone", async (t) => {
  const file = join(await temporaryFolder(t), "lock");
  await writeFile(file, JSON.stringify({ pid: process.pid, startedAt: "1" }));
  t.is(await lockOwner(file), null);
  const results = await Promise.all(Array.from({ length: 20 }, () => tryLock(file)));
  t.is(results.filter((result) => "release" in result).length, 1);
});

test("waiting tells whom for, and ends when the owner is killed", async (t) => {
  const file = join(await temporaryFolder(t), "lock");
  const owner = spawnNode(
    t,
    `
    import { tryLock } from "${new URL("../../src/engines/process-lock.ts", import.meta.url).href}";
    await tryLock(${JSON.stringify(file)});
    setInterval(() => {}, 1000);
  `,
  );
  await until(async () => (await lockOwner(file)) !== null);
  const waitedFor: number[] = [];
  const waiting = lockWhenFree(file, ({ pid }) => {
    waitedFor.push(pid);
    owner.kill("SIGKILL");
  });
  await (await waiting).release();
  t.deepEqual(waitedFor, [owner.pid ?? 0]);
  t.is(await lockOwner(file), null);
});
