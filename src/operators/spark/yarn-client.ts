/** YARN over its REST interface: applications by their tag, their end, and what their driver prints. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Connection } from "../../dag/operator.ts";
import { messageOf, QflowError } from "../../errors.ts";

const application = z.looseObject({
  id: z.string(),
  state: z.string(),
  finalStatus: z.string(),
  diagnostics: z.string().default(""),
  progress: z.number().default(0),
  trackingUrl: z.string().optional(),
  amContainerLogs: z.string().optional(),
});

/** What YARN tells of an application. */
export type YarnApplication = z.infer<typeof application>;

const found = z.object({
  apps: z
    .object({ app: z.array(application) })
    .partial()
    .nullable(),
});
const one = z.object({ app: application });

const ANSWER_MS = 10_000;
const RETRY_MS = 1_000;
/** As long as a ResourceManager that is started again may take. */
const PATIENCE_MS = 180_000;
const ENDED = new Set(["FINISHED", "FAILED", "KILLED"]);

/** Whether nothing of the application runs any more. */
export function hasEnded({ state }: YarnApplication): boolean {
  return ENDED.has(state);
}

/** A client of one ResourceManager. Every call waits for one that does not answer; YARN_UNAVAILABLE when that takes too long. */
export class YarnClient {
  readonly #base: string;
  readonly #patienceMs: number;

  constructor({ kind, host, port }: Connection, patienceMs = PATIENCE_MS) {
    this.#base = `${kind === "https" ? "https" : "http"}://${host}:${port || 8088}/ws/v1/cluster`;
    this.#patienceMs = patienceMs;
  }

  /** Applications with a tag, the newest first. */
  async tagged(tag: string): Promise<YarnApplication[]> {
    const { apps } = found.parse(await this.#ask(`apps?applicationTags=${encodeURIComponent(tag.toLowerCase())}`));
    return (apps?.app ?? []).toSorted((a, b) => (a.id < b.id ? 1 : -1));
  }

  async application(id: string): Promise<YarnApplication> {
    return one.parse(await this.#ask(`apps/${id}`)).app;
  }

  /** Kills an application and returns when it has ended, which it may have done before. */
  async kill(id: string): Promise<YarnApplication> {
    const body = JSON.stringify({ state: "KILLED" });
    await this.#ask(`apps/${id}/state`, { method: "PUT", body, headers: { "content-type": "application/json" } });
    for (;;) {
      const now = await this.application(id);
      if (hasEnded(now)) return now;
      await sleep(RETRY_MS);
    }
  }

  async #ask(path: string, init: RequestInit = {}): Promise<unknown> {
    const deadline = Date.now() + this.#patienceMs;
    for (;;) {
      try {
        const answer = await fetch(`${this.#base}/${path}`, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
        // Accepted or done: what it says of that is not needed.
        if (answer.ok) return await answer.json();
        throw new Error(`HTTP ${answer.status} ${(await answer.text()).slice(0, 300)}`);
      } catch (cause) {
        if (Date.now() < deadline) {
          await sleep(RETRY_MS);
          continue;
        }
        throw new QflowError("YARN_UNAVAILABLE", `${this.#base} does not answer: ${messageOf(cause)}`, { cause });
      }
    }
  }
}

const STREAMS = ["stdout", "stderr"] as const;
/** What the NodeManager puts around a file. */
const FRAME_START = "LogContents:\n";
const FRAME_END = /\nEnd of LogType:[^\n]*(\n[*\n]*)?$/;

/** Reads what an application's driver prints, from the NodeManager that runs it, each line once. */
export class DriverLog {
  readonly #line: (stream: "stdout" | "stderr", text: string) => void;
  readonly #told = { stdout: 0, stderr: 0 };

  constructor(line: (stream: "stdout" | "stderr", text: string) => void) {
    this.#line = line;
  }

  /** Tells the lines that have come since; those not complete yet only at the `end`. Never rejects: what is missed now is told later. */
  async read({ amContainerLogs }: YarnApplication, when: "meanwhile" | "end"): Promise<void> {
    const [, node, container] = /^(https?:\/\/[^/]+)\/node\/containerlogs\/([^/]+)\//.exec(amContainerLogs ?? "") ?? [];
    if (node === undefined) return;
    for (const stream of STREAMS) {
      const text = await contentOf(`${node}/ws/v1/node/containerlogs/${container}/${stream}`);
      if (text !== null) this.#tell(stream, text, when);
    }
  }

  #tell(stream: "stdout" | "stderr", text: string, when: "meanwhile" | "end"): void {
    const complete = when === "end" ? text.length : text.lastIndexOf("\n") + 1;
    const fresh = text.slice(this.#told[stream], complete);
    if (fresh === "") return;
    this.#told[stream] = complete;
    for (const line of fresh.replace(/\n$/, "").split("\n")) this.#line(stream, line);
  }
}

async function contentOf(url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) return null;
    return contentWithin(await answer.text());
  } catch {
    return null;
  }
}

/** The file within what a NodeManager answers. */
export function contentWithin(answer: string): string {
  const start = answer.indexOf(FRAME_START);
  const content = start < 0 ? answer : answer.slice(start + FRAME_START.length);
  return content.replace(FRAME_END, "");
}
