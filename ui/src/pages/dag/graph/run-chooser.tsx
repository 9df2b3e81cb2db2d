/** Which run's states are shown. */
import { useId } from "react";
import { At } from "../../../components/time.tsx";
import { lookOf } from "../../../lib/states.ts";
import type { GridColumn } from "../grid/grid-model.ts";

interface Props {
  /** Oldest first. */
  columns: readonly GridColumn[];
  chosen: string | null;
  onChoose: (runId: string) => void;
}

export function RunChooser({ columns, chosen, onChoose }: Props) {
  const id = useId();
  if (columns.length === 0) return null;
  const run = columns.find((column) => column.run.dag_run_id === chosen)?.run;
  return (
    <div className="row">
      <label className="muted" htmlFor={id}>
        Run
      </label>
      <select
        id={id}
        className="field run-chooser"
        value={chosen ?? ""}
        onChange={(event) => onChoose(event.target.value)}
      >
        {columns.toReversed().map(({ run: entry }) => (
          <option key={entry.dag_run_id} value={entry.dag_run_id}>
            {entry.dag_run_id} · {lookOf(entry.state).word}
          </option>
        ))}
      </select>
      {run && (
        <span className="muted">
          <At at={run.start_date} />
        </span>
      )}
    </div>
  );
}
