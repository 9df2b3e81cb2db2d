/** The store's contract on a real HDFS, and what a kill of its processes in the middle of a write leaves. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { type Bytes, type FileStore, openStore } from "../../src/lake/index.ts";
import { type TestEngines, testEngines } from "../support/engines.ts";
import { bytesOf, storeContract, text } from "./support/contract.ts";

let hdfs: TestEngines;
let stores = 0;

const ends: (() => unknown)[] = [];

test.before("an HDFS", async (t) => {
  const forFile = { timeout: (ms: number) => t.timeout(ms), teardown: (end: () => unknown) => void ends.push(end) };
  hdfs = await testEngines(forFile as Parameters<typeof testEngines>[0], ["hdfs"]);
});

test.after.always("nothing is left running", async () => {
  for (const end of ends.reverse()) await end();
});

function newStore(): FileStore {
  const connection = hdfs.config.connections.hdfs_default;
  if (!connection) throw new Error("there is no connection hdfs_default");
  return openStore(`hdfs:///store-${++stores}`, { connection: () => connection });
}

storeContract(test, async () => newStore());

/** As a task that is tried again does: a NameNode that has just come back may be in safe mode for a while. */
async function writtenAtLast(store: FileStore, path: string, content: string): Promise<void> {
  const deadline = Date.now() + 180_000;
  for (;;) {
    try {
      await store.write(path, text(content));
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== "LAKE_UNAVAILABLE" || Date.now() > deadline) throw error;
      await sleep(500);
    }
  }
}

for (const victim of ["datanode", "namenode"] as const) {
  test.serial(`kill -9 of the ${victim} in the middle of a write: try again later, and no half file`, async (t) => {
    t.timeout(300_000);
    const store = newStore();
    await store.write("before", text("x"));
    const part = randomBytes(1_000_000);
    // The write may fail as soon as the process is gone, long before the next one is there.
    let back: Promise<void> | undefined;
    const content = async function* (): Bytes {
      for (let i = 0; i < 40; i++) {
        if (i === 10) {
          back = hdfs.killAndAwait(victim);
          await back;
        }
        yield part;
      }
    };
    const failure = await store.write("folder/file", content()).then(
      () => null,
      (error: Error & { code?: string }) => error,
    );
    await back;
    if (victim === "datanode") t.is(failure?.code, "LAKE_UNAVAILABLE", String(failure));
    const found = await store.stat("folder/file");
    t.is(found?.bytes ?? null, failure === null ? 40 * part.length : null);
    if (failure !== null) await writtenAtLast(store, "folder/file", "again");
    t.is(String(await bytesOf(store.read("before"))), "x");
    if (failure !== null) t.is(String(await bytesOf(store.read("folder/file"))), "again");
  });
}
