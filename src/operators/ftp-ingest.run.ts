/** The work of `ftpIngest`. */
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { messageOf, QflowError } from "../errors.ts";
import { type FileStore, isOnHdfs, openStore } from "../lake/index.ts";
import {
  type ListedFile,
  landedFiles,
  landFile,
  markFetched,
  markStable,
  observeFiles,
  type PendingFile,
} from "../metadata/file-manifest.ts";
import { type FtpSession, openFtp } from "./clients/ftp.ts";
import { fetchFile, publishFile, type Sessions } from "./ftp-fetch.ts";
import type { ftpIngestSchema } from "./ftp-ingest.ts";
import { listFeed } from "./ftp-listing.ts";
import type { OperatorContext } from "./run.ts";

type IngestConfig = z.output<typeof ftpIngestSchema>;
type Pause = (ms: number, signal: AbortSignal) => Promise<unknown>;

/** How often a listing is repeated for files that still change, before the attempt gives up. */
const STABLE_ROUNDS = 10;

/** Lands what is new and returns what this run has to load. */
export async function run(
  config: IngestConfig,
  context: OperatorContext,
  pause: Pause = (ms, signal) => sleep(ms, undefined, { signal }),
) {
  const sessions = ftpSessions(config, context);
  try {
    const stable = await stableFiles(config, context, { sessions, pause });
    await landAll(config, context, { sessions, files: stable });
  } finally {
    sessions.close();
  }
  const landed = await landedFiles(context.database, landedBy(context));
  return landed.map((file) => ({
    fileId: file.fileId,
    feed: file.feed,
    batch: file.batch,
    name: basename(file.path),
    version: file.version,
    path: file.stagedPath,
    bytes: file.bytes,
    sha256: file.sha256,
    loadSeq: file.loadSeq,
    ftpTime: file.ftpTime,
    supersedes: file.supersedes,
    duplicateOf: file.duplicateOf,
  }));
}

function landedBy(context: OperatorContext): string {
  return `${context.dagId}/${context.runId}`;
}

/** Unloaded files that two listings show alike. Waits for those that still change; throws FTP_UNSTABLE when they do not stop. */
async function stableFiles(
  config: IngestConfig,
  context: OperatorContext,
  { sessions, pause }: { sessions: Sessions; pause: Pause },
): Promise<PendingFile[]> {
  const scope = { batch: config.batch ?? null, log: context.log };
  const list = async () => listFeed(await sessions.current(), config, scope);
  let before = await list();
  let pending = await observe(config, context, before);
  for (let round = 1; pending.length > 0; round++) {
    context.progress("waiting until the files stand still", round - 1, null);
    await pause(config.stableSeconds * 1000, context.signal);
    const now = await listFeed(await sessions.current(), config, { ...scope, log: QUIET });
    pending = await observe(config, context, now);
    const seen = new Set(before.map(fingerprint));
    const unstable = pending.filter((file) => !seen.has(fingerprint(file)));
    if (unstable.length === 0) break;
    const names = unstable.map((file) => file.path).join(", ");
    if (round === STABLE_ROUNDS) throw new QflowError("FTP_UNSTABLE", `still being written: ${names}`);
    context.log.info(`still being written: ${names}`);
    before = now;
  }
  await markStable(
    context.database,
    pending.map((file) => file.fileId),
  );
  return pending;
}

/** Verified files are landed already: this run, or the one that landed them, still has to load them. */
async function observe(config: IngestConfig, context: OperatorContext, files: ListedFile[]): Promise<PendingFile[]> {
  const pending = await observeFiles(context.database, config.connection, files);
  return pending.filter((file) => file.state !== "verified");
}

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

function fingerprint(file: ListedFile): string {
  return JSON.stringify([file.path, file.bytes, file.ftpTime]);
}

/** Lands one file after the other, batches ascending. One that fails does not keep the others; the first failure is thrown at the end. */
async function landAll(
  config: IngestConfig,
  context: OperatorContext,
  { sessions, files }: { sessions: Sessions; files: readonly PendingFile[] },
): Promise<void> {
  const failures: unknown[] = [];
  const staging = openStaging(config, context);
  if (files.length > 0) await staging.store.sweep();
  for (const file of files) {
    try {
      await landOne(config, context, { sessions, staging, file });
    } catch (error) {
      context.signal.throwIfAborted();
      context.log.error(`${file.path}: ${messageOf(error)}`);
      failures.push(error);
      if (!(error instanceof QflowError) || !["FTP_DENIED", "FTP_CHANGED"].includes(error.code)) break;
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function landOne(
  config: IngestConfig,
  context: OperatorContext,
  { sessions, staging, file }: { sessions: Sessions; staging: Staging; file: PendingFile },
): Promise<void> {
  const fetched = await fetchFile(sessions, {
    file,
    incomingDir: staging.incomingDir,
    token: context.attempt.token,
    signal: context.signal,
    progress: (bytes) => context.progress(`fetching ${basename(file.path)}`, bytes, file.bytes),
  });
  await context.publishPermit();
  await markFetched(context.database, file, fetched.sha256);
  const path = await publishFile(staging.store, fetched, {
    folder: stagingFolder(file, context.config.timezone),
    name: basename(file.path),
    version: file.version,
  });
  const stagedPath = staging.store.locate(path);
  const outcome = await context.database.transaction((sql) =>
    landFile(sql, {
      fileId: file.fileId,
      stagedPath,
      landedBy: landedBy(context),
      sameContentUnder: config.snapshots.includes(file.feed) ? "own name" : "any name",
    }),
  );
  if (outcome === "not fetched") throw new QflowError("FTP_CHANGED", `${file.path} changed after it was read`);
  context.log.info(`landed ${file.path}`, { bytes: file.bytes, sha256: fetched.sha256, stagedPath });
}

/** The staging layer, and the local folder in which files are put together. */
interface Staging {
  readonly store: FileStore;
  readonly incomingDir: string;
}

/** On a lake in a local folder files are put together beside their place, so that publishing is a rename. */
function openStaging(config: IngestConfig, context: OperatorContext): Staging {
  const location = config.stagingDir ?? `${context.config.lakeDir}/staging`;
  const local = isOnHdfs(location) ? join(context.config.home, "tmp") : location;
  return { store: openStore(location, context), incomingDir: join(local, ".incoming") };
}

/** `<feed>/<yyyy-mm-dd>/<hh>/batch=N`, by the file's time on the server in the platform's zone. */
function stagingFolder(file: PendingFile, timeZone: string): string {
  const time = file.ftpTime === null ? new Date() : new Date(file.ftpTime);
  const local = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(time);
  const [day = "", clock = ""] = local.split(" ");
  return [file.feed, day, clock.slice(0, 2), ...(file.batch === null ? [] : [`batch=${file.batch}`])].join("/");
}

function ftpSessions(config: IngestConfig, context: OperatorContext): Sessions & { close(): void } {
  let session: Promise<FtpSession> | null = null;
  const close = () =>
    void session?.then(
      (open) => open.close(),
      () => {},
    );
  const renew = () => {
    close();
    session = openFtp(context.connection(config.connection), context.signal);
    return session;
  };
  const current = async () => {
    const open = await session?.catch(() => null);
    return open && !open.closed ? open : renew();
  };
  return { current, renew, close };
}
