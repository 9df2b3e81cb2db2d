// A real NameNode and DataNode: what was written survives their kills, and ready means that files can be written.
import { text } from "node:stream/consumers";
import test from "ava";
import { hdfsAnswers } from "../../src/engines/hdfs-health.ts";
import { engineStatus } from "../../src/engines/index.ts";
import { openStore } from "../../src/lake/index.ts";
import { testEngines } from "../support/engines.ts";

async function* bytes(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}

test.serial(
  "files survive kills of both at the same addresses, and can be written as soon as they are ready",
  async (t) => {
    const { config, killAndAwait } = await testEngines(t, ["hdfs"]);
    const hdfs = config.connections.hdfs_default;
    if (!hdfs) return t.fail("there is no connection hdfs_default");
    const store = openStore("hdfs:///test", { connection: () => hdfs });
    const { engines } = await engineStatus(config);
    t.deepEqual(
      engines.filter(({ state }) => state === "ready").map(({ name }) => name),
      ["namenode", "datanode"],
    );
    await store.write("kept/before", bytes("one"));
    await killAndAwait("datanode");
    await store.write("kept/datanode", bytes("two"));
    await killAndAwait("namenode");
    await Promise.all([killAndAwait("datanode"), killAndAwait("namenode")]);
    await store.write("kept/both", bytes("three"));
    t.deepEqual(
      (await store.list("kept")).map(({ name, bytes }) => [name, bytes]),
      [
        ["before", 3],
        ["both", 5],
        ["datanode", 3],
      ],
    );
    t.is(await text(store.read("kept/before")), "one");
  },
);

test("ports on which nobody answers are no HDFS", async (t) => {
  t.false(await hdfsAnswers({ namenodeHttp: 1, datanodeHttp: 1 }));
});
