import test from "ava";
import type { ClaimedService } from "../../src/metadata/services/types.ts";
import type { RunningProgram } from "../../src/worker/services/launcher.ts";
import { ServiceRun } from "../../src/worker/services/service-run.ts";
import { nodeService } from "./service-support.ts";

test("an attempt is told to have ended when nothing of it is left, not when its first process is gone", async (t) => {
  let kills = 0;
  const program: RunningProgram = {
    pid: 1,
    exited: Promise.resolve({ code: 1, signal: null, distrusted: false }),
    trust: () => {},
    drain: () => {},
    kill: async () => ++kills > 1,
    isChanged: async () => false,
    tidy: async () => {},
  };
  const claimed: ClaimedService = {
    attemptId: "a",
    token: "t",
    serviceId: "counter",
    number: 1,
    spec: nodeService(""),
    instance: "i",
    secretsVersion: 1,
  };
  const run = new ServiceRun({
    claimed,
    launcher: { start: async () => program },
    trustedUntil: () => Number.POSITIVE_INFINITY,
    log: () => {},
    clock: () => 0,
    send: async () => true,
    warn: () => {},
  });
  const end = await run.run();
  t.is(end?.state, "failed");
  t.is(kills, 2);
});
