/** WebHDFS over node:http: calls to the NameNode, content to and from DataNodes, errors with codes. */
import { type IncomingMessage, type RequestOptions, request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, messageOf, QflowError } from "../errors.ts";
import type { Bytes } from "./file-store.ts";

/** Where the NameNode answers WebHDFS, and as whom it is asked (simple authentication). */
export interface WebHdfsAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Ends whatever runs. */
  readonly signal?: AbortSignal | undefined;
  /** A server that says nothing for so long is taken for gone. Default 30 s. */
  readonly idleMs?: number;
}

/** One call to the NameNode. */
export interface WebHdfsCall {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly op: string;
  /** Absolute, not encoded. */
  readonly path: string;
  readonly params?: Readonly<Record<string, string>>;
}

/** Together some 3 s: a server that is restarted takes longer, and the task is tried again. */
const TRIES = 5;
const FIRST_DELAY_MS = 200;
const MOST_BODY_BYTES = 64 * 1024 * 1024;

/** A client of one NameNode. */
export class WebHdfsClient {
  readonly #address: WebHdfsAddress;

  constructor(address: WebHdfsAddress) {
    this.#address = address;
  }

  /** The answer of a call that may be repeated, which it is while the cluster cannot be reached. */
  async retried(call: WebHdfsCall): Promise<Record<string, unknown>> {
    return this.again(() => this.once(call));
  }

  /** The answer of a call that is made once. */
  async once(call: WebHdfsCall): Promise<Record<string, unknown>> {
    const { host, port } = this.#address;
    const response = await this.#send({ host, port, method: call.method, path: this.#target(call) }, null);
    return accepted(call, response);
  }

  /**
   * Sends content to where a CREATE was told to. HDFS has the whole file when this resolves.
   * Content that breaks off is ended in order and answered before its error is thrown: a DataNode asks for content
   * before it makes the file, so that a file whose request was only cut may come after its removal.
   */
  async upload(location: string, content: Bytes, call: WebHdfsCall): Promise<void> {
    const url = new URL(location);
    const options = { host: url.hostname, port: Number(url.port), method: "PUT", path: url.pathname + url.search };
    const source: Source = { content, broken: null };
    try {
      await accepted(call, await this.#send(options, endedInOrder(source)));
    } catch (error) {
      throw source.broken === null ? error : source.broken.error;
    }
    if (source.broken !== null) throw source.broken.error;
  }

  /** The content from where an OPEN was told to. */
  async download(location: string, call: WebHdfsCall): Promise<IncomingMessage> {
    const url = new URL(location);
    const options = { host: url.hostname, port: Number(url.port), method: "GET", path: url.pathname + url.search };
    const response = await this.#send(options, null);
    if (response.statusCode !== 200) await accepted(call, response);
    return response;
  }

  /** Repeats work while the cluster cannot be reached. */
  async again<T>(work: () => Promise<T>): Promise<T> {
    for (let failed = 1; ; failed++) {
      try {
        return await work();
      } catch (error) {
        this.#address.signal?.throwIfAborted();
        if (!isUnavailable(error) || failed === TRIES) throw error;
        await sleep(FIRST_DELAY_MS * 2 ** (failed - 1), undefined, { signal: this.#address.signal });
      }
    }
  }

  #target({ op, path, params }: WebHdfsCall): string {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    const query = new URLSearchParams({ op, "user.name": this.#address.user, ...params });
    return `/webhdfs/v1${encoded}?${query}`;
  }

  /** The response's head. A DataNode takes content only from who waits for its 100. */
  #send(options: RequestOptions, content: Bytes | null): Promise<IncomingMessage> {
    const { signal, idleMs = 30_000 } = this.#address;
    const headers = content === null ? {} : { Expect: "100-continue", "Content-Type": "application/octet-stream" };
    return new Promise((resolve, reject) => {
      const sent = request({ ...options, headers, ...(signal ? { signal } : {}), agent: false });
      const failed = (error: unknown) => {
        sent.destroy();
        reject(signal?.aborted ? signal.reason : unavailable(options, error));
      };
      sent.setTimeout(idleMs, () => sent.destroy(new Error(`no answer for ${idleMs / 1000} s`)));
      sent.once("error", failed);
      sent.once("response", resolve);
      if (content === null) sent.end();
      else {
        sent.flushHeaders();
        sent.once("continue", () => {
          pipeline(Readable.from(content, { objectMode: false }), sent).catch(failed);
        });
      }
    });
  }
}

/** Content to send, and the error with which it broke off: its own, not one of the network. */
interface Source {
  readonly content: Bytes;
  broken: { readonly error: unknown } | null;
}

async function* endedInOrder(source: Source): Bytes {
  try {
    yield* source.content;
  } catch (error) {
    source.broken = { error };
  }
}

/** Whether trying again may help. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof QflowError && error.code === "LAKE_UNAVAILABLE";
}

function unavailable({ host, port }: RequestOptions, error: unknown): QflowError {
  return new QflowError("LAKE_UNAVAILABLE", `WebHDFS at ${host}:${port}: ${messageOf(error)}`, { cause: error });
}

async function accepted(call: WebHdfsCall, response: IncomingMessage): Promise<Record<string, unknown>> {
  const text = await bodyOf(response);
  const body = parsed(text);
  if (response.statusCode === 200 || response.statusCode === 201) return body ?? {};
  const remote = body?.RemoteException as { exception?: unknown; message?: unknown } | undefined;
  const exception = typeof remote?.exception === "string" ? remote.exception : `HTTP ${response.statusCode}`;
  const message = typeof remote?.message === "string" ? remote.message : text;
  const code = codeOf(exception, message, response.statusCode ?? 0);
  throw new QflowError(code, `${call.op} ${call.path}: ${exception}: ${message.split("\n")[0]?.slice(0, 300)}`);
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MOST_BODY_BYTES) throw new QflowError("LAKE_FAILED", "WebHDFS answers without end");
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof QflowError) throw error;
    throw new QflowError("LAKE_UNAVAILABLE", `WebHDFS broke off its answer: ${messageOf(error)}`, { cause: error });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  FileNotFoundException: "FILE_NOT_FOUND",
  FileAlreadyExistsException: "FILE_EXISTS",
  ParentNotDirectoryException: "FILE_EXISTS",
  InvalidPathException: "FILE_NAME_REFUSED",
  AccessControlException: "LAKE_DENIED",
  SecurityException: "LAKE_DENIED",
  NSQuotaExceededException: "LAKE_FULL",
  DSQuotaExceededException: "LAKE_FULL",
  QuotaByStorageTypeExceededException: "LAKE_FULL",
  StandbyException: "LAKE_UNAVAILABLE",
  SafeModeException: "LAKE_UNAVAILABLE",
  RetriableException: "LAKE_UNAVAILABLE",
  ConnectException: "LAKE_UNAVAILABLE",
  EOFException: "LAKE_UNAVAILABLE",
  NoRouteToHostException: "LAKE_UNAVAILABLE",
};

/** What a NameNode says that has no DataNode, or a DataNode that has no NameNode. */
const COMES_BACK =
  /could only be written to 0 of|no DataNodes?|Failed to find datanode|safe mode|Connection (refused|reset)|BlockMissing|Could not obtain block/i;

function codeOf(exception: string, message: string, status: number): ErrorCode {
  if (COMES_BACK.test(message)) return "LAKE_UNAVAILABLE";
  const known = CODES[exception];
  if (known) return known;
  if (status === 401) return "LAKE_DENIED";
  if (status === 404) return "FILE_NOT_FOUND";
  return status === 502 || status === 503 || status === 504 ? "LAKE_UNAVAILABLE" : "LAKE_FAILED";
}
