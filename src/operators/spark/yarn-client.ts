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
