/** The end of an attempt's log; it follows what comes while one is at its end. */
import { useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef } from "react";
import type { LogLine } from "../../../../src/api/contract.ts";
import { ErrorNote } from "../../components/feedback.tsx";
import { ansiSpans } from "../../lib/ansi.ts";
import { absolute } from "../../lib/format.ts";
import { usePreferences } from "../../lib/preferences.ts";
import { serviceLogQuery } from "../../lib/service-queries.ts";
import "../../task-panel/log-view.css";

const AT_END_PX = 40;

export function ServiceLog({ serviceId, attempt }: { serviceId: string; attempt: number }) {
  const log = useQuery(serviceLogQuery(serviceId, attempt));
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const lines = log.data?.content ?? [];
  const last = lines.at(-1)?.line;
  // biome-ignore lint/correctness/useExhaustiveDependencies: to the end again when lines have come
  useLayoutEffect(() => {
    if (isAtEnd.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [last]);
  return (
    <section className="card service-log">
      <h2>
        Log of attempt {attempt}{" "}
        <span className="muted small service-log-note">
          its end; more with <code>qflow services logs {serviceId}</code>
        </span>
      </h2>
      {log.isError && <ErrorNote error={log.error} />}
      <div
        ref={scroller}
        className="log-lines"
        role="log"
        aria-label="Log"
        tabIndex={0}
        data-wrap
        onScroll={({ currentTarget: box }) => {
          isAtEnd.current = box.scrollTop + box.clientHeight >= box.scrollHeight - AT_END_PX;
        }}
      >
        {log.data && lines.length === 0 && <p className="log-empty muted">It has written nothing.</p>}
        {lines.map((line) => (
          <TailLine key={line.line} line={line} />
        ))}
      </div>
    </section>
  );
}

function TailLine({ line }: { line: LogLine }) {
  const { zone } = usePreferences();
  return (
    <div className="log-row" data-level={line.level}>
      <span className="log-number">{line.line}</span>
      <time className="log-time">{line.timestamp ? absolute(line.timestamp, zone).slice(11, 19) : ""}</time>
      <span className="log-text">
        {ansiSpans(line.event).map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the spans of a line never move
          <span key={index} className={span.className || undefined}>
            {span.text}
          </span>
        ))}
      </span>
    </div>
  );
}
