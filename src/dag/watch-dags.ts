/** Reload on save. */
import { watch } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import { type LoadedDags, type LoadedFile, type LoadOptions, loadDags } from "./load-dags.ts";
import { openSandboxPool } from "./sandbox-pool.ts";

/** How to hear of changes. */
export interface WatchOptions extends LoadOptions {
  /** Called after the first load, and after every load that found something else than the one before. */
  readonly onLoad: (loaded: LoadedDags) => void | Promise<void>;
  /** Called when the folder cannot be read or `onLoad` threw. Watching goes on. */
  readonly onError: (message: string) => void;
  /** Waits so many milliseconds for a file to be written to its end. Default: by the clock. */
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** A folder being watched. */
export interface DagWatch {
  /** Looks at every file again, for changes that the system does not tell (network drives, files outside the folder). */
  rescan(): void;
  close(): Promise<void>;
}

/** Editors write a file in several steps: this long after the last one we look. */
const QUIET_MS = 40;
/** A file that just broke may be half-written: it gets this long before it is called broken. */
const HALF_WRITTEN_MS = 150;

/** Loads a folder and loads it again whenever something in it changes; this alone keeps no process alive. Throws CONFIG_INVALID where there is no such folder. */
export async function watchDags(dir: string, options: WatchOptions): Promise<DagWatch> {
  const sandbox = options.sandbox ?? openSandboxPool();
  const pause = options.pause ?? delay;
  let current = await loadDags(dir, { sandbox, previous: options.previous ?? null });
  let running: Promise<void> | null = null;
  let wanted = false;
  let closed = false;

  const reload = async (): Promise<void> => {
    while (wanted && !closed) {
      await pause(QUIET_MS);
      wanted = false;
      const next = await loadSettled(dir, { sandbox, previous: current, pause });
      // Told while we were loading: what we have may be half of it.
      if (closed || wanted) continue;
      const changed = !sameFiles(current, next);
      current = next;
      if (changed) await options.onLoad(next);
    }
  };
  const rescan = (): void => {
    wanted = true;
    running ??= reload()
      .catch((error: unknown) => options.onError(messageOf(error)))
      .finally(() => {
        running = null;
        if (wanted && !closed) rescan();
      });
  };

  await options.onLoad(current);
  const watcher = watch(dir, { recursive: true, persistent: false }, rescan);
  watcher.on("error", (error) => options.onError(messageOf(error)));
  return {
    rescan,
    close: async () => {
      closed = true;
      watcher.close();
      if (options.sandbox === undefined) sandbox.close();
      await running;
    },
  };
}

type SettledOptions = LoadOptions & Required<Pick<WatchOptions, "pause">> & { previous: LoadedDags };

async function loadSettled(dir: string, options: SettledOptions): Promise<LoadedDags> {
  const first = await loadDags(dir, options);
  if (!hasNewlyBroken(options.previous, first)) return first;
  await options.pause(HALF_WRITTEN_MS);
  return loadDags(dir, { ...options, previous: first });
}

/** A file that declared something and is still there, but declares nothing now. */
function hasNewlyBroken(before: LoadedDags, now: LoadedDags): boolean {
  const declares = ({ dags, services }: LoadedFile) => dags.length + services.length > 0;
  return [...before.evaluated].some(([file, loaded]) => {
    const next = now.evaluated.get(file);
    return declares(loaded) && next !== undefined && !declares(next);
  });
}

function sameFiles(before: LoadedDags, now: LoadedDags): boolean {
  return JSON.stringify(before.files) === JSON.stringify(now.files);
}
