import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { endPrevious } from "../../src/operators/spark/handle.ts";
import { endGroup } from "../../src/processes/ending.ts";
import { findByMarker, identify, isAlive } from "../../src/processes/table.ts";
import { testDatabase } from "../support/database.ts";
import { operatorContext } from "../support/operator-context.ts";

/** A leader that ignores TERM, with a grandchild in a session of its own that ignores it too; both carry the marker. */
async function stubborn(token: string) {
  const script = "trap '' TERM; setsid sh -c \"trap '' TERM; echo ready; sleep 600 & wait\" & sleep 600 & wait";
  const child = spawn("sh", ["-c", script], {
    detached: true,
    env: { PATH: process.env.PATH ?? "", QFLOW_ATTEMPT: token },
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const identity = await identify(child.pid ?? 0);
  if (identity === null) throw new Error("it did not start");
  return identity;
}

test("a group that ignores TERM is killed, with what left the group", async (t) => {
  const token = randomBytes(8).toString("hex");
  const leader = await stubborn(token);
  while ((await findByMarker("QFLOW_ATTEMPT", token)).length < 3) await sleep(20);
  t.deepEqual(await endGroup(leader, { name: "QFLOW_ATTEMPT", value: token }, 200), []);
  t.false(await isAlive(leader));
  t.deepEqual(await findByMarker("QFLOW_ATTEMPT", token), []);
});

test("a process that only has the pid of a dead one is left alone", async (t) => {
  const token = randomBytes(8).toString("hex");
  const living = await stubborn(token);
  const other = { pid: living.pid, startedAt: "1" };
  await endGroup(other, { name: "QFLOW_ATTEMPT", value: "nobody" }, 100);
  t.true(await isAlive(living));
  await endGroup(living, { name: "QFLOW_ATTEMPT", value: token }, 0);
});

test("a retry ends what an earlier attempt left and goes on only then; foreign handles are none of its business", async (t) => {
  const token = randomBytes(8).toString("hex");
  const left = await stubborn(token);
  const database = await testDatabase(t);
  const handle = { kind: "spark", session: "own", token, name: "d.t.x", process: { ...left }, applicationId: null };
  const { context, recorded } = operatorContext({ database, home: tmpdir(), previousHandle: handle });
  await endPrevious(context, () => false);
  t.false(await isAlive(left));
  t.true(recorded.lines.some((line) => line.message.includes("d.t.x")));
  const other = operatorContext({ database, home: tmpdir(), previousHandle: { kind: "other" } });
  await t.notThrowsAsync(endPrevious(other.context, () => false));
});
