import { mkdtemp, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { openStore } from "../../src/lake/index.ts";
import { storeContract } from "./support/contract.ts";

async function localFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "qflow-store-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "lake");
}

const access = {
  connection: () => {
    throw new Error("a local folder needs no connection");
  },
};

storeContract(test, async (t) => openStore(await localFolder(t), access));

test("a sweep removes what is older than a day", async (t) => {
  const folder = await localFolder(t);
  const store = openStore(folder, access);
  await store.mkdir(".incoming/old");
  const twoDaysAgo = new Date(Date.now() - 2 * 24 * 3600 * 1000);
  await utimes(join(folder, ".incoming/old"), twoDaysAgo, twoDaysAgo);
  await store.sweep();
  t.deepEqual(await store.list(".incoming"), []);
});
