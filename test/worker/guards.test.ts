/** What the guards of the worker named in `scripts/guard-table.ts` protect. */
import test from "ava";
import type { AttemptOutcome, ClaimedTask, ClaimIdentity } from "../../src/metadata/work.ts";
import { Attempts, type AttemptsParts } from "../../src/worker/attempts.ts";
import { ClaimLoop } from "../../src/worker/claim-loop.ts";

const TASK = {
  attemptId: "a",
  token: "t",
  operator: { name: "noop", config: {} },
  timeoutMs: null,
} as unknown as ClaimedTask;

/** Attempts whose executor and log do nothing by themselves. */
function attemptsWith(logStored: Promise<void>) {
  const started: string[] = [];
  const told: AttemptOutcome[] = [];
  const over = Promise.withResolvers<void>();
  const executor = {
    pids: [],
    prewarm() {},
    run: (task: ClaimedTask) => started.push(task.attemptId),
    stop() {},
    close: async () => {},
  };
  const parts = {
    functions: executor,
    operators: executor,
    bundles: { pathOf: async () => "" },
    sink: { open() {}, add() {}, close: () => logStored, abandon() {} },
    masker: { mask: (text: string) => text, betrays: () => false },
    finished: (outcome: AttemptOutcome) => told.push(outcome),
    over: () => over.resolve(),
    warn() {},
  } as unknown as AttemptsParts;
  return { attempts: new Attempts(parts), started, told, over: over.promise };
}

test("an attempt that is claimed again by a repeated call is started once", (t) => {
  const { attempts, started } = attemptsWith(Promise.resolve());
  attempts.start(TASK);
  attempts.start(TASK);
  t.deepEqual(started, ["a"]);
});

test("an attempt that is fenced while its log is stored tells no outcome", async (t) => {
  const stored = Promise.withResolvers<void>();
  const { attempts, told, over } = attemptsWith(stored.promise);
  attempts.start(TASK);
  attempts.ended("a", { result: { state: "success", value: null, events: [] } });
  attempts.stop("a", "fenced");
  stored.resolve();
  await over;
  t.deepEqual(told, []);
});

test("a claim whose answer was lost is asked for again under its id", async (t) => {
  const claims: ClaimIdentity[] = [];
  const enough = Promise.withResolvers<void>();
  const loop = new ClaimLoop({
    exchange: async (_outcomes: readonly AttemptOutcome[], _capacity: unknown, claim: ClaimIdentity) => {
      claims.push(claim);
      if (claims.length === 2) enough.resolve();
      if (claims.length === 1) throw Object.assign(new Error("gone"), { code: "ECONNRESET" });
      return { accepted: new Set<string>(), fenced: [], claimed: [] };
    },
    capacity: () => ({ functions: 1, operators: 0 }),
    mayWait: () => false,
    answered() {},
    warn() {},
  } as never);
  loop.start();
  await enough.promise;
  await loop.stop();
  t.is(claims[1]?.claimId, claims[0]?.claimId);
  t.deepEqual(
    claims.slice(0, 2).map(({ repeated }) => repeated),
    [false, true],
  );
});
