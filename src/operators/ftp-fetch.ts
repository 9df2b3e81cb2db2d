/** Reads one remote file into the staging layer: resumed where it breaks, hashed as it lies on disk, published whole or not at all. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../errors.ts";
import type { FileStore } from "../lake/index.ts";
import type { PendingFile } from "../metadata/file-manifest.ts";
import type { FtpSession } from "./clients/ftp.ts";

/** Hands out a connected session; `renew` closes the last one and gives a new one. */
export interface Sessions {
  current(): Promise<FtpSession>;
  renew(): Promise<FtpSession>;
}

/** One fetch. `token` keeps what two attempts write apart. */
export interface Fetch {
  readonly file: PendingFile;
  readonly incomingDir: string;
  readonly token: string;
  readonly signal: AbortSignal;
  /** Told how many bytes of the file are there. */
  progress(bytes: number): void;
}

/** A file read whole: its bytes are at `part`. */
export interface Fetched {
  readonly part: string;
  readonly sha256: string;
}

/** Together about 20 s: a server that is restarted is waited for. */
const RECONNECTS = 8;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;

/**
 * Reads a file to `incomingDir`. A lost connection is resumed, also from what an earlier attempt left. Throws FTP_CHANGED when size or
 * time on the server differ before or after, FTP_UNAVAILABLE after eight connections in a row that brought nothing.
 */
export async function fetchFile(sessions: Sessions, fetch: Fetch): Promise<Fetched> {
  const part = await adoptPart(fetch);
  try {
    await assertUnchanged(await sessions.current(), fetch.file);
    await readAll(sessions, fetch, part);
    await assertUnchanged(await sessions.current(), fetch.file);
  } catch (error) {
    if (error instanceof QflowError && error.code === "FTP_CHANGED") await rm(part, { force: true });
    throw error;
  }
  return { part, sha256: await sha256Of(part) };
}

async function readAll(sessions: Sessions, fetch: Fetch, part: string): Promise<void> {
  let failures = 0;
  for (;;) {
    const start = (await stat(part)).size;
    if (start === fetch.file.bytes) return;
    if (start > fetch.file.bytes) throw changed(fetch.file, "it grew while it was read");
    try {
      await readFrom(await (failures === 0 ? sessions.current() : sessions.renew()), fetch, { part, start });
    } catch (error) {
      fetch.signal.throwIfAborted();
      if (!(error instanceof QflowError) || error.code !== "FTP_UNAVAILABLE") throw error;
      failures = (await stat(part)).size > start ? 1 : failures + 1;
      if (failures > RECONNECTS) throw error;
      await sleep(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1)), undefined, {
        signal: fetch.signal,
      });
    }
  }
}

async function readFrom(session: FtpSession, fetch: Fetch, at: { part: string; start: number }): Promise<void> {
  const handle = await open(at.part, "a");
  try {
    await session.download(fetch.file.path, appender(handle, at.start, fetch.progress), at.start);
    await handle.sync();
    const { size } = await handle.stat();
    if (size >= fetch.file.bytes) return;
    // The server called the transfer complete, yet bytes are missing: the file shrank, or the transfer was cut.
    await assertUnchanged(session, fetch.file);
    throw new QflowError("FTP_UNAVAILABLE", `${fetch.file.path}: ${size} of ${fetch.file.bytes} bytes arrived`);
  } finally {
    await handle.close();
  }
}

function appender(handle: FileHandle, start: number, progress: (bytes: number) => void): Writable {
  let bytes = start;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      handle.appendFile(chunk).then(() => {
        bytes += chunk.length;
        progress(bytes);
        done();
      }, done);
    },
  });
}

async function assertUnchanged(session: FtpSession, file: PendingFile): Promise<void> {
  const now = await session.stat(file.path);
  if (now.bytes !== file.bytes) throw changed(file, `it has ${now.bytes} bytes, ${file.bytes} when listed`);
  if (now.modified !== file.ftpTime) throw changed(file, `its time is ${now.modified}, ${file.ftpTime} when listed`);
}

function changed(file: PendingFile, how: string): QflowError {
  return new QflowError("FTP_CHANGED", `${file.path} changed: ${how}`);
}

/**
 * The file of this attempt to append to. What an earlier attempt read of the same version is taken over as a copy: that attempt may still
 * be writing to its own.
 */
async function adoptPart({ file, incomingDir, token }: Fetch): Promise<string> {
  await mkdir(incomingDir, { recursive: true });
  const version = `${file.fileId}-${file.bytes}-${file.ftpTime === null ? "" : Date.parse(file.ftpTime)}.`;
  const own = join(incomingDir, `${version}${token}.part`);
  const earlier = (await readdir(incomingDir))
    .filter((name) => name.startsWith(version))
    .map((name) => join(incomingDir, name));
  const [longest] = (await Promise.all(earlier.map(sized))).sort((a, b) => b.size - a.size);
  if (longest !== undefined && longest.path !== own && longest.size <= file.bytes) await copyFile(longest.path, own);
  await (await open(own, "a")).close();
  await Promise.all(earlier.filter((path) => path !== own).map((path) => rm(path, { force: true })));
  return own;
}

async function sized(path: string): Promise<{ path: string; size: number }> {
  return { path, size: (await stat(path).catch(() => ({ size: 0 }))).size };
}

/** SHA-256 of a local file, in hexadecimal, read in pieces. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Where a fetched file is to be published: folder in the store, name as delivered. */
export interface Place {
  readonly folder: string;
  readonly name: string;
  readonly version: number;
}

/**
 * Gives a fetched file its final name and returns its path in the store. Nothing is ever overwritten: a name that holds other content already
 * makes room by a name with the hash, and one that holds the same content (an attempt was killed right after publishing) is used as it is.
 */
export async function publishFile(store: FileStore, fetched: Fetched, place: Place): Promise<string> {
  const plain = stagedName(place.name);
  const extension = extname(plain);
  const distinct = `${basename(plain, extension)}.${fetched.sha256.slice(0, 8)}${extension}`;
  for (const name of place.version === 1 ? [plain, distinct] : [distinct]) {
    const target = `${place.folder}/${name}`;
    if (!(await isPut(store, fetched, target))) continue;
    await rm(fetched.part, { force: true });
    return target;
  }
  throw new QflowError("INTERNAL", `staging holds other content under ${distinct}`);
}

async function isPut(store: FileStore, fetched: Fetched, target: string): Promise<boolean> {
  try {
    await store.put(fetched.part, target);
    return true;
  } catch (error) {
    if (!(error instanceof QflowError) || error.code !== "FILE_EXISTS") throw error;
    return (await store.sha256(target)) === fetched.sha256;
  }
}

/**
 * The delivered name with what Hadoop's paths cannot hold percent-encoded: glob characters, control characters, `:`, `\\`, `%`, and a leading
 * `_` or `.`, which would hide the file.
 */
export function stagedName(name: string): string {
  const encoded = (character: string) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return name.replace(/[\u0000-\u001f\u007f*?[\]{}\\:%]/g, encoded).replace(/^[_.]/, encoded);
}
