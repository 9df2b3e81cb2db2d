/** A long-lived Spark driver: started by a real `spark-submit`, runs one application after the other, dies with this process. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Config } from "../../config.ts";
import { QflowError } from "../../errors.ts";
import { endGroup } from "../../processes/ending.ts";
import type { ProcessIdentity } from "../../processes/table.ts";
import type { SparkEnd, SparkJob } from "./job.ts";
import { LastWords } from "./last-words.ts";
import { type Launched, launch } from "./launch.ts";

const SERVER = join(import.meta.dirname, "session_server.py");
const START_MS = 180_000;
/** A cancelled application that does not stop by itself costs the driver. Less than the worker's patience with an operator. */
const CANCEL_MS = 8_000;
/** Environment variable by which every process of one warm driver is found. */
const DRIVER_MARKER = "QFLOW_SPARK_DRIVER";

const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), secret: z.string(), applicationId: z.string(), ui: z.string().nullable() }),
  z.object({ type: z.literal("line"), stream: z.enum(["stdout", "stderr"]), text: z.string() }),
  z.object({ type: z.literal("done"), token: z.string(), exitCode: z.number(), broken: z.boolean().optional() }),
]);
type Message = z.infer<typeof message>;

type Line = (stream: "stdout" | "stderr", text: string) => void;

interface Current {
  readonly job: SparkJob;
  readonly line: Line;
  settle(end: SparkEnd): void;
}

/** One driver. */
export class WarmDriver {
  readonly identity: ProcessIdentity;
  readonly ui: string;
  /** Resolves when the driver is gone. */
  readonly gone: Promise<void>;
  readonly #id: string;
  readonly #words: LastWords;
  readonly #log: WriteStream;
  #socket: Socket | null = null;
  #applicationId = "";
  #current: Current | null = null;
  #jobs = 0;
  #usable = true;

  private constructor(parts: { launched: Launched; id: string; words: LastWords; log: WriteStream }) {
    this.#id = parts.id;
    this.#words = parts.words;
    this.#log = parts.log;
    this.identity = parts.launched.identity;
    this.ui = parts.launched.ui;
    this.gone = parts.launched.ended.then(({ code, signal }) => {
      this.#usable = false;
      // Where only the JVM died, its Python ends itself when this closes.
      this.#socket?.destroy();
      this.#log.end();
      this.#current?.settle({ exitCode: null, killedBy: `the Spark driver ended (${signal ?? `exit code ${code}`})` });
    });
  }

  /** Starts a driver and waits until it takes jobs. Throws SPARK_MISSING or SPARK_FAILED with its last words. */
  static async start(config: Config): Promise<WarmDriver> {
    const id = randomBytes(8).toString("hex");
    const secret = randomBytes(24).toString("base64url");
    const folder = join(config.home, "tmp", `spark-${id}`);
    const log = await openLog(config);
    const words = new LastWords();
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    let driver: WarmDriver | null = null;
    const launched = await launch({
      config,
      name: `qflow-warm-${id}`,
      kind: "warm",
      application: SERVER,
      args: [],
      conf: {},
      env: { [DRIVER_MARKER]: id, QFLOW_SESSION_PORT: String(port), QFLOW_SESSION_SECRET: secret },
      folder,
      line: (stream, text) => {
        words.add(text);
        log.write(`${text}\n`);
        driver?.onPrinted(stream, text);
      },
    });
    driver = new WarmDriver({ launched, id, words, log });
    void driver.gone.then(() => rm(folder, { recursive: true, force: true }));
    await driver.#connect(server, secret);
    return driver;
  }

  /** Whether it can take a job now or after the one it has. */
  get usable(): boolean {
    return this.#usable;
  }

  /** How many jobs it has taken. */
  get jobs(): number {
    return this.#jobs;
  }

  /** Spark's id of the application that all jobs of this driver share. */
  get applicationId(): string {
    return this.#applicationId;
  }

  /**
   * Runs a job. When the signal is aborted the job is cancelled; one that does not stop takes the driver with it, so that nothing of it
   * runs any more when this rejects.
   */
  async run(job: SparkJob, line: Line, signal: AbortSignal): Promise<SparkEnd> {
    if (this.#current !== null || !this.#usable) throw new QflowError("INTERNAL", "the Spark driver is not free");
    this.#jobs++;
    const ended = new Promise<SparkEnd>((settle) => {
      this.#current = { job, line, settle };
    });
    const { name, token, application, args, conf, env, lineage } = job;
    this.#send({ type: "run", name, token, application, args, conf, env, lineage });
    const onAbort = () => void this.#cancel(job, ended);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const end = await ended;
    signal.removeEventListener("abort", onAbort);
    this.#current = null;
    signal.throwIfAborted();
    return end;
  }

  /** Ends the driver and everything it started. */
  async stop(): Promise<void> {
    this.#usable = false;
    // The driver ends itself when its connection closes; the rest is for one that cannot.
    this.#socket?.destroy();
    await endGroup(this.identity, { name: DRIVER_MARKER, value: this.#id }, 2_000);
    await this.gone;
  }

  /** A line the driver itself printed: of the job it runs, where there is one. */
  onPrinted(stream: "stdout" | "stderr", text: string): void {
    this.#current?.line(stream, text);
  }

  async #cancel(job: SparkJob, ended: Promise<unknown>): Promise<void> {
    this.#send({ type: "cancel", token: job.token });
    await Promise.race([ended, sleep(CANCEL_MS, undefined, { ref: false })]);
    if (this.#current?.job === job) await this.stop();
  }

  #send(value: object): void {
    this.#socket?.write(`${JSON.stringify(value)}\n`);
  }

  /** Waits for the driver to connect and prove itself; whoever else connects is turned away. */
  async #connect(server: Server, secret: string): Promise<void> {
    const ready = new Promise<void>((settle) => {
      server.on("connection", (socket) => {
        socket.on("error", () => {});
        this.#listen(socket, { secret, settle });
      });
    });
    const late = sleep(START_MS, "late" as const, { ref: false });
    const first = await Promise.race([ready, this.gone.then(() => "gone" as const), late]);
    server.close();
    if (first === undefined) return;
    await this.stop();
    const why = first === "late" ? `was not ready after ${START_MS / 1000} s` : "ended before it was ready";
    throw new QflowError("SPARK_FAILED", `a warm Spark driver ${why}: ${this.#words.summary()}`);
  }

  #listen(socket: Socket, { secret, settle }: { secret: string; settle: () => void }): void {
    let proven = false;
    createInterface({ input: socket }).on("line", (text) => {
      const parsed = message.safeParse(jsonOrNull(text));
      if (!parsed.success) socket.destroy();
      else if (proven) this.#onMessage(parsed.data);
      else if (parsed.data.type === "ready" && parsed.data.secret === secret) {
        proven = true;
        this.#socket = socket;
        this.#applicationId = parsed.data.applicationId;
        settle();
      } else if (parsed.data.type === "ready") socket.destroy();
    });
  }

  #onMessage(received: Message): void {
    if (received.type === "line") {
      this.#words.add(received.text);
      this.#current?.line(received.stream, received.text);
    } else if (received.type === "done" && received.token === this.#current?.job.token) {
      if (received.broken) this.#usable = false;
      this.#current.settle({ exitCode: received.exitCode, killedBy: null });
    }
  }
}

async function openLog(config: Config): Promise<WriteStream> {
  const folder = join(config.home, "log");
  await mkdir(folder, { recursive: true });
  return createWriteStream(join(folder, "spark-warm.log"), { flags: "a", mode: 0o600 });
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
