/** One line of a log: number (a link to it), time, level, text with its colours and the matches marked. */
import { memo, type ReactNode } from "react";
import type { LogLine } from "../../../src/api/contract.ts";
import { ansiSpans } from "../lib/ansi.ts";
import { absolute } from "../lib/format.ts";
import { usePreferences } from "../lib/preferences.ts";

interface Props {
  number: number;
  line: LogLine | undefined;
  wanted: string;
  mark: "named" | "none";
  onLine: (line: number) => void;
}

export const LogRow = memo(function LogRow({ number, line, wanted, mark, onLine }: Props) {
  return (
    <div className="log-row" data-level={line?.level} data-mark={mark}>
      <button
        type="button"
        className="log-number"
        title="Link to this line"
        aria-label={`Line ${number}`}
        tabIndex={-1}
        onClick={() => onLine(number)}
      >
        {number}
      </button>
      {line ? <LineText line={line} wanted={wanted} /> : <span className="log-text faint">…</span>}
    </div>
  );
});

function LineText({ line, wanted }: { line: LogLine; wanted: string }) {
  const { zone } = usePreferences();
  return (
    <>
      <time className="log-time" title={line.timestamp ? absolute(line.timestamp, zone) : ""}>
        {line.timestamp ? absolute(line.timestamp, zone).slice(11, 19) : ""}
      </time>
      <span className="log-text">
        {line.level !== "info" && <b className="log-level">{line.level.toUpperCase()} </b>}
        {ansiSpans(line.event).map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the spans of a line never move
          <span key={index} className={span.className || undefined}>
            {marked(span.text, wanted)}
          </span>
        ))}
        {line.fields && Object.keys(line.fields).length > 0 && <Fields fields={line.fields} />}
      </span>
    </>
  );
}

function Fields({ fields }: { fields: Record<string, unknown> }) {
  const text = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return <span className="faint"> {text.join(" ")}</span>;
}

function marked(text: string, wanted: string): ReactNode {
  if (wanted === "") return text;
  const parts: ReactNode[] = [];
  const lower = text.toLowerCase();
  const needle = wanted.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + needle.length)}</mark>);
    from = at + needle.length;
  }
  parts.push(text.slice(from));
  return parts;
}
