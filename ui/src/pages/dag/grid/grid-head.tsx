/** Durations of the runs as bars from zero, with the state of each run below. */
import { StateMark } from "../../../components/state-mark.tsx";
import { duration } from "../../../lib/format.ts";
import { lookOf } from "../../../lib/states.ts";
import type { GridModel } from "./grid-model.ts";
import { COLUMN_WIDTH, LABEL_WIDTH } from "./grid-row.tsx";

const LOWEST_PERCENT = 3;

export function GridHead({ model, range }: { model: GridModel; range: { start: number; end: number } }) {
  return (
    <div role="row" className="grid-head">
      <div className="grid-label grid-scale small faint">
        <span>{duration(model.longest * 1000)}</span>
        <span>{duration((model.longest * 1000) / 2)}</span>
        <span>0 s</span>
      </div>
      <div className="grid-lines" style={{ left: LABEL_WIDTH }} />
      {model.columns.slice(range.start, range.end + 1).map(({ run }, offset) => {
        const index = range.start + offset;
        const look = lookOf(run.state);
        const height = Math.max(LOWEST_PERCENT, (100 * (run.duration ?? 0)) / model.longest);
        return (
          <div
            key={run.dag_run_id}
            role="columnheader"
            id={`cell--1-${index}`}
            className="grid-run"
            data-row={-1}
            data-column={index}
            data-state={look.name}
            aria-label={`Run ${run.dag_run_id}: ${look.word}, ${duration(run.duration === null ? null : run.duration * 1000)}`}
            style={{ left: LABEL_WIDTH + index * COLUMN_WIDTH }}
          >
            <span className="grid-bar">
              <span style={{ height: `${height}%` }} />
            </span>
            <StateMark state={run.state} size={10} />
          </div>
        );
      })}
    </div>
  );
}
