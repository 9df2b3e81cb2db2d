import test from "ava";
import { feedWorld } from "./feed.ts";

test("every batch that is not loaded is announced once a listing, in ascending numeric order", async (t) => {
  const world = await feedWorld(t);
  for (const n of [10, 9, 1]) world.batch(n);
  const { result, events } = await world.arrivals();
  t.deepEqual(result, { announced: [1, 9, 10], waiting: [], unstable: [] });
  t.deepEqual(
    events.map((event) => event.extra),
    [{ batch: 1 }, { batch: 9 }, { batch: 10 }],
  );
  t.deepEqual((await world.arrivals()).events, events, "the key makes a second announcement harmless");
});

test("a loaded batch is silent until a file of it is sent again with other content", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  const first = await world.arrivals();
  await world.ingest(1);
  await world.database.query(
    "update file_manifest set state = 'loaded', rows_read = 0, rows_loaded = 0, rows_duplicate = 0, rows_quarantined = 0",
  );
  t.deepEqual((await world.arrivals()).result, { announced: [], waiting: [], unstable: [] });
  world.batch(1, { branches: "branch_id\n1\n2\n" });
  const again = await world.arrivals();
  t.deepEqual(again.result.announced, [1]);
  t.not(again.events[0]?.key, first.events[0]?.key);
});

test("a batch that still changes between the listings is left for later, the others are not", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  world.batch(2);
  const pause = () => world.batch(1, { branches: "branch_id\n1\n2\n" });
  const { result } = await world.arrivals({ pause });
  t.deepEqual(result, { announced: [2], waiting: [], unstable: [1] });
});

test("an incomplete batch waits its grace, is announced as it is, and again when the file comes", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  world.ftp.files.delete("/group1/sales_agents_SS_raw_1.csv");
  t.deepEqual((await world.arrivals()).result, { announced: [], waiting: [1], unstable: [] });
  await world.database.query("update file_manifest set seen_at = now() - interval '31 seconds'");
  const late = await world.arrivals();
  t.deepEqual(late.result.announced, [1]);
  t.true(late.lines.some((line) => line.message.includes("lacks sales_agents")));
  world.batch(1);
  const complete = await world.arrivals();
  t.deepEqual(complete.result.announced, [1]);
  t.not(complete.events[0]?.key, late.events[0]?.key);
});

test("an empty server and empty batch folders announce nothing", async (t) => {
  const world = await feedWorld(t);
  t.deepEqual((await world.arrivals()).events, []);
  world.ftp.folders.add("/group1");
  t.deepEqual((await world.arrivals()).events, []);
});
