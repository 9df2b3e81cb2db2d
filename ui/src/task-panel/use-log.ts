/** A task's log in pieces: only what is looked at is fetched, and what is written meanwhile is asked for. */
import { useCallback, useEffect, useRef, useState } from "react";
import type { LogLine, LogPage } from "../../../src/api/contract.ts";
import { get, url } from "../lib/http.ts";
import type { TaskAddress } from "../lib/queries.ts";

/** Lines of one piece. */
const PIECE = 1000;
const POLL_MS = 1000;
/** After so many failures in a row the log says so; it goes on asking. */
const FAILURES_SHOWN = 2;

/** What the viewer draws. `lineAt` is undefined for a line that is not here yet. */
export interface LogState {
  total: number;
  /** True when the try has ended and everything is written. */
  isComplete: boolean;
  isLoading: boolean;
  error: unknown;
  lineAt: (line: number) => LogLine | undefined;
  /** Fetches what is missing of this range of lines (1-based, both included). */
  need: (from: number, to: number) => void;
}

interface Store {
  lines: Map<number, LogLine>;
  asked: Set<number>;
  total: number;
  isComplete: boolean;
  /** Whether the last answer was as long as it may be, so that more is there already. */
  isFull: boolean;
  failures: number;
}

const emptyStore = (): Store => ({
  lines: new Map(),
  asked: new Set(),
  total: 0,
  isComplete: false,
  isFull: false,
  failures: 0,
});

/** The log of one try, followed until it is complete. */
export function useLog(at: TaskAddress, tryNumber: number): LogState {
  const { dagId, runId, taskId, mapIndex } = at;
  const store = useRef<Store>(emptyStore());
  const [view, setView] = useState({ version: 0, isLoading: true, error: null as unknown });

  const fetchFrom = useCallback(
    async (from: number, limit: number, signal?: AbortSignal) => {
      const path = ["v2", "dags", dagId, "dagRuns", runId, "taskInstances", taskId, "logs", String(tryNumber)];
      const page = await get<LogPage>(url(path, { map_index: mapIndex, from_line: from, limit }), signal);
      const { current } = store;
      for (const line of page.content) current.lines.set(line.line, line);
      current.total = Math.max(current.total, page.total_lines, page.content.at(-1)?.line ?? 0);
      return page;
    },
    [dagId, runId, taskId, mapIndex, tryNumber],
  );

  useEffect(() => {
    const mine = emptyStore();
    store.current = mine;
    setView({ version: 0, isLoading: true, error: null });
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      try {
        const page = await fetchFrom(mine.total + 1, PIECE, abort.signal);
        mine.failures = 0;
        mine.isFull = page.content.length >= PIECE;
        mine.isComplete = page.complete && !mine.isFull;
        setView((old) => ({ version: old.version + 1, isLoading: false, error: null }));
      } catch (error) {
        if (abort.signal.aborted) return;
        mine.failures += 1;
        if (mine.failures >= FAILURES_SHOWN) setView((old) => ({ ...old, isLoading: false, error }));
      }
      if (!mine.isComplete && !abort.signal.aborted) timer = setTimeout(() => void poll(), mine.isFull ? 0 : POLL_MS);
    };
    void poll();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [fetchFrom]);

  const need = useCallback(
    (from: number, to: number) => {
      const { current } = store;
      for (let piece = Math.floor((from - 1) / PIECE); piece * PIECE < Math.min(to, current.total); piece += 1) {
        if (current.asked.has(piece) || isHere(current, piece)) continue;
        current.asked.add(piece);
        fetchFrom(piece * PIECE + 1, PIECE)
          .then(() => setView((old) => ({ ...old, version: old.version + 1 })))
          .catch(() => {})
          // The last piece grows: it is asked again when lines of it are missing.
          .finally(() => current.asked.delete(piece));
      }
    },
    [fetchFrom],
  );

  return {
    total: store.current.total,
    isComplete: store.current.isComplete,
    isLoading: view.isLoading,
    error: view.error,
    lineAt: (line) => store.current.lines.get(line),
    need,
  };
}

function isHere(store: Store, piece: number): boolean {
  const last = Math.min((piece + 1) * PIECE, store.total);
  for (let line = piece * PIECE + 1; line <= last; line += 1) if (!store.lines.has(line)) return false;
  return true;
}
