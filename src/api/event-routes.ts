/** `/api/events`: tells open pages what changed, so that they fetch it anew. */
import type { Response } from "express";
import { type ChangesCursor, changesFromNow, readChanges } from "../metadata/views/changes-view.ts";
import type { ChangeEvent } from "./contract.ts";
import type { ApiContext } from "./route.ts";
import { route } from "./route.ts";

const POLL_MS = 400;
const HEARTBEAT_MS = 15_000;
const HELLO = "retry: 1000\nevent: hello\ndata: {}\n\n";

/** One poll of the database serves every open page; without one nothing is asked. */
class ChangeFeed {
  readonly #api: ApiContext;
  readonly #listeners = new Set<Response>();
  #cursor: ChangesCursor | null = null;
  #timer: NodeJS.Timeout | null = null;
  #heartbeatAt = 0;

  constructor(api: ApiContext) {
    this.#api = api;
  }

  add(response: Response): void {
    this.#listeners.add(response);
    response.on("close", () => this.#listeners.delete(response));
    // A page that hears it fetches what there is: whatever comes later must be told.
    if (this.#cursor !== null) response.write(HELLO);
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
    this.#cursor = null;
  }

  /** Pages reconnect by themselves, and fetch everything when they do. */
  #drop(): void {
    for (const response of this.#listeners) response.end();
    this.#listeners.clear();
  }

  async #tell(): Promise<void> {
    if (this.#cursor === null) {
      this.#cursor = await changesFromNow(this.#api.database);
      return this.#write(HELLO);
    }
    const { next, ...change }: ChangeEvent & { next: ChangesCursor } = await readChanges(
      this.#api.database,
      this.#cursor,
    );
    this.#cursor = next;
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
