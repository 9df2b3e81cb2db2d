/** What lies on an FTP server, sorted by feed and batch. */
import { basename, posix } from "node:path";
import type { TaskLog } from "../dag/operator.ts";
import type { ListedFile } from "../metadata/file-manifest.ts";
import type { FtpSession, RemoteEntry } from "./clients/ftp.ts";
import type { Feed } from "./ftp-feed.ts";

/** Lists the files of a feed: those of one batch, or of all in ascending order of their number. What does not belong is logged. */
export async function listFeed(
  session: FtpSession,
  feed: Feed,
  scope: { batch: number | null; log: TaskLog },
): Promise<ListedFile[]> {
  if (feed.batchFolder === undefined)
    return filesOf(await session.list(feed.path), feed, { ...scope, folder: feed.path, batch: null });
  const found: ListedFile[] = [];
  for (const { batch, folder } of await batchFolders(session, feed, feed.batchFolder, scope)) {
    const entries = await session.list(folder);
    if (entries.length === 0) scope.log.warn(`${folder} is empty`);
    found.push(...filesOf(entries, feed, { log: scope.log, folder, batch }));
  }
  return found;
}

interface Place {
  readonly folder: string;
  readonly batch: number | null;
  readonly log: TaskLog;
}

async function batchFolders(
  session: FtpSession,
  feed: Feed,
  pattern: string,
  scope: { batch: number | null; log: TaskLog },
): Promise<{ batch: number; folder: string }[]> {
  const matcher = nameMatcher(pattern, null);
  const folders = new Map<number, string>();
  for (const entry of await session.list(feed.path)) {
    const batch = matcher(entry.name);
    const folder = posix.join(feed.path, entry.name);
    if (batch === null || typeof batch !== "number" || !isPlain(entry.name)) {
      scope.log.warn(`${shown(folder)} is no batch folder: left alone`);
    } else if (entry.kind !== "folder") {
      scope.log.warn(`${shown(folder)} is a file where a batch folder is expected: left alone`);
    } else if (folders.has(batch)) {
      scope.log.warn(`${shown(folder)} is a second folder of batch ${batch}: left alone`);
    } else if (scope.batch === null || scope.batch === batch) {
      folders.set(batch, folder);
    }
  }
  return [...folders].map(([batch, folder]) => ({ batch, folder })).sort((a, b) => a.batch - b.batch);
}

function filesOf(entries: readonly RemoteEntry[], feed: Feed, place: Place): ListedFile[] {
  const patterns = Object.entries(feed.files ?? { [feedNameOf(feed.path)]: "*" });
  const matchers = patterns.map(([name, pattern]) => ({ name, matches: nameMatcher(pattern, place.batch) }));
  const found: ListedFile[] = [];
  for (const entry of entries) {
    const path = posix.join(place.folder, entry.name);
    const owner = matchers.find((matcher) => matcher.matches(entry.name) !== null);
    if (owner === undefined || !isPlain(entry.name)) place.log.warn(`${shown(path)} belongs to no feed: left alone`);
    else if (entry.kind !== "file")
      place.log.warn(`${shown(path)} is a ${entry.kind} where a file is expected: left alone`);
    else found.push({ path, feed: owner.name, batch: place.batch, bytes: entry.bytes, ftpTime: entry.modified });
  }
  return found.sort((a, b) => compare(a.feed, b.feed) || compare(a.path, b.path));
}

/** Feeds of a batch that have no file. */
export function missingFeeds(feed: Feed, files: readonly ListedFile[]): string[] {
  const present = new Set(files.map((file) => file.feed));
  return Object.keys(feed.files ?? {}).filter((name) => !present.has(name));
}

/**
 * A test of names against a pattern with `*` and `{n}`. It gives the number that `{n}` stands for (true where the pattern has none),
 * or null when the name does not match. With `expected`, `{n}` matches that number only, written with or without leading zeros.
 */
export function nameMatcher(pattern: string, expected: number | null): (name: string) => number | true | null {
  const source = pattern
    .split(/(\{n\}|\*)/)
    .map((part) => (part === "{n}" ? "(\\d{1,15})" : part === "*" ? ".*" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))
    .join("");
  const expression = new RegExp(`^${source}$`, "su");
  return (name) => {
    const match = expression.exec(name);
    if (match === null) return null;
    if (match[1] === undefined) return true;
    const number = Number(match[1]);
    return expected === null || number === expected ? number : null;
  };
}

/** A line break cannot be asked for over FTP, and a slash would lead elsewhere. */
function isPlain(name: string): boolean {
  return !/[\r\n\0/]/.test(name);
}

function shown(path: string): string {
  return JSON.stringify(path);
}

function feedNameOf(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, "_");
  return /^[a-z]/.test(name) ? name : `feed${name === "" ? "" : `_${name}`}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
