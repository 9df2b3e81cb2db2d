/** Tasks that wait: for a time, for their own function, for a person, for an event. */
import { dagSpec, type TaskGiven } from "../metadata/fixtures.ts";
import type { Random } from "./random.ts";
import type { Behaviour, Piece } from "./workload.ts";

/** Longer than everything that is not lost takes, shorter than a simulation's patience: what is not woken shows. */
const LONG_MS = 400_000;

/** A task that waits, and how its waiting ends. */
export function randomWait(random: Random, base: Date): Partial<TaskGiven> & { behaviour: Behaviour } {
  const kind = random.pick(["time", "function", "function", "approval"] as const);
  const onTimeout = random.pick(["fail", "skip"] as const);
  const everyMs = 1_000 + random.int(3_000);
  const common = {
    kind: "sensor" as const,
    operator: null,
    sensor: { everyMs, factor: random.pick([1, 2]), maxMs: 10_000, onTimeout },
    timeoutMs: LONG_MS,
  };
  const refused = onTimeout === "fail" ? "failed" : "skipped";
  if (kind === "time") {
    const until = new Date(base.getTime() + random.int(60_000)).toISOString();
    return { ...common, operator: { name: "time_sensor", config: { at: until } }, behaviour: { kind: "succeed" } };
  }
  if (kind === "approval") {
    const config = { subject: "go on?", onReject: onTimeout };
    const chosen = random.pick(["approve", "reject"] as const);
    const end = chosen === "approve" ? "success" : refused;
    return { ...common, operator: { name: "approval", config }, behaviour: { kind: "answer", chosen, end } };
  }
  if (random.chance(0.3))
    return { ...common, timeoutMs: 3_000 + random.int(6_000), behaviour: { kind: "ask", calls: 0, end: refused } };
  return { ...common, behaviour: { kind: "ask", calls: random.int(4), end: "success" } };
}

/** A DAG of which one task makes what another one waits for: a wake-up that is lost shows as a timeout. */
export function waiterPiece(): Piece {
  const event: TaskGiven = {
    id: "event",
    kind: "sensor",
    operator: { name: "dataset_sensor", config: { dataset: "signal" } },
    sensor: { everyMs: 5_000, factor: 1, maxMs: 5_000, onTimeout: "fail" },
    timeoutMs: LONG_MS,
  };
  const tasks: TaskGiven[] = [{ id: "make", emits: ["signal"] }, event, { id: "then", upstream: ["event"] }];
  return { spec: dagSpec("waiter", tasks, { maxActiveRuns: 2 }), behaviours: new Map() };
}
