import test from "ava";
import type { Engine } from "../../src/engines/engine.ts";
import { type EngineEvent, type SupervisorClock, superviseEngines } from "../../src/engines/supervise.ts";
import { until } from "./support/processes.ts";

/** An engine without a process: it dies when told, and starts as often as told fail. */
function puppet() {
  let die = (_how: string) => {};
  let ended = new Promise<string>((settle) => {
    die = settle;
  });
  const state = { starts: 0, stops: 0, failures: 0, healthy: true };
  const engine: Engine = {
    name: "ftp",
    async start() {
      if (state.failures-- > 0) throw new Error("the port is taken");
      state.starts += 1;
      ended = new Promise((settle) => {
        die = settle;
      });
    },
    async stop() {
      state.stops += 1;
    },
    health: async () => state.healthy,
    exited: () => ended,
  };
  return { engine, state, die: (how: string) => die(how) };
}

/** Time passes at once while somebody waits for a restart; health checks wait until `tick`. */
function clock() {
  const waits: number[] = [];
  let tick = () => {};
  const supervisorClock: SupervisorClock = {
    now: () => 0,
    sleep(ms, signal) {
      if (ms < 30_000) {
        waits.push(ms);
        return Promise.resolve();
      }
      return new Promise((settle) => {
        tick = settle;
        signal.addEventListener("abort", () => settle(), { once: true });
      });
    },
  };
  return { clock: supervisorClock, waits, tick: () => tick() };
}

test("an engine that dies is started again, later and later while it fails", async (t) => {
  const { engine, state, die } = puppet();
  const time = clock();
  const events: EngineEvent[] = [];
  const supervision = superviseEngines([engine], (event) => events.push(event), time.clock);
  state.failures = 3;
  die("killed by SIGKILL");
  await until(() => state.starts === 1);
  t.deepEqual(time.waits, [200, 400, 800, 1600]);
  await until(() => events.at(-1)?.kind === "ready");
  t.deepEqual(
    events.map(({ kind }) => kind),
    ["died", "starting", "failed", "starting", "failed", "starting", "failed", "starting", "ready"],
  );
  t.is(events[0]?.detail, "killed by SIGKILL");
  await supervision.end();
});

test("an engine that hangs is started again, one that missed a single question is not", async (t) => {
  const { engine, state } = puppet();
  const time = clock();
  const events: EngineEvent[] = [];
  const supervision = superviseEngines([engine], (event) => events.push(event), time.clock);
  for (const healthy of [false, true, false, false]) {
    state.healthy = healthy;
    time.tick();
    await new Promise(setImmediate);
  }
  t.deepEqual(events, []);
  time.tick();
  await until(() => state.starts === 1);
  t.is(events[0]?.kind, "hung");
  t.is(state.stops, 1);
  await supervision.end();
});

test("after the end of the supervision a death is nobody's business", async (t) => {
  const { engine, state, die } = puppet();
  const supervision = superviseEngines([engine], () => {}, clock().clock);
  await supervision.end();
  die("stopped");
  await new Promise(setImmediate);
  t.is(state.starts, 0);
});
