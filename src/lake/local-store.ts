/** The lake in a local folder. */
import { randomUUID } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { access, copyFile, link, lstat, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, QflowError } from "../errors.ts";
import {
  type ByteRange,
  type Bytes,
  byName,
  checkedPath,
  type FileFacts,
  type FileStore,
  INCOMING,
  nameOf,
  sha256OfBytes,
  sweepIncoming,
} from "./file-store.ts";

const READ_BYTES = 1 << 20;

/** The files below a folder, which is made when something is written. */
export class LocalStore implements FileStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  locate(path: string): string {
    return join(this.#root, checkedPath(path));
  }

  async stat(path: string): Promise<FileFacts | null> {
    const absolute = this.locate(path);
    return mapped(path, async () => {
      const found = await stat(absolute).catch(nullIf("ENOENT", "ENOTDIR"));
      return found === null ? null : factsOf(nameOf(path), found);
    });
  }

  async list(path: string): Promise<FileFacts[]> {
    const absolute = this.locate(path);
    return mapped(path, async () => {
      const names = await readdir(absolute);
      // One that is gone by now is not there.
      const found = names.map(async (name) => {
        const facts = await stat(join(absolute, name)).catch(nullIf("ENOENT"));
        return facts === null ? [] : [factsOf(name, facts)];
      });
      return (await Promise.all(found)).flat().sort(byName);
    });
  }

  async *read(path: string, { start, end }: ByteRange = { start: 0 }): Bytes {
    const absolute = this.locate(path);
    if (end !== undefined && end <= start) return;
    const last = end === undefined ? {} : { end: end - 1 };
    try {
      yield* createReadStream(absolute, { start, ...last, highWaterMark: READ_BYTES });
    } catch (error) {
      throw asQflowError(path, error);
    }
  }

  async write(path: string, content: Bytes): Promise<number> {
    const target = this.locate(path);
    return this.#published(path, target, async (draft) => {
      const handle = await open(draft, "wx");
      try {
        await handle.writeFile(content);
        await handle.sync();
        return (await handle.stat()).size;
      } finally {
        await handle.close();
      }
    });
  }

  async put(localFile: string, path: string): Promise<void> {
    const target = this.locate(path);
    await this.#published(path, target, async (draft) => {
      // The same bytes under a second name, where both are on one file system.
      await link(localFile, draft).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== "EXDEV" && error.code !== "EPERM") throw error;
        await copyFile(localFile, draft);
      });
      await synced(draft);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [this.locate(from), this.locate(to)];
    await mapped(from, async () => {
      const found = await lstat(source);
      await mkdir(dirname(target), { recursive: true });
      if (found.isDirectory()) {
        // An empty folder would give way: the check has a gap that only another rename to the same name can slip through.
        await assertFree(target);
        await rename(source, target);
      } else {
        await link(source, target);
        await rm(source);
      }
      await synced(dirname(target));
    });
  }

  async mkdir(path: string): Promise<void> {
    const absolute = this.locate(path);
    await mapped(path, () => mkdir(absolute, { recursive: true }));
  }

  async remove(path: string): Promise<void> {
    const absolute = this.locate(path);
    await mapped(path, () => rm(absolute, { recursive: true, force: true }));
  }

  sha256(path: string): Promise<string> {
    return sha256OfBytes(this.read(path));
  }

  sweep(): Promise<void> {
    return sweepIncoming(this);
  }

  async #published<T>(path: string, target: string, fill: (draft: string) => Promise<T>): Promise<T> {
    const draft = join(this.#root, INCOMING, randomUUID());
    return mapped(path, async () => {
      await mkdir(dirname(draft), { recursive: true });
      try {
        const filled = await fill(draft);
        await mkdir(dirname(target), { recursive: true });
        await link(draft, target);
        await synced(dirname(target));
        return filled;
      } finally {
        await rm(draft, { force: true });
      }
    });
  }
}

async function assertFree(path: string): Promise<void> {
  const taken = await access(path).then(
    () => true,
    () => false,
  );
  if (taken) throw new QflowError("FILE_EXISTS", `${path} exists`);
}

/** Makes a file, or the names in a folder, durable. */
async function synced(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function factsOf(name: string, found: Stats): FileFacts {
  const folder = found.isDirectory();
  return {
    name,
    kind: folder ? "folder" : "file",
    bytes: folder ? 0 : found.size,
    modified: new Date(Math.floor(found.mtimeMs)).toISOString(),
  };
}

function nullIf(...codes: readonly string[]): (error: NodeJS.ErrnoException) => null {
  return (error) => {
    if (error.code !== undefined && codes.includes(error.code)) return null;
    throw error;
  };
}

async function mapped<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asQflowError(path, error);
  }
}

const CODES = {
  ENOENT: "FILE_NOT_FOUND",
  ENOTDIR: "FILE_NOT_FOUND",
  EISDIR: "FILE_NOT_FOUND",
  EEXIST: "FILE_EXISTS",
  EACCES: "LAKE_DENIED",
  EPERM: "LAKE_DENIED",
  EROFS: "LAKE_DENIED",
  ENOSPC: "LAKE_FULL",
  EDQUOT: "LAKE_FULL",
} as const;

/** Errors of the content that is written are passed on as they are. */
function asQflowError(path: string, error: unknown): unknown {
  if (error instanceof QflowError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  const known = Object.hasOwn(CODES, code) ? CODES[code as keyof typeof CODES] : "LAKE_FAILED";
  return new QflowError(known, `${path}: ${messageOf(error)}`, { cause: error });
}
