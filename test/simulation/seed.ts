/** One seed: a workload, actors, faults; then a time without faults in which everything must come to its end. */
import { tmpdir } from "node:os";
import { type Database, databaseOver } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { loadCheck } from "../../src/operators/checks.ts";
import { deploy } from "../metadata/fixtures.ts";
import { type Cast, scheduler, sender, worker } from "./actors.ts";
import { Driver } from "./driver.ts";
import { findWrongEnds, isQuiet, leftOver } from "./oracle.ts";
import { approver, person, publisher } from "./people.ts";
import { randomFrom } from "./random.ts";
import type { Backend, SimulatedServer } from "./server.ts";
import { Stage } from "./stage.ts";
import { Steps } from "./steps.ts";
import { VirtualTime } from "./virtual-time.ts";
import { Workload } from "./workload.ts";

/** What came of a seed. */
export interface SeedReport {
  readonly seed: number;
  /** Nothing when the seed passed. */
  readonly problems: readonly string[];
  readonly steps: number;
  readonly trace: readonly string[];
}

/** Beginnings of simulated time: an ordinary day, both changes of daylight saving time, a leap day. */
const BASES = ["2026-05-12T09:58:30Z", "2026-03-29T00:59:10Z", "2026-10-25T00:58:40Z", "2028-02-28T23:59:20Z"];
/** Sensors that random DAGs declare. */
const CHECKS = ["approval", "dataset_sensor", "task_sensor", "time_sensor"];
/** Virtual milliseconds without faults within which everything ends. */
const PATIENCE_MS = 600_000;
const STEP_LIMIT = 60_000;

/** Runs a seed from beginning to end. */
export async function simulate(server: SimulatedServer, seed: number): Promise<SeedReport> {
  const random = randomFrom(seed);
  const base = new Date(random.pick(BASES));
  const problems: string[] = [];
  const wrong = (problem: string) => void (problems.length < 10 && problems.push(problem));
  const time = new VirtualTime(random);
  const stage = new Stage(server);
  const workload = new Workload(seed, random, base);
  const now = () => new Date(base.getTime() + time.now + driver.skew);
  const started = () => new Date(base.getTime() + driver.startedAt + driver.skew);
  const steps = new Steps(stage, { now, at: () => time.now, started });
  const cast: Cast = { stage, workload, random, folder: tmpdir(), wrong };
  const driver: Driver = new Driver({ stage, steps, time, random, wrong });
  // Loaded now, a check is there at once when it is asked for.
  for (const name of CHECKS) await loadCheck(name);
  await server.clean();
  const backend = await server.take();
  const database = await ownDatabase(server, backend, now());
  await database.query("insert into pool (name, slots) values ('narrow', $1)", [2 + random.int(2)]);
  await deploy(database, ...[...workload.pieces.values()].map(({ spec }) => spec));
  await play({ cast, driver, time, database, now });
  if (problems.length === 0) {
    for (const one of await findViolations(database)) wrong(`${one.invariant}: ${one.problem}: ${one.subject}`);
    for (const problem of await findWrongEnds(database, workload, driver)) wrong(problem);
  }
  await clear(stage, steps);
  await server.release(backend);
  return { seed, problems, steps: driver.steps, trace: driver.trace };
}

interface Play {
  cast: Cast;
  driver: Driver;
  time: VirtualTime;
  database: Database;
  now(): Date;
}

async function play({ cast, driver, time, database, now }: Play): Promise<void> {
  const { random } = cast;
  const broken: string[] = [];
  const wrong = (problem: string) => {
    broken.push(problem);
    cast.wrong(problem);
  };
  driver.faults = random.pick([0, 0.01, 0.03, 0.06]);
  const people = [person(cast, "person", 2 + random.int(6)), approver(cast, "approver")];
  if (cast.workload.topic) people.push(publisher(cast, "publisher"));
  const schedulers = Array.from({ length: 1 + random.int(2) }, (_, i) => scheduler(cast, `scheduler-${i + 1}`));
  const workers = Array.from({ length: 2 + random.int(2) }, (_, i) =>
    worker(cast, `worker-${i + 1}`, random.chance(0.2) ? random.int(30_000) : null),
  );
  const senders = Array.from({ length: 1 + random.int(2) }, (_, i) => sender(cast, `sender-${i + 1}`));
  for (const role of [...schedulers, ...workers, ...people, ...senders]) await driver.start(role);
  const until = 15_000 + random.int(45_000);
  while (time.now < until && broken.length === 0 && driver.steps < STEP_LIMIT) await driver.step();
  await driver.heal();
  await driver.start(scheduler(cast, "scheduler-last"));
  await driver.start(worker(cast, "worker-last", null));
  const end = time.now + PATIENCE_MS;
  for (;;) {
    if (broken.length > 0 || driver.steps > STEP_LIMIT) break;
    if (!(await driver.step())) continue;
    await setTime(database, now());
    if (await isQuiet(database, cast.workload)) return;
    if (time.now > end) return wrong(`what runs has not come to its end: ${await leftOver(database)}`);
  }
  if (driver.steps > STEP_LIMIT) wrong("too many steps");
}

/** The simulation's own look at the database, at the virtual time. */
async function ownDatabase(server: SimulatedServer, backend: Backend, now: Date): Promise<Database> {
  const { client } = backend;
  const query = client.query.bind(client);
  const pool = {
    query,
    connect: async () => ({ query, release: () => {} }),
    end: async () => {},
  };
  const database = databaseOver(pool as never, server.url);
  await setTime(database, now);
  return database;
}

async function setTime(database: Database, now: Date): Promise<void> {
  await database.query("select set_config('sim.now', $1, false)", [now.toISOString()]);
}

/** Takes every actor off the stage. */
async function clear(stage: Stage, steps: Steps): Promise<void> {
  for (const statement of [...stage.statements]) {
    if (statement.phase === "sent" && statement.backend) {
      await stage.server.cancel(statement.backend);
      await statement.sent?.ended;
      if (!statement.session) await stage.server.release(statement.backend);
    }
    if (statement.phase === "open") await steps.undo(statement);
    stage.remove(statement);
  }
  for (const session of stage.sessions) {
    session.released = true;
    await steps.reclaim();
  }
}
