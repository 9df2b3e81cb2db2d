/** Several workers, a clock that jumps, and programs that live as long as their guard trusts the lease: never two at once. */
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import type { Database } from "../../src/metadata/database.ts";
import { endGoneSession } from "../../src/metadata/rescue.ts";
import { createMasker } from "../../src/metadata/secrets/mask.ts";
import { pauseService, restartService, resumeService } from "../../src/metadata/services/actions.ts";
import { appendServiceLog } from "../../src/metadata/services/logs.ts";
import { tendServices } from "../../src/metadata/services/work.ts";
import { heartbeat, registerWorker } from "../../src/metadata/work.ts";
import { LogBacklog } from "../../src/worker/log-backlog.ts";
import { LogSink } from "../../src/worker/log-sink.ts";
import type { Launcher, ProgramExit, RunningProgram } from "../../src/worker/services/launcher.ts";
import { Services } from "../../src/worker/services/services.ts";
import { deployServices, serviceSpec } from "../metadata/service-fixture.ts";
import { testDatabase } from "../support/database.ts";
import { testHome } from "./support.ts";

interface World {
  readonly db: Database;
  clock: number;
  /** Calls of the database that have not been answered. */
  calls: number;
  readonly programs: FakeProgram[];
}

/** The database's leases run on while the test does: what is advanced comes on top of that. */
function now(world: World): number {
  return world.clock + performance.now();
}

/** A program under a guard that is never late. */
class FakeProgram implements RunningProgram {
  readonly pid = 1;
  readonly exited: Promise<ProgramExit>;
  readonly host: string;
  readonly #world: World;
  readonly #ended = Promise.withResolvers<ProgramExit>();
  #trustedUntil: number;
  #gone = false;

  constructor(world: World, host: string, trustedUntil: number) {
    this.#world = world;
    this.host = host;
    this.#trustedUntil = trustedUntil;
    this.exited = this.#ended.promise;
  }

  get lives(): boolean {
    if (!this.#gone && now(this.#world) >= this.#trustedUntil) this.end({ distrusted: true });
    return !this.#gone;
  }

  end(how: Partial<ProgramExit> = {}): void {
    this.#gone = true;
    this.#ended.resolve({ code: null, signal: "SIGKILL", distrusted: false, ...how });
  }

  trust(until: number): void {
    if (this.lives) this.#trustedUntil = until;
  }

  drain(): void {
    this.end({ code: 0, signal: null });
  }

  async kill(): Promise<boolean> {
    this.end();
    return true;
  }

  async isChanged(): Promise<boolean> {
    return false;
  }

  async tidy(): Promise<void> {}
}

/** A worker without a process. While it is suspended it neither renews nor looks. */
class FakeWorker {
  readonly services: Services;
  readonly host: string;
  readonly #world: World;
  #workerId = "";
  suspended = false;

  constructor(world: World, host: string, folder: string) {
    this.#world = world;
    this.host = host;
    const launcher: Launcher = {
      start: async (_, trustedUntil) => {
        // What an earlier attempt left on this host is ended first.
        for (const other of world.programs) if (other.host === host) other.end();
        const program = new FakeProgram(world, host, trustedUntil);
        world.programs.push(program);
        return program;
      },
    };
    this.services = new Services({
      database: world.db,
      launcher,
      sink: new LogSink({
        masker: createMasker([]),
        backlog: new LogBacklog(join(folder, `log-${host}-${Math.random()}`)),
        append: (batches) => appendServiceLog(world.db, batches),
        warn: () => {},
      }),
      mask: (text) => text,
      workerId: () => this.#workerId,
      refreshSecrets: async () => {},
      warn: () => {},
      clock: () => now(world),
    });
  }

  async register(): Promise<void> {
    const identity = { hostId: this.host, pid: 1, pidStartedAt: "1", marker: "m", queues: ["default"] };
    this.#workerId = (await registerWorker(this.#world.db, identity)).workerId;
    this.services.renewed(performance.now());
  }

  async beat(): Promise<void> {
    if (this.suspended) return;
    try {
      await heartbeat(this.#world.db, this.#workerId);
      this.services.renewed(performance.now());
    } catch {
      this.services.lost();
      await this.register();
    }
  }

  /** Its process is seen to be gone, and the guard is as late as it may be. */
  async vanish(): Promise<void> {
    await endGoneSession(this.#world.db, this.#workerId);
    this.suspended = true;
  }

  look(): void {
    if (this.suspended) return;
    this.services.wake();
    this.services.tick();
  }
}

type Step =
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "look" | "beat" | "suspend" | "wake" | "vanish"; readonly worker: number }
  | { readonly do: "reap" | "pause" | "resume" | "restart" | "deploy" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 100, max: 9_000 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("look", "look", "beat", "beat", "suspend", "wake", "vanish"),
      worker: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("reap", "reap", "resume", "pause", "restart", "deploy") }) },
);

/** The database's clock cannot be set: everything in it that lies in the future comes closer. */
async function advance(world: World, ms: number): Promise<void> {
  world.clock += ms;
  const seconds = ms / 1000;
  await world.db.query("update worker set lease_expires_at = lease_expires_at - make_interval(secs => $1)", [seconds]);
  await world.db.query(
    "update service set restart_at = restart_at - make_interval(secs => $1), fenced_until = fenced_until - make_interval(secs => $1)",
    [seconds],
  );
}

async function settle(world: World): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    await nextTurn();
    quiet = world.calls === 0 ? quiet + 1 : 0;
  }
}

async function perform(world: World, workers: FakeWorker[], step: Step): Promise<void> {
  const { db } = world;
  switch (step.do) {
    case "advance":
      return advance(world, step.ms);
    case "reap":
      await db.query(
        "update worker set state = 'lost', ended_at = now() where state = 'active' and lease_expires_at < now()",
      );
      return tendServices(db);
    case "pause":
      return pauseService(db, "s");
    case "resume":
      return resumeService(db, "s");
    case "restart":
      return restartService(db, "s");
    case "deploy":
      await deployServices(db, serviceSpec(String(world.clock)));
      return;
    default:
      return ofWorker(workers[step.worker] as FakeWorker, step.do);
  }
}

async function ofWorker(worker: FakeWorker, what: "look" | "beat" | "suspend" | "wake" | "vanish"): Promise<void> {
  if (what === "look") worker.look();
  else if (what === "beat") await worker.beat();
  else if (what === "vanish") await worker.vanish();
  else if (what === "suspend") worker.suspended = true;
  else if (what === "wake") worker.suspended = false;
}

function counted(world: () => World, db: Database): Database {
  return {
    ...db,
    query: async (...args: Parameters<Database["query"]>) => {
      world().calls++;
      try {
        return await db.query(...args);
      } finally {
        world().calls--;
      }
    },
  } as Database;
}

async function runSteps(t: ExecutionContext, steps: readonly Step[]): Promise<void> {
  const own = await testDatabase(t);
  const folder = await testHome(t);
  let world: World | null = null;
  const db = counted(() => world as World, own);
  world = { db, clock: 1_000_000, calls: 0, programs: [] };
  await deployServices(own, serviceSpec());
  await resumeService(own, "s");
  // Two share a host.
  const workers = ["a", "a", "b", "c"].map((host) => new FakeWorker(world, host, folder));
  for (const worker of workers) await worker.register();
  for (const one of steps) {
    await perform(world, workers, one);
    await settle(world);
    const living = world.programs.filter((program) => program.lives);
    if (living.length > 1) throw new Error(`${living.length} programs live after ${JSON.stringify(one)}`);
  }
  for (const program of world.programs) program.end();
  await settle(world);
  for (const { services } of workers) services.close();
}

test("whatever workers, leases and wishes do, no two programs of a service live at once", async (t) => {
  t.timeout(240_000);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: "max" }), (steps) => runSteps(t, steps)),
    { numRuns: 5 },
  );
  t.pass();
});

test("a suspended worker's program ends itself before another host starts one", async (t) => {
  const look = (worker: number): Step => ({ do: "look", worker });
  const beatOthers: Step[] = [2, 3].map((worker) => ({ do: "beat", worker }));
  const later: Step[] = Array.from({ length: 8 }, (): Step[] => [
    { do: "advance", ms: 4_000 },
    ...beatOthers,
    { do: "reap" },
    look(2),
    look(3),
  ]).flat();
  await runSteps(t, [
    look(0),
    { do: "suspend", worker: 0 },
    { do: "suspend", worker: 1 },
    ...later,
    { do: "wake", worker: 0 },
    look(0),
    { do: "beat", worker: 0 },
  ]);
  t.pass();
});

test("of a worker that is gone another host starts nothing before the lease is over, the same host does at once", async (t) => {
  const look = (worker: number): Step => ({ do: "look", worker });
  await runSteps(t, [look(0), { do: "vanish", worker: 0 }, { do: "reap" }, look(2), look(3), look(1)]);
  t.pass();
});
