/** A session with an FTP server: listings with exact times, downloads that resume, uploads that appear whole. */
import { basename, posix } from "node:path";
import type { Readable, Writable } from "node:stream";
import { Client, type FileInfo, FTPError } from "basic-ftp";
import type { Connection } from "../../dag/operator.ts";
import { messageOf, QflowError } from "../../errors.ts";

/** One line of a listing. */
export interface RemoteEntry {
  readonly name: string;
  readonly kind: "file" | "folder" | "other";
  readonly bytes: number;
  /** ISO instant with the resolution the server has (seconds); null where it gives none. */
  readonly modified: string | null;
}

/** Size and time of a remote file. */
export type RemoteStat = Pick<RemoteEntry, "bytes" | "modified">;

/** One control connection. After a network error it is closed for good: open a new one. */
export interface FtpSession {
  /** Whether it is of no more use. */
  readonly closed: boolean;
  /** Entries of a folder, in the server's order. */
  list(folder: string): Promise<RemoteEntry[]>;
  stat(path: string): Promise<RemoteStat>;
  /** Writes the content from byte `startAt` on into `sink` and ends it. */
  download(path: string, sink: Writable, startAt: number): Promise<void>;
  /** Uploads as `<path>.part` and renames when the server has every byte. Missing folders are created. */
  upload(source: Readable, path: string, bytes: number): Promise<void>;
  close(): void;
}

const IDLE_TIMEOUT_MS = 20_000;

/**
 * Connects and logs in. A signal closes the session, which fails whatever runs on it. Throws FTP_UNAVAILABLE (network) and
 * FTP_DENIED (login, rights, missing path), and so do all methods.
 */
export async function openFtp(connection: Connection, signal?: AbortSignal): Promise<FtpSession> {
  const client = new Client(Number(connection.options.timeout ?? 0) * 1000 || IDLE_TIMEOUT_MS);
  const parse = client.parseList;
  client.parseList = (raw) => parse(withoutTornLines(raw));
  const close = () => client.close();
  signal?.addEventListener("abort", close, { once: true });
  const call = <T>(what: string, work: () => Promise<T>) => mapErrors(connection, what, work);
  await call("connect", async () => {
    signal?.throwIfAborted();
    await client.access({
      host: connection.host,
      port: connection.port || 21,
      user: connection.user || "anonymous",
      password: connection.password || "guest",
      secure: connection.options.secure === "true",
    });
  });
  return {
    get closed() {
      return client.closed;
    },
    list: (folder) =>
      call(`list ${folder}`, async () => (await client.list(checked(folder))).filter(named).map(entryOf)),
    stat: (path) => call(`look at ${path}`, () => stat(client, checked(path))),
    download: (path, sink, startAt) =>
      call(`read ${path}`, async () => void (await client.downloadTo(sink, checked(path), startAt))),
    upload: (source, path, bytes) => call(`write ${path}`, () => upload(client, source, checked(path), bytes)),
    close: () => {
      signal?.removeEventListener("abort", close);
      close();
    },
  };
}

/** The protocol ends a command at a line break: such a name cannot be asked for, and must not smuggle a second command. */
function checked(path: string): string {
  if (/[\r\n\0]/.test(path))
    throw new QflowError("FTP_DENIED", `the name ${JSON.stringify(path)} cannot be asked for over FTP`);
  return path;
}

/** A name with a line break tears its line of an MLSD listing in two; the rest of it is not a line. */
function withoutTornLines(raw: string): string {
  const lines = raw.split(/\r?\n/);
  const facts = lines.filter((line) => /^([^\s=]+=[^\s;]*;)+ /.test(line));
  return facts.length > 0 ? facts.join("\r\n") : raw;
}

function named(info: FileInfo): boolean {
  return info.name !== "" && info.name !== "." && info.name !== "..";
}

function entryOf(info: FileInfo): RemoteEntry {
  return {
    name: info.name,
    kind: info.isFile ? "file" : info.isDirectory ? "folder" : "other",
    bytes: info.size,
    modified: info.modifiedAt?.toISOString() ?? null,
  };
}

/** MDTM and SIZE where the server has them, else the line of the folder's listing. */
async function stat(client: Client, path: string): Promise<RemoteStat> {
  try {
    return { bytes: await client.size(path), modified: (await client.lastMod(path)).toISOString() };
  } catch (error) {
    if (!(error instanceof FTPError) || ![500, 501, 502, 504].includes(error.code)) throw error;
  }
  const info = (await client.list(posix.dirname(path))).find((candidate) => candidate.name === basename(path));
  if (info === undefined) throw new QflowError("FTP_DENIED", `${path} is gone`);
  return entryOf(info);
}

async function upload(client: Client, source: Readable, path: string, bytes: number): Promise<void> {
  const part = `${path}.part`;
  await client.ensureDir(posix.dirname(path));
  await client.uploadFrom(source, part);
  const arrived = await client.size(part);
  if (arrived !== bytes) throw new QflowError("FTP_UNAVAILABLE", `${part}: ${arrived} of ${bytes} bytes arrived`);
  await client.rename(part, path);
}

const DENIED = new Set([530, 532, 550, 553]);

async function mapErrors<T>(connection: Connection, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof QflowError) throw error;
    const denied = error instanceof FTPError && DENIED.has(error.code);
    throw new QflowError(
      denied ? "FTP_DENIED" : "FTP_UNAVAILABLE",
      `FTP ${connection.host}:${connection.port || 21}, ${what}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
