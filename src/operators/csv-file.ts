/** One CSV file, published whole: written beside under a temporary name, flushed, renamed. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { stringify } from "csv-stringify/sync";

/** How lines end. */
export type LineEnding = "crlf" | "lf";

/** A draft of a file, of which readers see nothing. */
export interface CsvDraft {
  write(rows: readonly (readonly (string | null)[])[]): Promise<void>;
  /** Flushes the draft to disk. Its bytes do not change any more. */
  finish(): Promise<{ sha256: string; bytes: number; rows: number }>;
  /** Puts the finished draft in the place of the file and makes that durable. */
  publish(): Promise<void>;
  discard(): Promise<void>;
}

const FORMULA = /^[=+\-@\t\r]/;
const PLAIN_NUMBER = /^[+-]?\d+(\.\d+)?$/;

/** A cell that a spreadsheet would run as a formula gets a leading apostrophe; plain numbers stay numbers. */
export function neutralised(cell: string | null): string | null {
  return cell !== null && FORMULA.test(cell) && !PLAIN_NUMBER.test(cell) ? `'${cell}` : cell;
}

/** Lines of RFC 4180; null is an empty cell. */
export function csvLines(rows: readonly (readonly (string | null)[])[], ending: LineEnding): string {
  return stringify(
    rows.map((row) => row.map(neutralised)),
    { record_delimiter: ending === "crlf" ? "\r\n" : "\n", quoted_match: /[\r\n]/ },
  );
}

/** Opens a draft of `path` for one attempt, header written. */
export async function openDraft(
  path: string,
  options: { token: string; header: readonly string[]; ending: LineEnding },
): Promise<CsvDraft> {
  const draftPath = join(dirname(path), `.${basename(path)}.${options.token}.tmp`);
  const handle = await open(draftPath, "w");
  const draft = new FileDraft({ path, draftPath, handle, ending: options.ending });
  await draft.append(csvLines([options.header], options.ending));
  return draft;
}

class FileDraft implements CsvDraft {
  readonly #hash: Hash = createHash("sha256");
  readonly #at: { path: string; draftPath: string; handle: FileHandle; ending: LineEnding };
  #rows = 0;
  #bytes = 0;

  constructor(at: { path: string; draftPath: string; handle: FileHandle; ending: LineEnding }) {
    this.#at = at;
  }

  async append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    await this.#at.handle.appendFile(bytes);
  }

  async write(rows: readonly (readonly (string | null)[])[]): Promise<void> {
    if (rows.length === 0) return;
    this.#rows += rows.length;
    await this.append(csvLines(rows, this.#at.ending));
  }

  async finish(): Promise<{ sha256: string; bytes: number; rows: number }> {
    await this.#at.handle.sync();
    await this.#at.handle.close();
    return { sha256: this.#hash.digest("hex"), bytes: this.#bytes, rows: this.#rows };
  }

  async publish(): Promise<void> {
    await rename(this.#at.draftPath, this.#at.path);
    await syncFolder(dirname(this.#at.path));
  }

  async discard(): Promise<void> {
    await this.#at.handle.close().catch(() => {});
    await rm(this.#at.draftPath, { force: true });
  }
}

/** SHA-256 of a file, or null where there is none. */
export async function sha256OfFile(path: string): Promise<string | null> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return hash.digest("hex");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Removes drafts that attempts other than `token` left in a folder. */
export async function removeDrafts(folder: string, token: string): Promise<void> {
  const stray = (await readdir(folder)).filter((name) => /^\..*\.tmp$/.test(name) && !name.endsWith(`.${token}.tmp`));
  await Promise.all(stray.map((name) => rm(join(folder, name), { force: true })));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
