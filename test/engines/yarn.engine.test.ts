// A real ResourceManager and NodeManager: both come back at their addresses, and ready means that containers can be run.
import test from "ava";
import { engineStatus } from "../../src/engines/index.ts";
import { yarnAnswers } from "../../src/engines/yarn-health.ts";
import { testEngines } from "../support/engines.ts";

test.serial("both survive kills, and the ResourceManager hears of the node again", async (t) => {
  const { config, killAndAwait } = await testEngines(t, ["yarn"]);
  t.timeout(900_000);
  const before = (await engineStatus(config)).engines.filter(({ state }) => state === "ready");
  t.deepEqual(
    before.map(({ name }) => name),
    ["resourcemanager", "nodemanager"],
  );
  await killAndAwait("resourcemanager");
  await killAndAwait("nodemanager");
  const after = (await engineStatus(config)).engines.filter(({ state }) => state === "ready");
  t.deepEqual(
    after.map(({ name, address }) => [name, address]),
    before.map(({ name, address }) => [name, address]),
  );
});

test("ports on which nobody answers are no YARN", async (t) => {
  t.false(await yarnAnswers({ resourcemanagerHttp: 1, nodemanagerHttp: 1 }));
});
