/** What a page says when it has nothing, is waiting, or failed. */
import type { ReactNode } from "react";
import { ApiError } from "../lib/http.ts";
import { CopyButton } from "./copy.tsx";
import "./feedback.css";

/** Grey bars in the place of what is coming. Invisible for the first 200 ms (see the style sheet). */
export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the bars never move
        <div key={index} className="skeleton-row" style={{ width: `${92 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

/** An empty list that teaches how to fill it. */
export function Empty({ title, children, command }: { title: string; children?: ReactNode; command?: string }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children && <p className="muted">{children}</p>}
      {command && (
        <p className="empty-command">
          <code>{command}</code>
          <CopyButton text={command} what="command" />
        </p>
      )}
    </div>
  );
}

/** Code, sentence, what to do. */
export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const shown = ApiError.from(error);
  return (
    <div className="error-note" role="alert">
      <div>
        <strong className="mono">{shown.code}</strong> {shown.message}
      </div>
      {shown.remedy && <div className="muted">{shown.remedy}</div>}
      {onRetry && (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
