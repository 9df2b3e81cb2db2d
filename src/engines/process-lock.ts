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
      await setAside(file, draft);
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
  try {
    return JSON.parse(await readFile(file, "utf8")) as ProcessIdentity;
  } catch {
    return null;
  }
}

/** Moves a dead owner's lock away. Two may try: whoever moved a living owner's lock instead puts it back. */
async function setAside(file: string, draft: string): Promise<void> {
  const aside = `${draft}.stale`;
  const moved = await rename(file, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  if ((await lockOwner(aside)) !== null) await link(aside, file).catch(() => {});
  await rm(aside, { force: true });
}
