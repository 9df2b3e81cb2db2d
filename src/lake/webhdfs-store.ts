/** The lake in a folder of HDFS. */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { QflowError } from "../errors.ts";
import {
  type ByteRange,
  type Bytes,
  byName,
  checkedPath,
  type FileFacts,
  type FileStore,
  folderOf,
  INCOMING,
  nameOf,
  sha256OfBytes,
  sweepIncoming,
} from "./file-store.ts";
import { isUnavailable, type WebHdfsAddress, type WebHdfsCall, WebHdfsClient } from "./webhdfs-client.ts";

/** A FileStatus of WebHDFS, as far as it is used. */
interface RemoteStatus {
  readonly pathSuffix: string;
  readonly type: "FILE" | "DIRECTORY" | "SYMLINK";
  readonly length: number;
  readonly modificationTime: number;
  /** Identity of the file, which a rename keeps. */
  readonly fileId: number;
}

const READ_TRIES = 5;

/** The files below the folder of a `hdfs://host:port/folder` address. */
export class WebHdfsStore implements FileStore {
  readonly #client: WebHdfsClient;
  readonly #authority: string;
  readonly #root: string;

  /** `folder` is the path of the store's folder; `authority` (`host:port` of the NameNode's RPC) only goes into names for jobs. */
  constructor(at: { authority: string; folder: string }, address: WebHdfsAddress) {
    this.#client = new WebHdfsClient(address);
    this.#authority = at.authority;
    this.#root = at.folder.replace(/\/+$/, "");
  }

  locate(path: string): string {
    return `hdfs://${this.#authority}${this.#absolute(path)}`;
  }

  async stat(path: string): Promise<FileFacts | null> {
    const found = await this.#status(path);
    return found === null ? null : factsOf(nameOf(path), found);
  }

  async list(path: string): Promise<FileFacts[]> {
    const found: FileFacts[] = [];
    let after: Record<string, string> = {};
    for (;;) {
      const call: WebHdfsCall = { method: "GET", op: "LISTSTATUS_BATCH", path: this.#absolute(path), params: after };
      const { DirectoryListing: page } = (await this.#client.retried(call)) as unknown as Listing;
      const entries = page.partialListing.FileStatuses.FileStatus;
      if (entries[0]?.pathSuffix === "") throw new QflowError("FILE_NOT_FOUND", `${path} is no folder`);
      found.push(...entries.map((entry) => factsOf(entry.pathSuffix, entry)));
      const last = entries.at(-1);
      if (page.remainingEntries === 0 || last === undefined) return found.sort(byName);
      after = { startAfter: last.pathSuffix };
    }
  }

  async *read(path: string, range: ByteRange = { start: 0 }): Bytes {
    let { start } = range;
    for (let failed = 0; ; ) {
      if (range.end !== undefined && start >= range.end) return;
      try {
        for await (const chunk of await this.#open(path, { ...range, start })) {
          start += chunk.length;
          failed = 0;
          yield chunk;
        }
        return;
      } catch (error) {
        if (!isBroken(error) || ++failed === READ_TRIES) throw asUnavailable(path, error);
      }
    }
  }

  async write(path: string, content: Bytes): Promise<number> {
    const draft = `${INCOMING}/${randomUUID()}`;
    if ((await this.stat(path)) !== null) throw new QflowError("FILE_EXISTS", `${path} exists`);
    let bytes = 0;
    const counted = async function* (): Bytes {
      for await (const chunk of content) {
        bytes += chunk.length;
        yield chunk;
      }
    };
    try {
      await this.#upload(draft, counted());
      const stored = await this.#status(draft);
      if (stored?.length !== bytes) {
        throw new QflowError("LAKE_UNAVAILABLE", `${path}: HDFS holds ${stored?.length ?? 0} of ${bytes} bytes`);
      }
      await this.rename(draft, path);
      return bytes;
    } catch (error) {
      // A killed cluster does not answer that either; what stays is hidden, and swept when it is old.
      await this.#client.once(this.#deletion(draft)).catch(() => {});
      throw error;
    }
  }

  async put(localFile: string, path: string): Promise<void> {
    await this.write(path, createReadStream(localFile, { highWaterMark: 1 << 20 }));
  }

  /** RENAME with an option fails with an exception; without one it answers `{"boolean": false}`, or moves into a folder of the name. */
  async rename(from: string, to: string): Promise<void> {
    const source = await this.#status(from);
    if (source === null) throw new QflowError("FILE_NOT_FOUND", `${from}: there is nothing to rename`);
    const folder = folderOf(to);
    if (folder !== null) await this.mkdir(folder);
    const params = { destination: this.#absolute(to), renameoptions: "NONE" };
    await this.#client.again(async () => {
      try {
        await this.#client.once({ method: "PUT", op: "RENAME", path: this.#absolute(from), params });
      } catch (error) {
        // The answer may be lost and the work be done, by this try or an earlier one: the file's identity tells.
        const taken = await this.#status(to);
        if (taken?.fileId === source.fileId) return;
        if (taken !== null) throw new QflowError("FILE_EXISTS", `${to} exists`, { cause: error });
        throw error;
      }
    });
  }

  async mkdir(path: string): Promise<void> {
    await this.#client.retried({ method: "PUT", op: "MKDIRS", path: this.#absolute(path) });
  }

  async remove(path: string): Promise<void> {
    await this.#client.retried(this.#deletion(path));
  }

  sha256(path: string): Promise<string> {
    return sha256OfBytes(this.read(path));
  }

  sweep(): Promise<void> {
    return sweepIncoming(this);
  }

  #absolute(path: string): string {
    return `${this.#root}/${checkedPath(path)}`;
  }

  #deletion(path: string): WebHdfsCall {
    return { method: "DELETE", op: "DELETE", path: this.#absolute(path), params: { recursive: "true" } };
  }

  async #status(path: string): Promise<RemoteStatus | null> {
    try {
      const answer = await this.#client.retried({ method: "GET", op: "GETFILESTATUS", path: this.#absolute(path) });
      return answer.FileStatus as RemoteStatus;
    } catch (error) {
      if (error instanceof QflowError && error.code === "FILE_NOT_FOUND") return null;
      throw error;
    }
  }

  /** The content can be sent once only: what fails is for the task to try again. */
  async #upload(path: string, content: Bytes): Promise<void> {
    const params = { overwrite: "true", noredirect: "true" };
    const call: WebHdfsCall = { method: "PUT", op: "CREATE", path: this.#absolute(path), params };
    const { Location } = await this.#client.retried(call);
    await this.#client.upload(String(Location), content, call);
  }

  async #open(path: string, { start, end }: ByteRange): Promise<AsyncIterable<Buffer>> {
    const params: Record<string, string> = { offset: String(start), noredirect: "true" };
    if (end !== undefined) params.length = String(end - start);
    const call: WebHdfsCall = { method: "GET", op: "OPEN", path: this.#absolute(path), params };
    return this.#client.again(async () => {
      const { Location } = await this.#client.once(call);
      return this.#client.download(String(Location), call);
    });
  }
}

interface Listing {
  readonly DirectoryListing: {
    readonly partialListing: { readonly FileStatuses: { readonly FileStatus: readonly RemoteStatus[] } };
    readonly remainingEntries: number;
  };
}

function factsOf(name: string, { type, length, modificationTime }: RemoteStatus): FileFacts {
  const folder = type === "DIRECTORY";
  return {
    name,
    kind: folder ? "folder" : "file",
    bytes: folder ? 0 : length,
    modified: new Date(modificationTime).toISOString(),
  };
}

/** A body that broke off, as node:http reports it. */
function isBroken(error: unknown): boolean {
  return isUnavailable(error) || (error as NodeJS.ErrnoException | null)?.code === "ECONNRESET";
}

function asUnavailable(path: string, error: unknown): unknown {
  if (error instanceof QflowError || !isBroken(error)) return error;
  return new QflowError("LAKE_UNAVAILABLE", `${path}: the connection broke again and again`, { cause: error });
}
