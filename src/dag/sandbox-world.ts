/** The world as a DAG file sees it while it is evaluated: a clock that stands still, chance from a seed, no way out. */
import crypto from "node:crypto";
import dgram from "node:dgram";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { QflowError } from "../errors.ts";

/** What may differ between two evaluations without the DAG being another. */
export interface World {
  /** What the clock shows, in milliseconds. */
  readonly now: number;
  readonly seed: number;
}

type Mutable = Record<string, unknown>;

/** Puts a world in place and answers how to set another. Once per process. */
export function buildWorld(): (world: World) => void {
  let now = 0;
  let random = seeded(1);
  freezeClock(() => now);
  seedChance(() => random());
  closeExits();
  syncBuiltinESMExports();
  return (world) => {
    now = world.now;
    random = seeded(world.seed);
  };
}

function freezeClock(now: () => number): void {
  const RealDate = Date;
  class FrozenDate extends RealDate {
    constructor(...parts: [] | [number | string | Date]) {
      super(...((parts.length === 0 ? [now()] : parts) as [number]));
    }
    static override now(): number {
      return now();
    }
  }
  // Date() without new is a string, which a class cannot be.
  globalThis.Date = new Proxy(FrozenDate, { apply: () => new FrozenDate().toString() }) as unknown as DateConstructor;
  performance.now = () => 0;
  process.hrtime = Object.assign(() => [0, 0] as [number, number], { bigint: () => 0n });
  process.uptime = () => 0;
}

function seedChance(random: () => number): void {
  Math.random = random;
  const fill = <T extends ArrayBufferView>(view: T): T => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256);
    return view;
  };
  const uuid = (): string => {
    const hex = Buffer.from(fill(new Uint8Array(16))).toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  };
  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low));
  Object.assign(crypto as unknown as Mutable, {
    randomBytes: (size: number) => Buffer.from(fill(new Uint8Array(size))),
    randomInt: (a: number, b?: number) => (b === undefined ? between(0, a) : between(a, b)),
    randomUUID: uuid,
  });
  Object.assign(Object.getPrototypeOf(globalThis.crypto) as Mutable, { getRandomValues: fill, randomUUID: uuid });
}

/** mulberry32: small, fast, the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function closeExits(): void {
  const close = (owner: object, names: readonly string[], what: string): void => {
    for (const name of names) (owner as Mutable)[name] = () => refuse(what);
  };
  close(process, ["exit", "reallyExit", "abort", "kill", "chdir", "dlopen"], "end or change its process");
  close(net.Socket.prototype, ["connect"], "use the network");
  close(net.Server.prototype, ["listen"], "use the network");
  close(dgram.Socket.prototype, ["bind", "send", "connect"], "use the network");
  close(dns, ["lookup", "resolve", "resolve4", "resolve6"], "use the network");
  close(dns.promises, ["lookup", "resolve", "resolve4", "resolve6"], "use the network");
}

function refuse(what: string): never {
  throw new QflowError("DAG_LOAD_FAILED", `a DAG file may not ${what} while it is loaded`, {
    remedy: "Move this into a task function.",
  });
}
