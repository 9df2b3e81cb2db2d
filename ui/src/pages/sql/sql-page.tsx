/** Ad-hoc SQL over every layer. What was typed survives errors, reloads and leaving the page. */
import { useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { SqlRequest, SqlResult } from "../../../../src/api/contract.ts";
import { Empty, ErrorNote } from "../../components/feedback.tsx";
import { Icon } from "../../components/icon.tsx";
import { ResultTable } from "../../components/result-table.tsx";
import { useNow } from "../../lib/clock.ts";
import { toCsv } from "../../lib/csv.ts";
import { download } from "../../lib/download.ts";
import { duration, plural } from "../../lib/format.ts";
import { send, url } from "../../lib/http.ts";
import { SqlEditor } from "./sql-editor.tsx";
import "./sql.css";

const route = getRouteApi("/sql");

const DRAFT_KEY = "qflow.sql";
const FIRST_QUERY = "select * from enriched.most_selling_products order by units_sold desc limit 20";
const MAX_ROWS = 1000;

function readDraft(): string {
  try {
    return localStorage.getItem(DRAFT_KEY) ?? FIRST_QUERY;
  } catch {
    return FIRST_QUERY;
  }
}

export function SqlPage() {
  const { q } = route.useSearch();
  const [text, setText] = useState(() => q ?? readDraft());
  const abort = useRef<AbortController | null>(null);
  const run = useMutation({
    mutationFn: (sql: string) => {
      abort.current = new AbortController();
      const body: SqlRequest = { sql, max_rows: MAX_ROWS };
      return send<SqlResult>("POST", url(["sql"]), body, abort.current.signal);
    },
  });
  useEffect(() => {
    try {
      localStorage.setItem(DRAFT_KEY, text);
    } catch {
      // Storage switched off: the text lives as long as the page.
    }
  }, [text]);
  useEffect(() => () => abort.current?.abort(), []);
  const start = () => {
    if (text.trim() !== "" && !run.isPending) run.mutate(text);
  };
  const isCancelled = run.error instanceof DOMException && run.error.name === "AbortError";
  return (
    <div className="page page-full sql-page">
      <h1 className="visually-hidden">SQL</h1>
      <SqlEditor value={text} onChange={setText} onRun={start} />
      <div className="row wrap">
        {run.isPending ? (
          <button type="button" className="button" onClick={() => abort.current?.abort()}>
            <Icon name="stop" size={14} /> Stop
          </button>
        ) : (
          <button type="button" className="button primary" onClick={start} disabled={text.trim() === ""}>
            <Icon name="play" size={14} /> Run
          </button>
        )}
        <kbd>Ctrl Enter</kbd>
        <span className="muted small">Reading only · at most {plural(MAX_ROWS, "row")} are fetched</span>
        <span className="grow" />
        {run.isPending && <Waiting />}
        {run.data && <ResultSummary result={run.data} />}
      </div>
      {run.isError && !isCancelled && <ErrorNote error={run.error} />}
      {run.data && <ResultTable label="Result" columns={run.data.columns} rows={run.data.rows} />}
      {run.isIdle && (
        <Empty title="Write a query and run it">
          Tables are named layer.table, as under Datasets: staging, standardized, conformed, enriched.
        </Empty>
      )}
      {isCancelled && <p className="muted">Stopped.</p>}
    </div>
  );
}

function Waiting() {
  const [started] = useState(() => Date.now());
  const now = useNow();
  return (
    <span className="muted" role="status">
      running {duration(Math.max(0, now - started))}
    </span>
  );
}

function ResultSummary({ result }: { result: SqlResult }) {
  return (
    <>
      <span className="muted" role="status">
        {plural(result.rows.length, "row")} in {duration(result.duration_ms)}
        {result.truncated && " · more exist: add a limit or a filter"}
      </span>
      <button
        type="button"
        className="button"
        disabled={result.rows.length === 0}
        onClick={() => download("query.csv", toCsv(result))}
      >
        <Icon name="download" size={14} /> CSV
      </button>
    </>
  );
}
