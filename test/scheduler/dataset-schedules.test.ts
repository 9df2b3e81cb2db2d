import test from "ava";
import fc from "fast-check";
import type { DagSpec, DatasetCondition, DatasetConsumption } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun, pauseDag, unpauseDag } from "../../src/metadata/runs.ts";
import type { EmittedEvent } from "../../src/metadata/work.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

function look(db: Database): Look {
  return new Look(db, "host", { warn: (message) => Promise.reject(new Error(message)) });
}

const A: DatasetCondition = { dataset: "a" };
const BOTH: DatasetCondition = { all: [A, { dataset: "b" }] };

function consumer(condition: DatasetCondition, consume: DatasetConsumption, given: Partial<DagSpec> = {}): DagSpec {
  return dagSpec("consumer", [{ id: "take" }], { schedule: { kind: "datasets", condition, consume }, ...given });
}

const PRODUCER = dagSpec("producer", [{ id: "emit" }]);

/** Records events as a task of the producer does. */
async function emit(db: Database, ...events: EmittedEvent[]): Promise<void> {
  await createRun(db, { dagId: "producer", by: "test" });
  await work(db, (task) => (task.dagId === "producer" ? { state: "success", value: null, events } : success()));
}

interface RunRow {
  readonly partition: string | null;
  readonly events: readonly string[];
}

/** Runs of the consumer in order: their partition, and their events as `dataset:key`. */
async function runsOf(db: Database): Promise<RunRow[]> {
  const result = await db.query<RunRow>(
    `select r.partition, array(select e.dataset || ':' || e.key from dag_run_event x join dataset_event e on e.id = x.event_id
       where x.dag_run_id = r.id order by e.id) as events from dag_run r where r.dag_id = 'consumer' order by r.id`,
  );
  return result.rows;
}

const day = (dataset: string, partition: string, key = partition): EmittedEvent => ({ dataset, partition, key });

test("a run a partition, when every dataset has that partition", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, PRODUCER, consumer(BOTH, "partition"));
  await emit(db, day("a", "mon"), day("a", "tue"), day("b", "tue"));
  await look(db).once();
  t.deepEqual(await runsOf(db), [{ partition: "tue", events: ["a:tue", "b:tue"] }]);
  const [task] = await work(db, () => success());
  t.is(task?.partition, "tue");
  t.deepEqual(
    task?.events.map(({ dataset, partition }) => [dataset, partition]),
    [
      ["a", "tue"],
      ["b", "tue"],
    ],
  );
  await look(db).once();
  t.is((await runsOf(db)).length, 1, "Monday waits for b");
  await emit(db, day("a", "mon", "mon again"), day("b", "mon"));
  await look(db).once();
  t.deepEqual((await runsOf(db)).slice(1), [{ partition: "mon", events: ["a:mon", "a:mon again", "b:mon"] }]);
  t.is((await db.query("select from dataset_waiting")).rowCount, 0);
});

test("partitions that are complete wait for room, oldest first, and take in what comes meanwhile", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, PRODUCER, consumer(A, "partition", { maxActiveRuns: 1 }));
  await emit(db, day("a", "mon"), day("a", "tue"), day("a", "wed"));
  await Promise.all([look(db).once(), look(db).once()]);
  t.deepEqual(await runsOf(db), [{ partition: "mon", events: ["a:mon"] }]);
  await pauseDag(db, "consumer");
  await emit(db, day("a", "wed", "wed again"), day("a", "mon", "mon again"));
  await unpauseDag(db, "consumer");
  for (let i = 0; i < 5; i++) {
    await work(db, () => success());
    await Promise.all([look(db).once(), look(db).once()]);
  }
  t.deepEqual((await runsOf(db)).slice(1), [
    { partition: "tue", events: ["a:tue"] },
    { partition: "wed", events: ["a:wed", "a:wed again"] },
    { partition: "mon", events: ["a:mon again"] },
  ]);
});

test("events without a partition meet those without one", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, PRODUCER, consumer(BOTH, "partition"));
  await emit(db, { dataset: "a", key: "1" }, day("b", "mon"), { dataset: "b", key: "2" });
  await look(db).once();
  t.deepEqual(await runsOf(db), [{ partition: null, events: ["a:1", "b:2"] }]);
});

test("what a run of a partition emits is of that partition, unless it says otherwise", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, PRODUCER, consumer(A, "partition"));
  await emit(db, day("a", "mon"));
  await look(db).once();
  await work(db, () => ({
    state: "success",
    value: null,
    events: [{ dataset: "c" }, { dataset: "c", partition: "tue" }],
  }));
  const found = await db.query("select partition from dataset_event where dataset = 'c' order by id");
  t.deepEqual(
    found.rows.map((row) => row.partition),
    ["mon", "tue"],
  );
});

test("a changed condition is held against what waits already", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, PRODUCER, consumer(BOTH, "partition"));
  await emit(db, day("a", "mon"), day("a", "tue"));
  await look(db).once();
  t.deepEqual(await runsOf(db), []);
  await deploy(db, PRODUCER, consumer({ any: [A, { dataset: "b" }] }, "partition"));
  await look(db).once();
  t.deepEqual(
    (await runsOf(db)).map((run) => run.partition),
    ["mon", "tue"],
  );
});

test("a DAG that no longer runs by partitions takes what waited for the rest of one", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, PRODUCER, consumer(BOTH, "partition"));
  await emit(db, day("a", "mon"), day("b", "tue"));
  await look(db).once();
  await deploy(db, PRODUCER, consumer(BOTH, "pending"));
  await look(db).once();
  t.deepEqual(await runsOf(db), [{ partition: null, events: ["a:mon", "b:tue"] }]);
  await look(db).once();
  t.is((await runsOf(db)).length, 1);
});

interface Step {
  readonly kind: "emit" | "look" | "work" | "pause" | "unpause";
  readonly dataset: "a" | "b";
  readonly partition: string;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom("emit", "emit", "emit", "look", "look", "work", "pause", "unpause"),
    dataset: fc.constantFrom("a", "b"),
    partition: fc.constantFrom("1", "2", "3"),
  }),
  { minLength: 10, maxLength: 20 },
);

async function play(db: Database, story: readonly Step[]): Promise<void> {
  let n = 0;
  for (const { kind, dataset, partition } of story) {
    if (kind === "emit") {
      const record = "insert into dataset_event (dataset, key, partition, extra) values ($1, $2, $3, '{}')";
      await db.query(record, [dataset, `${++n}`, partition]);
    }
    // Two schedulers at once.
    if (kind === "look") await Promise.all([look(db).once(), look(db).once()]);
    if (kind === "work") await work(db, () => success());
    if (kind === "pause") await pauseDag(db, "consumer");
    if (kind === "unpause") await unpauseDag(db, "consumer");
  }
  await unpauseDag(db, "consumer");
  for (let before = -1, now = 0; before < now; ) {
    before = now;
    await Promise.all([look(db).once(), look(db).once()]);
    await work(db, () => success());
    now = (await runsOf(db)).length;
  }
}

interface EventRow {
  readonly name: string;
  readonly dataset: string;
  readonly partition: string;
}

/** Every event there is, in order, as `dataset:key` and its partition. */
async function eventsOf(db: Database): Promise<EventRow[]> {
  const result = await db.query<EventRow>(
    "select dataset || ':' || key as name, dataset, partition from dataset_event order by id",
  );
  return result.rows;
}

/** Plays stories against a fresh consumer each; a database is too dear to have one each. */
async function holdsAlways(
  db: Database,
  spec: DagSpec,
  check: (runs: RunRow[], events: EventRow[]) => boolean,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      await db.query("truncate dag, dag_run, dataset_event, dataset_waiting, dataset_cursor, dag_run_event cascade");
      await deploy(db, PRODUCER, spec);
      await play(db, story);
      return check(await runsOf(db), await eventsOf(db));
    }),
    { numRuns: 6 },
  );
}

const inOrder = (names: readonly string[], all: readonly { name: string }[]): boolean => {
  const places = names.map((name) => all.findIndex((event) => event.name === name));
  return places.every((place, i) => i === 0 || place > (places[i - 1] as number));
};

for (const consume of ["each", "pending"] as const) {
  test(`consume "${consume}": every event starts one run, in order, at one active run, paused or not, with two schedulers`, async (t) => {
    const db = await testDatabase(t);
    const any: DatasetCondition = { any: [A, { dataset: "b" }] };
    await holdsAlways(db, consumer(any, consume, { maxActiveRuns: 1 }), (runs, events) => {
      const taken = runs.flatMap((run) => run.events);
      const whole = taken.length === events.length && inOrder(taken, events);
      return whole && (consume === "pending" || runs.every((run) => run.events.length === 1));
    });
    t.pass();
  });
}

test("by partition: no event is in two runs or in a run of another partition, and only incomplete partitions wait", async (t) => {
  const db = await testDatabase(t);
  await holdsAlways(db, consumer(BOTH, "partition", { maxActiveRuns: 1 }), (runs, events) => {
    const partitionOf = new Map(events.map(({ name, partition }) => [name, partition]));
    const taken = new Set(runs.flatMap((run) => run.events));
    const once = taken.size === runs.reduce((n, run) => n + run.events.length, 0);
    const own = runs.every((run) => run.events.every((name) => partitionOf.get(name) === run.partition));
    const complete = runs.every((run) => ["a:", "b:"].every((of) => run.events.some((name) => name.startsWith(of))));
    const left = events.filter(({ name }) => !taken.has(name));
    const waitingAlone = left.every(
      ({ partition, dataset }) => !left.some((other) => other.partition === partition && other.dataset !== dataset),
    );
    return once && own && complete && waitingAlone;
  });
  t.pass();
});
