import test from "ava";
import { Fail, RetryAfter } from "../../src/dag/signals.ts";
import { QflowError } from "../../src/errors.ts";
import { resultOfError } from "../../src/worker/task-result.ts";

class Throttled extends Error {
  override readonly name: string = "Throttled";
}
class DailyLimit extends Throttled {}

const POLICY = {
  TypeError: "fatal",
  Throttled: { afterMs: 60_000 },
  FTP_DENIED: "fatal",
  HIVE_QUERY_INVALID: "retryable",
  Flaky: "infra",
} as const;

function told(error: unknown, policy: Parameters<typeof resultOfError>[1] = POLICY) {
  const result = resultOfError(error, policy);
  return result.state === "failed" ? [result.retry, result.retryAfterMs ?? null] : result.state;
}

test("the narrowest class named in the policy decides, then the code", (t) => {
  t.deepEqual(told(new TypeError("x")), ["fatal", null]);
  t.deepEqual(told(new Throttled("slow down")), ["retryable", 60_000]);
  t.deepEqual(told(new DailyLimit("slow down")), ["retryable", 60_000]);
  t.deepEqual(told(new DailyLimit("enough"), { ...POLICY, DailyLimit: "fatal" }), ["fatal", null]);
  t.deepEqual(told(Object.assign(new Error("x"), { name: "Flaky" })), ["infra", null]);
  t.deepEqual(told(new QflowError("FTP_DENIED", "no")), ["fatal", null]);
  t.deepEqual(told(new QflowError("HIVE_QUERY_INVALID", "no")), ["retryable", null]);
});

test("what the policy does not name stays as it is; * is for what would be tried again", (t) => {
  t.deepEqual(told(new Error("x")), ["retryable", null]);
  t.deepEqual(told(new Error("x"), null), ["retryable", null]);
  t.deepEqual(told("thrown text", { "*": "fatal" }), ["fatal", null]);
  t.deepEqual(told(new QflowError("HIVE_QUERY_INVALID", "no"), { "*": "retryable" }), ["fatal", null]);
  t.deepEqual(told(new QflowError("DATABASE_UNAVAILABLE", "no"), { "*": "fatal" }), ["infra", null]);
});

test("what a task says itself about another try comes before its policy", (t) => {
  t.deepEqual(told(new Fail("no"), { "*": "retryable", Fail: "retryable" }), ["fatal", null]);
  t.deepEqual(told(new RetryAfter("PT1M", "later"), { "*": "fatal" }), ["retryable", 60_000]);
  t.throws(() => new RetryAfter("soon" as never, "later"), { message: /"soon" is no duration/ });
});

test("what a server said about when it may be asked again is kept, unless the policy says otherwise", (t) => {
  const limited = new QflowError("HIVE_TIMEOUT", "later", { details: { retryAfterMs: 5000 } });
  t.deepEqual(told(limited, null), ["retryable", 5000]);
  t.deepEqual(told(limited, { HIVE_TIMEOUT: { afterMs: 9000 } }), ["retryable", 9000]);
});
