/** `/api/events`: tells open pages what changed, so that they fetch it anew. */
import type { Response } from "express";
import { databaseNow, readChanges } from "../metadata/views/platform-views.ts";
import type { ChangeEvent } from "./contract.ts";
import type { ApiContext } from "./route.ts";
import { route } from "./route.ts";

const POLL_MS = 400;
const HEARTBEAT_MS = 15_000;

/** One poll of the database serves every open page; without one nothing is asked. */
class ChangeFeed {
  readonly #api: ApiContext;
  readonly #listeners = new Set<Response>();
  #since: Date | null = null;
  #timer: NodeJS.Timeout | null = null;
  #heartbeatAt = 0;

  constructor(api: ApiContext) {
    this.#api = api;
  }

  add(response: Response): void {
    this.#listeners.add(response);
    response.on("close", () => this.#listeners.delete(response));
    response.write("retry: 1000\nevent: hello\ndata: {}\n\n");
    if (this.#timer === null) this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => void this.#poll(), delayMs);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    await this.#tell().catch(() => this.#drop());
    if (this.#listeners.size > 0) return this.#schedule(POLL_MS);
    this.#timer = null;
    this.#since = null;
  }

  /** Pages reconnect by themselves, and fetch everything when they do. */
  #drop(): void {
    for (const response of this.#listeners) response.end();
    this.#listeners.clear();
  }

  async #tell(): Promise<void> {
    if (this.#since === null) {
      this.#since = await databaseNow(this.#api.database);
      return;
    }
    const { now, ...changes } = await readChanges(this.#api.database, this.#since);
    this.#since = now;
    const change: ChangeEvent = changes;
    const empty = change.runs.length + change.dags.length + change.datasets.length === 0;
    if (!empty) this.#write(`event: change\ndata: ${JSON.stringify(change)}\n\n`);
    else if (Date.now() - this.#heartbeatAt > HEARTBEAT_MS) this.#beat();
  }

  #beat(): void {
    this.#heartbeatAt = Date.now();
    this.#write(": still here\n\n");
  }

  #write(text: string): void {
    for (const response of this.#listeners) response.write(text);
  }
}

const feeds = new WeakMap<ApiContext, ChangeFeed>();

function feedOf(api: ApiContext): ChangeFeed {
  const known = feeds.get(api) ?? new ChangeFeed(api);
  feeds.set(api, known);
  return known;
}

const events = route({
  method: "get",
  path: "/api/events",
  guard: "viewer",
  summary: "Server-sent events: `hello` on connecting, then `change` with what changed, merged over 400 ms.",
  handle: async ({ api, raw }) => {
    raw.response.setHeader("Content-Type", "text/event-stream");
    raw.response.setHeader("X-Accel-Buffering", "no");
    raw.response.flushHeaders();
    feedOf(api).add(raw.response);
  },
});

/** The event stream. */
export const eventRoutes = [events];
