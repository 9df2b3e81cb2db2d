/** Notices what a DAG file leaves behind that later files of the same process would see, and clears what can be cleared. */

/** Built-in objects that files share. */
const SHARED: readonly object[] = [
  globalThis,
  Math,
  JSON,
  Reflect,
  console,
  process,
  ...[
    Object,
    Function,
    Array,
    String,
    Number,
    Boolean,
    BigInt,
    Symbol,
    RegExp,
    Date,
    Promise,
    Map,
    Set,
    WeakMap,
    WeakSet,
    Error,
    URL,
  ].flatMap((shared) => [shared, shared.prototype as object]),
];

/** What is asked after each evaluation. */
export interface TaintWatch {
  /** True when a shared object is not what it was. */
  found(): boolean;
  /** Stops timers that the file left running. */
  cancelTimers(): void;
}

/** Remembers how things are now. Once per process, before the first evaluation and after the world is built. */
export function watchTaint(): TaintWatch {
  const timers = trackTimers();
  // The first look makes Node define what it defines lazily.
  SHARED.map(snapshot);
  const before = SHARED.map(snapshot);
  return {
    found: () => SHARED.some((shared, i) => !sameAs(before[i] as Snapshot, shared)),
    cancelTimers: () => {
      for (const cancel of timers) cancel();
      timers.clear();
    },
  };
}

type Snapshot = ReadonlyMap<PropertyKey, unknown>;

function snapshot(shared: object): Snapshot {
  return new Map(Reflect.ownKeys(shared).map((key) => [key, valueAt(shared, key)]));
}

/** Getters are compared, not called. */
function valueAt(shared: object, key: PropertyKey): unknown {
  const property = Object.getOwnPropertyDescriptor(shared, key);
  return property?.get ?? property?.value;
}

function sameAs(before: Snapshot, shared: object): boolean {
  const keys = Reflect.ownKeys(shared);
  return (
    keys.length === before.size &&
    keys.every((key) => before.has(key) && Object.is(before.get(key), valueAt(shared, key)))
  );
}

function trackTimers(): Set<() => void> {
  const cancels = new Set<() => void>();
  const track = (start: "setTimeout" | "setInterval" | "setImmediate", stop: (handle: never) => void): void => {
    const real = globalThis[start] as (...args: unknown[]) => unknown;
    const tracked = (...args: unknown[]): unknown => {
      const handle = real(...args);
      cancels.add(() => stop(handle as never));
      return handle;
    };
    // Node hangs its promise variants on these functions.
    Object.defineProperties(tracked, Object.getOwnPropertyDescriptors(real));
    (globalThis as Record<string, unknown>)[start] = tracked;
  };
  track("setTimeout", clearTimeout);
  track("setInterval", clearInterval);
  track("setImmediate", clearImmediate);
  return cancels;
}
