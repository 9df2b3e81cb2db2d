/** A lock that a process holds by its identity, so that one left by a kill is recognized and taken over. */
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive, type ProcessIdentity } from "../processes/table.ts";

/** A held lock. */
export interface ProcessLock {
  release(): Promise<void>;
}

/** Takes the lock, or tells who holds it. `file` is created and holds the identity of the owner. */
export async function tryLock(file: string): Promise<ProcessLock | { readonly heldBy: ProcessIdentity }> {
  await mkdir(dirname(file), { recursive: true });
  const self = await identify(process.pid);
  const draft = `${file}.${process.pid}.${performance.now()}`;
  await writeFile(draft, JSON.stringify(self), { mode: 0o600 });
  try {
    for (;;) {
      // A link appears with its content at once and refuses to replace one that is there.
      const taken = await link(draft, file).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== "EEXIST") throw error;
          return false;
        },
      );
      if (taken) return { release: () => rm(file, { force: true }) };
      const owner = await lockOwner(file);
      if (owner !== null) return { heldBy: owner };
      if (await takeOver(file, draft)) return { release: () => rm(file, { force: true }) };
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** Waits for the lock as long as its owner lives. `onWait` is told once whom we wait for. */
export async function lockWhenFree(file: string, onWait: (owner: ProcessIdentity) => void): Promise<ProcessLock> {
  let told = false;
  for (;;) {
    const result = await tryLock(file);
    if ("release" in result) return result;
    if (!told) onWait(result.heldBy);
    told = true;
    await sleep(200);
  }
}

/** The living process that holds the lock, or null. */
export async function lockOwner(file: string): Promise<ProcessIdentity | null> {
  const owner = await readOwner(file);
  return owner !== null && (await isAlive(owner)) ? owner : null;
}

async function readOwner(file: string): Promise<ProcessIdentity | null> {
  const text = await readFile(file, "utf8").catch(() => null);
  return text === null ? null : parseOwner(text);
}

function parseOwner(text: string): ProcessIdentity | null {
  try {
    return JSON.parse(text) as ProcessIdentity;
  } catch {
    return null;
  }
}

/** How long to leave alone a lock that somebody else is taking over. */
const TAKEOVER_PAUSE_MS = 5;

/**
 * Replaces a dead owner's lock by our own, in one step: the file is never absent meanwhile. Whoever holds the second file beside it may do
 * that, alone, after looking again; what a kill in between leaves of it is removed. Returns whether the lock is ours.
 */
async function takeOver(file: string, draft: string): Promise<boolean> {
  const right = `${file}.takeover`;
  const mine = await link(draft, right).then(
    () => true,
    () => false,
  );
  if (!mine) {
    if ((await lockOwner(right)) === null) await rm(right, { force: true });
    await sleep(TAKEOVER_PAUSE_MS);
    return false;
  }
  try {
    // One reading decides: a file that is gone was released, and is for whoever links it first.
    const found = await readFile(file, "utf8").catch(() => null);
    const owner = found === null ? null : parseOwner(found);
    if (found === null || (owner !== null && (await isAlive(owner)))) return false;
    await link(draft, `${draft}.new`);
    await rename(`${draft}.new`, file);
    return true;
  } finally {
    await rm(right, { force: true });
  }
}
