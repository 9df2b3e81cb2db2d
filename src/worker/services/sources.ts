/** Files that are part of a program: whether they are other than when it was started. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";

interface Source {
  readonly path: string;
  readonly stamp: string;
  readonly hash: string;
}

/** The files as they were. */
export class Sources {
  #files: readonly Source[];

  private constructor(files: readonly Source[]) {
    this.#files = files;
  }

  /** Reads them as they are now. */
  static async of(paths: readonly string[]): Promise<Sources> {
    return new Sources(await Promise.all(paths.map(read)));
  }

  /** A file that was only touched, or is away for a moment while it is replaced, is not another one. */
  async areChanged(): Promise<boolean> {
    const now = await Promise.all(
      this.#files.map(async (file) => ((await stampOf(file.path)) === file.stamp ? file : read(file.path))),
    );
    const changed = now.some(({ hash }, i) => hash !== GONE && hash !== this.#files[i]?.hash);
    if (!changed) this.#files = this.#files.map((file, i) => (now[i]?.hash === file.hash ? now[i] : file));
    return changed;
  }
}

const GONE = "";

async function read(path: string): Promise<Source> {
  const stamp = await stampOf(path);
  const content = await readFile(path).catch(() => null);
  const hash = content === null ? GONE : createHash("sha256").update(content).digest("hex");
  return { path, stamp, hash };
}

async function stampOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found === null ? GONE : `${found.mtimeMs}/${found.size}/${found.ino}`;
}
