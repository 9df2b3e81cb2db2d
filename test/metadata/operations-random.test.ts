/** Whatever people do to a run in whatever order, nothing gets stuck and every promise about the database holds. */
import test from "ava";
import fc from "fast-check";
import { clearTasks } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { cancelTask, MARKED_STATES, markRun, markTasks } from "../../src/metadata/mark.ts";
import { cancelRun, createRun } from "../../src/metadata/runs.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { type AttemptOutcome, finishAndClaim } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, FAILED, fileOf, statesOf, success, type TaskGiven, work, worker } from "./fixtures.ts";

const RETRY = { retries: 1, delayMs: 60_000, factor: 1, maxMs: 60_000, jitter: "none" } as const;

/** Two versions of one DAG: a map, a branch, rules that run after failures; tasks come and go, one becomes mapped. */
const FIRST: TaskGiven[] = [
  { id: "list" },
  { id: "each", kind: "map", mapOver: "list", upstream: ["list"], retry: RETRY },
  { id: "branch", kind: "branch", upstream: ["list"] },
  { id: "left", upstream: ["branch"] },
  { id: "right", upstream: ["branch", "each"], rule: "all_done" },
  { id: "join", upstream: ["left", "right"], rule: "none_failed_min_one_success" },
  { id: "gone", upstream: ["join"] },
];
const SECOND: TaskGiven[] = [
  { id: "list" },
  { id: "new", upstream: ["list"] },
  { id: "each", upstream: ["new"], retry: RETRY },
  { id: "branch", kind: "branch", upstream: ["list"] },
  { id: "left", kind: "map", mapOver: "list", upstream: ["branch", "list"] },
  { id: "right", upstream: ["branch", "each"], rule: "all_done" },
  { id: "join", upstream: ["left", "right"], rule: "none_failed_min_one_success" },
];
const TASKS = ["list", "each", "branch", "left", "right", "join"] as const;

const task = fc.constantFrom(...TASKS);
const relatives = fc.constantFrom("none", "downstream", "upstream", "both");
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("claim" as const), n: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("finish" as const), bits: fc.nat(255), items: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("clear" as const),
      task,
      relatives,
      unended: fc.constantFrom("refuse", "cancel"),
      version: fc.constantFrom("pinned", "pinned", "latest"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("mark" as const),
      task,
      relatives,
      state: fc.constantFrom(...MARKED_STATES),
    }),
  },
  fc.record({ do: fc.constant("cancelTask" as const), task }),
  fc.record({ do: fc.constant("cancelRun" as const) }),
  fc.record({ do: fc.constant("markRun" as const), state: fc.constantFrom("success", "failed") }),
  fc.record({ do: fc.constant("retry" as const) }),
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

const RUN = { dagId: "d", runId: "r" };

/** A worker that holds what it claimed until told to finish; outcomes of fenced tries are sent all the same. */
class World {
  readonly #db: Database;
  readonly #workerId: string;
  #held: { attemptId: string; token: string; taskId: string }[] = [];

  constructor(db: Database, workerId: string) {
    this.#db = db;
    this.#workerId = workerId;
  }

  async run(given: Command): Promise<void> {
    switch (given.do) {
      case "claim":
        return this.#claim(given.n);
      case "finish":
        return this.#finish(given.bits, given.items);
      case "clear": {
        const { task: taskId, relatives: with_, unended, version } = given;
        return void (await clearTasks(this.#db, { ...RUN, tasks: [{ taskId }], relatives: with_, unended, version }));
      }
      case "mark": {
        const { task: taskId, relatives: with_, state } = given;
        return void (await markTasks(this.#db, { ...RUN, tasks: [{ taskId }], relatives: with_, state }));
      }
      case "cancelTask":
        return void (await cancelTask(this.#db, RUN, { taskId: given.task }));
      case "cancelRun":
        return void (await cancelRun(this.#db, RUN.dagId, RUN.runId));
      case "markRun":
        return markRun(this.#db, RUN, given.state);
      case "retry":
        return void (await this.#db.query("update task_instance set wake_at = now() where state = 'up_for_retry'"));
    }
  }

  async #claim(functions: number): Promise<void> {
    const { claimed } = await finishAndClaim(this.#db, this.#workerId, [], { functions, operators: 0 });
    this.#held.push(...claimed);
  }

  async #finish(bits: number, items: number): Promise<void> {
    const outcomes = this.#held.map(({ attemptId, token, taskId }, i): AttemptOutcome => {
      const id = { attemptId, token };
      if ((bits >> (i % 8)) & 1) return { ...id, ...FAILED } as AttemptOutcome;
      if (taskId === "branch") return { ...id, ...success(), branch: [bits % 2 ? "left" : "right"] } as AttemptOutcome;
      return {
        ...id,
        ...success(taskId === "list" ? Array.from({ length: items }, (_, n) => n) : 1),
      } as AttemptOutcome;
    });
    this.#held = [];
    if (outcomes.length > 0) {
      await finishAndClaim(this.#db, this.#workerId, outcomes, { functions: 0, operators: 0 });
    }
  }
}

test("any order of claims, ends, clears, marks and cancels leaves a run that ends", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", FIRST));
  const property = fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 25 }), async (commands) => {
    await db.query("delete from dag_run");
    await db.query("delete from worker");
    await db.query("truncate task_event");
    await storeVersions(db, [fileOf("dags/test.ts", [dagSpec("d", FIRST)], "1")]);
    const { id } = await createRun(db, { ...RUN, by: "test" });
    await storeVersions(db, [fileOf("dags/test.ts", [dagSpec("d", SECOND)], "2")]);
    // A session of its own each time: nobody renews its lease.
    const workerId = await worker(db);
    const world = new World(db, workerId);
    for (const one of commands) {
      await world.run(one).catch((error: { code?: string }) => {
        if (error.code !== "CONFLICT") throw error;
      });
      const violations = await findViolations(db);
      if (violations.length > 0) throw new Error(`${JSON.stringify(one)}: ${JSON.stringify(violations)}`);
    }
    await world.run({ do: "finish", bits: 0, items: 2 });
    for (let i = 0; i < 3; i++) {
      await db.query("update task_instance set state = 'queued', wake_at = null where state = 'up_for_retry'");
      await work(db, (one) => (one.taskId === "branch" ? { ...success(), branch: ["left"] } : success([1])), {
        workerId,
      });
    }
    const { run, tasks } = await statesOf(db, id);
    if (run !== "success" && run !== "failed") throw new Error(`${run}: ${JSON.stringify(tasks)}`);
  });
  await fc.assert(property, { numRuns: 15 });
  t.pass();
});
