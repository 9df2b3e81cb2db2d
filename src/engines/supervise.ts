/** Keeps engines running: what dies or hangs is started again at its address. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { Engine } from "./engine.ts";
import type { EngineName } from "./home.ts";

/** What happened to an engine, for logs and for people. */
export interface EngineEvent {
  readonly engine: EngineName;
  readonly kind: "starting" | "ready" | "died" | "hung" | "failed" | "stopped";
  /** How it ended or why it failed. */
  readonly detail?: string;
}

/** Supervision of some engines. */
export interface Supervision {
  /** Ends the supervision; the engines are left as they are. Resolves when no restart is under way. */
  end(): Promise<void>;
}

/** Time as the supervisor sees it. */
export interface SupervisorClock {
  now(): number;
  /** Waits; ends early when the signal aborts. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

const FIRST_BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 30_000;
/** An engine that lived this long has a fresh start: its next restart is immediate again. */
const STABLE_MS = 60_000;
const HEALTH_EVERY_MS = 30_000;
/** So many unanswered questions in a row mean that it hangs. One alone may be a busy machine. */
const HUNG_AFTER = 3;

const REAL_CLOCK: SupervisorClock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal, ref: false }).catch(() => {}),
};

/** Watches running engines until ended. */
export function superviseEngines(
  engines: readonly Engine[],
  onEvent: (event: EngineEvent) => void,
  clock: SupervisorClock = REAL_CLOCK,
): Supervision {
  const ending = new AbortController();
  const loops = engines.map((engine) => superviseOne(engine, onEvent, clock, ending.signal));
  return {
    async end() {
      ending.abort();
      await Promise.all(loops);
    },
  };
}

async function superviseOne(
  engine: Engine,
  onEvent: (event: EngineEvent) => void,
  clock: SupervisorClock,
  ending: AbortSignal,
): Promise<void> {
  let backoff = FIRST_BACKOFF_MS;
  while (!ending.aborted) {
    const since = clock.now();
    const how = await untilTrouble(engine, clock, ending);
    if (how === null) return;
    onEvent({ engine: engine.name, ...how });
    if (clock.now() - since >= STABLE_MS) backoff = FIRST_BACKOFF_MS;
    await engine.stop();
    for (let up = false; !up && !ending.aborted; ) {
      await clock.sleep(backoff, ending);
      backoff = Math.min(backoff * 2, LONGEST_BACKOFF_MS);
      if (!ending.aborted) up = await restart(engine, onEvent);
    }
  }
}

async function restart(engine: Engine, onEvent: (event: EngineEvent) => void): Promise<boolean> {
  onEvent({ engine: engine.name, kind: "starting" });
  try {
    await engine.start();
  } catch (error) {
    onEvent({ engine: engine.name, kind: "failed", detail: messageOf(error) });
    return false;
  }
  onEvent({ engine: engine.name, kind: "ready" });
  return true;
}

type Trouble = Pick<EngineEvent, "kind" | "detail">;

/** Resolves when the engine has ended or hangs; null when the supervision ends first. */
async function untilTrouble(engine: Engine, clock: SupervisorClock, ending: AbortSignal): Promise<Trouble | null> {
  const over = new AbortController();
  const stop = () => over.abort();
  ending.addEventListener("abort", stop, { once: true });
  const died = engine.exited().then((detail): Trouble => ({ kind: "died", detail }));
  const hung = untilHung(engine, clock, over.signal);
  const ended = new Promise<null>((settle) =>
    over.signal.addEventListener("abort", () => settle(null), { once: true }),
  );
  if (ending.aborted) stop();
  try {
    return await Promise.race([died, hung, ended]);
  } finally {
    ending.removeEventListener("abort", stop);
    over.abort();
  }
}

async function untilHung(engine: Engine, clock: SupervisorClock, over: AbortSignal): Promise<Trouble | null> {
  let unanswered = 0;
  while (!over.aborted) {
    await clock.sleep(HEALTH_EVERY_MS, over);
    if (over.aborted) break;
    unanswered = (await engine.health()) ? 0 : unanswered + 1;
    if (unanswered >= HUNG_AFTER) return { kind: "hung", detail: `${unanswered} questions were not answered` };
  }
  return null;
}
