import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { bundleFile } from "../../src/dag/bundle.ts";
import { openSandbox } from "../../src/dag/sandbox.ts";
import { dagText, folderWith } from "./folder.ts";

/** Process ids of the children of this process. */
const children = (): string[] =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);

test("a child that has nothing to do is ended; the next file starts another", async (t) => {
  const dir = await folderWith(t, { "a.ts": dagText("a") });
  const { bundle } = await bundleFile(`${dir}/a.ts`);
  const before = children();
  const sandbox = openSandbox({ restAfterMs: 1 });
  t.teardown(() => sandbox.close());
  for (let i = 0; i < 2; i++) {
    const { ok } = await sandbox.evaluate(`${dir}/a.ts`, bundle.code);
    t.true(ok);
    t.timeout(30_000);
    while (children().some((pid) => !before.includes(pid))) await sleep(5);
  }
});
