/** Files of the lake, wherever they lie: one interface for a local folder and for HDFS. */
import { createHash } from "node:crypto";
import { QflowError } from "../errors.ts";

/** One file or folder. */
export interface FileFacts {
  readonly name: string;
  readonly kind: "file" | "folder";
  /** 0 for a folder. */
  readonly bytes: number;
  /** ISO instant in UTC. */
  readonly modified: string;
}

/** Bytes `start` to `end`, the last not included; to the end of the file where that is absent. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/** What is written: bytes in pieces of any size. */
export type Bytes = AsyncIterable<Uint8Array>;

/**
 * A folder and all below it. Paths are relative to it, parts separated by `/`, none of them empty, `.` or `..` (FILE_NAME_REFUSED).
 * All methods throw LAKE_UNAVAILABLE (trying again may help: what is idempotent has been tried again already), LAKE_DENIED, LAKE_FULL
 * and LAKE_FAILED, beside the codes named with them.
 */
export interface FileStore {
  /** Absolute name of a path, as Spark's jobs and Hive's tables take it: not encoded. */
  locate(path: string): string;
  /** Null where there is nothing. */
  stat(path: string): Promise<FileFacts | null>;
  /** Entries of a folder by name, in the order of code units. Throws FILE_NOT_FOUND, also where the path is a file. */
  list(path: string): Promise<FileFacts[]>;
  /** The content. A connection that breaks is resumed where it broke. Throws FILE_NOT_FOUND. */
  read(path: string, range?: ByteRange): Bytes;
  /**
   * Writes under a hidden name and renames: nobody sees a part of the file, and nothing is left under the name when this fails. Missing
   * folders are made. Returns the bytes written. Throws FILE_EXISTS where the name is taken; a file is never replaced.
   */
  write(path: string, content: Bytes): Promise<number>;
  /** The same with a finished file of this machine, which stays. */
  put(localFile: string, path: string): Promise<void>;
  /** Gives a file or folder another name. Missing folders are made. Throws FILE_NOT_FOUND, FILE_EXISTS. */
  rename(from: string, to: string): Promise<void>;
  /** Makes a folder and those above it; nothing happens where it is. Throws FILE_EXISTS where a file has the name. */
  mkdir(path: string): Promise<void>;
  /** Removes a file, or a folder with all that is in it; nothing happens where there is none. */
  remove(path: string): Promise<void>;
  /** SHA-256 of the content in hexadecimal. Throws FILE_NOT_FOUND. */
  sha256(path: string): Promise<string>;
  /** Removes what writers that were killed left, once it is a day old. */
  sweep(): Promise<void>;
}

/** Folder of what is being written, which readers of the lake do not look at. */
export const INCOMING = ".incoming";

const LEFTOVER_MS = 24 * 60 * 60 * 1000;

/** The path. Throws FILE_NAME_REFUSED where it could leave the folder or cannot be a name. */
export function checkedPath(path: string): string {
  const parts = path.split("/");
  if (!path.includes("\0") && parts.every((part) => part !== "" && part !== "." && part !== "..")) return path;
  throw new QflowError("FILE_NAME_REFUSED", `${JSON.stringify(path)} is no path within the lake`);
}

/** The folder of a path; null for what lies at the top. */
export function folderOf(path: string): string | null {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? null : path.slice(0, slash);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** SHA-256 of bytes in hexadecimal. */
export async function sha256OfBytes(content: Bytes): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content) hash.update(chunk);
  return hash.digest("hex");
}

/** Removes the entries of {@link INCOMING} that no living writer can own. */
export async function sweepIncoming(store: FileStore, now: number = Date.now()): Promise<void> {
  if ((await store.stat(INCOMING)) === null) return;
  for (const { name, modified } of await store.list(INCOMING)) {
    if (now - Date.parse(modified) > LEFTOVER_MS) await store.remove(`${INCOMING}/${name}`);
  }
}

/** In the order of code units. */
export function byName(one: FileFacts, other: FileFacts): number {
  return one.name < other.name ? -1 : 1;
}
