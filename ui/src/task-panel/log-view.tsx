/** The log of one try: follows while one is at its end, stops when one scrolls up, finds, wraps, links lines. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { ErrorNote, Skeleton } from "../components/feedback.tsx";
import { Icon } from "../components/icon.tsx";
import { stripAnsi } from "../lib/ansi.ts";
import { count } from "../lib/format.ts";
import { setPreference, usePreferences } from "../lib/preferences.ts";
import type { TaskAddress } from "../lib/queries.ts";
import { LogRow } from "./log-row.tsx";
import { type LogState, useLog } from "./use-log.ts";
import "./log-view.css";

interface Props {
  at: TaskAddress;
  tryNumber: number;
  /** The line that the address names. */
  line: number | undefined;
  onLine: (line: number) => void;
}

const LINE_HEIGHT = 18;
const AT_END_PX = 40;
/** A search fetches no more than this. */
const SEARCHED_LINES = 100_000;

export function LogView({ at, tryNumber, line, onLine }: Props) {
  const log = useLog(at, tryNumber);
  const { wrapLogs } = usePreferences();
  const scroller = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(line === undefined);
  const [wanted, setWanted] = useState("");
  const search = useSearch(log, wanted);
  const rows = useVirtualizer({
    count: log.total,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 30,
    getItemKey: (index) => index,
  });
  const items = rows.getVirtualItems();
  const first = (items[0]?.index ?? 0) + 1;
  const last = (items.at(-1)?.index ?? 0) + 1;
  const { need, total } = log;
  useEffect(() => {
    if (total > 0) need(first, last);
  }, [need, first, last, total]);
  const height = rows.getTotalSize();
  // biome-ignore lint/correctness/useExhaustiveDependencies: to the end again whenever the lines become more or higher
  useLayoutEffect(() => {
    if (isFollowing && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [isFollowing, height]);
  const isThere = line !== undefined && line <= total;
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls once, when the named line has come
  useEffect(() => {
    if (isThere && !isFollowing) rows.scrollToIndex(line - 1, { align: "center" });
  }, [isThere, line]);

  const goTo = (found: number) => {
    setFollowing(false);
    onLine(found);
    rows.scrollToIndex(found - 1, { align: "center" });
  };
  return (
    <div className="log">
      <div className="log-bar">
        <input
          type="search"
          className="field log-search"
          placeholder="Find in the log…"
          aria-label="Find in the log"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") search.step(event.shiftKey ? -1 : 1, goTo);
            if (event.key === "Escape") setWanted("");
          }}
        />
        {wanted && (
          <span className="small muted" role="status">
            {search.isReading ? "reading…" : `${search.at + 1} of ${count(search.found.length)}`}
          </span>
        )}
        <span className="grow" />
        <LogStatus log={log} />
        <button
          type="button"
          className="button quiet"
          aria-pressed={wrapLogs}
          onClick={() => setPreference("wrapLogs", !wrapLogs)}
        >
          <Icon name="wrap" /> Wrap
        </button>
        <button
          type="button"
          className={isFollowing ? "button log-following" : "button"}
          aria-pressed={isFollowing}
          onClick={() => setFollowing(!isFollowing)}
        >
          <Icon name="follow" /> {isFollowing ? "Following" : "Follow"}
        </button>
      </div>
      {log.error !== null && <ErrorNote error={log.error} />}
      <div
        ref={scroller}
        className="log-lines"
        role="log"
        aria-label="Log"
        tabIndex={0}
        data-wrap={wrapLogs || undefined}
        onWheel={(event) => event.deltaY < 0 && setFollowing(false)}
        onKeyDown={(event) => ["ArrowUp", "PageUp", "Home"].includes(event.key) && setFollowing(false)}
        onScroll={(event) => {
          const box = event.currentTarget;
          if (isFollowing && box.scrollTop + box.clientHeight < box.scrollHeight - AT_END_PX * 10) setFollowing(false);
        }}
      >
        {log.isLoading && <Skeleton rows={8} />}
        {!log.isLoading && total === 0 && (
          <p className="log-empty muted">{log.isComplete ? "This try wrote nothing." : "Nothing written yet."}</p>
        )}
        <div className="log-inner" style={{ height }}>
          {items.map((item) => (
            <div
              key={item.key}
              ref={rows.measureElement}
              data-index={item.index}
              className="log-item"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <LogRow
                number={item.index + 1}
                line={log.lineAt(item.index + 1)}
                wanted={wanted}
                mark={item.index + 1 === line ? "named" : "none"}
                onLine={onLine}
              />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function LogStatus({ log }: { log: LogState }) {
  if (log.isLoading) return null;
  return (
    <span className="small muted">
      {count(log.total)} lines{log.isComplete ? "" : " so far"}
    </span>
  );
}

interface Search {
  found: number[];
  /** Index into `found` of the match last gone to; -1 before the first. */
  at: number;
  isReading: boolean;
  step: (by: 1 | -1, goTo: (line: number) => void) => void;
}

/** Matches of what was typed in all lines; fetches what was not looked at yet. */
function useSearch(log: LogState, wanted: string): Search {
  const [at, setAt] = useState(-1);
  const { total, need, lineAt } = log;
  const upTo = Math.min(total, SEARCHED_LINES);
  useEffect(() => {
    if (wanted) need(1, upTo);
    setAt(-1);
  }, [wanted, need, upTo]);
  let here = 0;
  const text = wanted.toLowerCase();
  // Lines arrive without the memo's inputs changing, so it is keyed by how many are here.
  if (wanted) for (let line = 1; line <= upTo; line += 1) if (lineAt(line)) here += 1;
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  const found = useMemo(() => {
    const lines: number[] = [];
    if (text === "") return lines;
    for (let line = 1; line <= upTo; line += 1) {
      const content = lineAt(line);
      if (content && stripAnsi(content.event).toLowerCase().includes(text)) lines.push(line);
    }
    return lines;
  }, [text, here, upTo]);
  const step: Search["step"] = (by, goTo) => {
    if (found.length === 0) return;
    const next = (at + by + found.length) % found.length;
    setAt(next);
    goTo(found[next] as number);
  };
  return { found, at, isReading: wanted !== "" && here < upTo, step };
}
