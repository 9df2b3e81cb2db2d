/** What a worker claims ahead of its places, and what becomes of it. */
import { setImmediate } from "node:timers/promises";
import test from "ava";
import type { ClaimedTask } from "../../src/metadata/work.ts";
import { AheadQueue } from "../../src/worker/ahead-queue.ts";
import { ClaimAhead, STALE_AFTER_MS } from "../../src/worker/claim-ahead.ts";
import type { AttemptEnd, Executor, ExecutorEvents } from "../../src/worker/executor.ts";

const SUCCESS: AttemptEnd = { result: { state: "success", value: null } };

/** An executor whose attempts end when the test says so. */
function stage(places: number) {
  const running: string[] = [];
  const stopped: string[] = [];
  const ended = new Map<string, AttemptEnd>();
  let end: ExecutorEvents["ended"] = () => {};
  const create = (events: ExecutorEvents): Executor => {
    end = (id, how) => {
      running.splice(running.indexOf(id), 1);
      events.ended(id, how);
    };
    return {
      pids: [],
      prewarm() {},
      rest() {},
      run: (task) => void running.push(task.attemptId),
      stop: (id) => void stopped.push(id),
      close: async () => {},
    };
  };
  const queue = new AheadQueue(create, places, {
    line() {},
    warn() {},
    ended: (id, how) => void ended.set(id, how),
  });
  const run = (id: string) => queue.run({ attemptId: id } as ClaimedTask, "bundle");
  return { queue, running, stopped, ended, run, end: (id: string) => end(id, SUCCESS) };
}

test("a place that becomes free has the next one at once, in the order of the claims", (t) => {
  const { queue, running, ended, run, end } = stage(1);
  for (const id of ["a", "b", "c"]) run(id);
  t.deepEqual(running, ["a"]);
  t.true(queue.isStocked);
  end("a");
  t.deepEqual(running, ["b"]);
  t.deepEqual(ended.get("a"), SUCCESS);
  end("b");
  t.false(queue.isStocked);
  end("c");
  t.is(ended.size, 3);
});

test("what waits is stopped without a process; what runs is stopped where it runs", (t) => {
  const { running, stopped, ended, run, queue, end } = stage(1);
  run("a");
  run("b");
  queue.stop("b", "cancelled");
  queue.stop("a", "cancelled");
  t.deepEqual(ended.get("b"), { died: { code: null, signal: "SIGTERM" } });
  t.deepEqual(stopped, ["a"]);
  end("a");
  t.deepEqual(running, []);
});

test.serial("what waits too long behind a long task is handed back, uncounted", async (t) => {
  const { ended, run, end } = stage(1);
  run("a");
  const before = performance.now();
  run("b");
  while (!ended.has("b")) await setImmediate();
  t.true(performance.now() - before >= STALE_AFTER_MS - 1);
  const how = ended.get("b");
  t.like(how && "result" in how ? how.result : null, { state: "failed", retry: "infra", handBack: true });
  t.false(ended.has("a"));
  end("a");
});

test("nothing is claimed ahead of unknown or long tasks, and the more the shorter they are", (t) => {
  const ahead = new ClaimAhead(4);
  t.is(ahead.room([]), 0);
  for (let i = 0; i < 32; i++) ahead.ran(1000);
  t.is(ahead.room([1, 1]), 0);
  for (let i = 0; i < 32; i++) ahead.ran(20);
  t.is(ahead.room([1, 1]), 8);
  for (let i = 0; i < 32; i++) ahead.ran(i % 8 === 0 ? 1000 : 1);
  t.is(ahead.room([1, 1]), 64, "few long ones among short ones do not count");
  t.is(ahead.room([5000, 5000, 5000, 5000]), 0, "nothing flows");
});
