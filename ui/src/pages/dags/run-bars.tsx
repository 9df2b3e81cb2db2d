/** A DAG's last runs as small bars: newest right, taller took longer, colour and label say how it ended. */
import { Link } from "@tanstack/react-router";
import type { RunDot } from "../../../../src/api/contract.ts";
import { duration } from "../../lib/format.ts";
import { lookOf } from "../../lib/states.ts";
import "./run-bars.css";

const SHORTEST = 25;

export function RunBars({ dagId, runs }: { dagId: string; runs: readonly RunDot[] }) {
  const longest = Math.max(1, ...runs.map((run) => run.duration ?? 0));
  return (
    <span className="run-bars">
      {runs.toReversed().map((run) => {
        const look = lookOf(run.state);
        const label = `${look.word}, ${run.dag_run_id}, ${duration(run.duration === null ? null : run.duration * 1000)}`;
        const height = SHORTEST + ((100 - SHORTEST) * (run.duration ?? 0)) / longest;
        return (
          <Link
            key={run.dag_run_id}
            to="/dags/$dagId/runs/$runId"
            params={{ dagId, runId: run.dag_run_id }}
            preload={false}
            className="run-bar"
            data-state={look.name}
            title={label}
            aria-label={label}
          >
            <span style={{ height: `${height}%` }} />
          </Link>
        );
      })}
    </span>
  );
}
