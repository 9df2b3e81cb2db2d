/** The Python side of services: what it says is what the worker hears. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { hear } from "../../src/worker/services/messages.ts";

const PYTHON = join(import.meta.dirname, "../../src/operators/python");
const ENV = {
  PATH: process.env.PATH,
  PYTHONPATH: PYTHON,
  PYTHONDONTWRITEBYTECODE: "1",
  QFLOW_SERVICE_ID: "s",
  QFLOW_FENCING_TOKEN: "7",
  QFLOW_CHECKPOINT: "/lake/checkpoints/s",
};

/** Runs a script and answers the messages it said. */
async function heard(script: string, drain = "/nowhere") {
  const { stdout } = await promisify(execFile)("python3", ["-c", script], { env: { ...ENV, QFLOW_DRAIN: drain } });
  return stdout
    .trim()
    .split("\n")
    .map((line) => hear(line, ["d"]));
}

test("every call is a message that the worker reads", async (t) => {
  const script = `
from qflow_service import Service
s = Service()
assert (s.id, s.fencing_token, s.checkpoint, s.draining) == ("s", 7, "/lake/checkpoints/s", False)
s.ready(); s.heartbeat(); s.progress(3, 10, lag=2, batchMs=1.5); s.emit("d", "2026-11-22/10", 4); s.emit("d")
s.fields("d", [("couponCode", "string")])`;
  t.deepEqual(await heard(script), [
    { sign: true },
    { sign: true },
    { batch: { batch: 3, rows: 10, lag: 2, batchMs: 1.5 } },
    { event: { dataset: "d", partition: "2026-11-22/10", rows: 4 } },
    { event: { dataset: "d" } },
    { fields: [{ dataset: "d", name: "couponCode", type: "string" }] },
  ]);
});

test("the connection of a service is options of Spark's Kafka source", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-kafka-config-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, "kafka.json");
  await writeFile(file, JSON.stringify({ "bootstrap.servers": "h:1", "security.protocol": "SSL" }));
  const script = `
import os
from qflow_service import Service
assert Service().kafka_options == {}
os.environ["QFLOW_KAFKA_CONFIG"] = "${file}"
s = Service()
assert s.kafka_options == {"kafka.bootstrap.servers": "h:1", "kafka.security.protocol": "SSL"}, s.kafka_options
s.ready()`;
  t.deepEqual(await heard(script), [{ sign: true }]);
});

/** A streaming query as Spark gives it: two batches, then idle; with \`failure\` it ends with that. */
const QUERY = `
from qflow_service import Service
class Query:
    def __init__(self, failure=None):
        self.looks, self.stopped, self.failure, self.recentProgress = 0, False, failure, []
        self.status = {"isTriggerActive": False, "isDataAvailable": False}
    @property
    def isActive(self):
        self.looks += 1
        if self.looks <= 2:
            self.recentProgress.append({"batchId": self.looks, "numInputRows": 5, "inputRowsPerSecond": float("nan"),
                "durationMs": {"triggerExecution": 40}, "sources": [{"description": "kafka", "endOffset": '{"t":{"0":5,"1":9}}',
                "latestOffset": '{"t":{"0":8,"1":9}}'}]})
        return not self.stopped and not (self.failure and self.looks > 3)
    def stop(self): self.stopped = True
    def exception(self): return self.failure
`;

test("a streaming query is followed: progress and lag of each batch, and its end when that is wanted", async (t) => {
  const script = `${QUERY}
import os
query = Query()
drains = iter([False, False, False, True])
Service.draining = property(lambda self: next(drains))
Service().follow(query, every=0)
assert query.stopped`;
  const batch = (n: number) => ({
    batch: { batch: n, rows: 5, batchMs: 40, lag: 3, offsets: { kafka: { t: { 0: 5, 1: 9 } } } },
  });
  t.deepEqual(await heard(script), [{ sign: true }, batch(1), batch(2)]);
});

test("a batch whose rows Spark counted twice is told with what it really has", async (t) => {
  const script = `${QUERY}
query = Query()
drains = iter([False, False, False, True])
Service.draining = property(lambda self: next(drains))
Service().follow(query, every=0, rows_of={2: 1}.get)`;
  const said = await heard(script);
  t.deepEqual(
    said.flatMap((one) => (one !== null && "batch" in one && one.batch ? [one.batch.rows] : [])),
    [5, 1],
  );
});

test("what made a query fail ends the program", async (t) => {
  const script = `${QUERY}
try:
    Service().follow(Query(ValueError("offset out of range")), every=0)
except ValueError as error:
    Service().emit("d", str(error))`;
  t.deepEqual((await heard(script)).at(-1), { event: { dataset: "d", partition: "offset out of range" } });
});
