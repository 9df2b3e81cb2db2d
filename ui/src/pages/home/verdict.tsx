/** One sentence, and the counts behind it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { StateMark } from "../../components/state-mark.tsx";
import { count, plural } from "../../lib/format.ts";
import { anyRunsQuery, healthQuery, importErrorsQuery } from "../../lib/queries.ts";
import { lookOf } from "../../lib/states.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export function Verdict() {
  // Cut to the hour, so that the address stays the same while one looks.
  const since = useMemo(() => new Date(Math.floor((Date.now() - DAY_MS) / HOUR_MS) * HOUR_MS).toISOString(), []);
  const failed = useQuery(anyRunsQuery("failed", { state: "failed", start_date_gte: since, limit: 1 }));
  const succeeded = useQuery(anyRunsQuery("success", { state: "success", start_date_gte: since, limit: 1 }));
  const running = useQuery(anyRunsQuery("running", { state: "running", limit: 1 }));
  const queued = useQuery(anyRunsQuery("queued", { state: "queued", limit: 1 }));
  const health = useQuery(healthQuery);
  const errors = useQuery(importErrorsQuery);
  const problems: string[] = [];
  if (health.data && health.data.scheduler.status !== "healthy") problems.push("no scheduler is running");
  if (health.data && health.data.worker.status !== "healthy") problems.push("no worker is running");
  if (failed.data?.total_entries)
    problems.push(`${plural(failed.data.total_entries, "run")} of the last 24 hours failed`);
  if (errors.data?.total_entries) problems.push(`${plural(errors.data.total_entries, "DAG file")} cannot be read`);
  const isKnown = failed.data && health.data && errors.data;
  return (
    <section className="verdict" aria-label="Summary">
      <p className="verdict-line" data-kind={problems.length > 0 ? "trouble" : "fine"} role="status">
        {isKnown ? (
          <>
            <StateMark state={problems.length > 0 ? "failed" : "success"} size={16} />
            {problems.length > 0 ? sentence(problems) : "Everything is all right."}
          </>
        ) : (
          " "
        )}
      </p>
      <ul className="tiles">
        <Tile state="failed" words="failed, 24 h" amount={failed.data?.total_entries} />
        <Tile state="running" words="running" amount={running.data?.total_entries} />
        <Tile state="queued" words="queued" amount={queued.data?.total_entries} />
        <Tile state="success" words="succeeded, 24 h" amount={succeeded.data?.total_entries} />
      </ul>
    </section>
  );
}

function sentence(problems: readonly string[]): string {
  const text = problems.join("; ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function Tile({ state, words, amount }: { state: string; words: string; amount: number | undefined }) {
  return (
    <li className="tile card" data-zero={amount === 0 || undefined}>
      <Link to="/dags" aria-label={`${amount ?? "–"} runs ${words}`}>
        <span className="tile-count">{amount === undefined ? " " : count(amount)}</span>
        <span className="row small muted">
          <span className="tile-mark" data-state={lookOf(state).name}>
            <StateMark state={state} size={10} />
          </span>
          runs {words}
        </span>
      </Link>
    </li>
  );
}
