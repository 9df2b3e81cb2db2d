/** What is under the pointer: a run, or a task in a run. */
import type { GridCell, GridRun } from "../../../../../src/api/contract.ts";
import { StateBadge } from "../../../components/state-mark.tsx";
import { Ago, At, Took } from "../../../components/time.tsx";
import { lookOf } from "../../../lib/states.ts";
import type { GridModel } from "./grid-model.ts";

interface Props {
  model: GridModel;
  row: number;
  column: number;
  anchor: DOMRect;
}

const WIDTH = 280;
const GAP = 10;
const HEIGHT = 150;

export function HoverCard({ model, row, column, anchor }: Props) {
  const run = model.columns[column]?.run;
  const task = model.tasks[row];
  const cell = task && model.columns[column]?.cells.get(task.task_id);
  if (!run) return null;
  const hasRoom = anchor.right + GAP + WIDTH < window.innerWidth;
  const left = hasRoom ? anchor.right + GAP : anchor.left - WIDTH - GAP;
  const top = Math.min(anchor.top, window.innerHeight - HEIGHT - GAP);
  return (
    <div className="hover-card" role="tooltip" style={{ left, top, width: WIDTH }}>
      {task && cell ? <TaskFacts taskId={task.task_id} cell={cell} run={run} /> : <RunFacts run={run} />}
    </div>
  );
}

function TaskFacts({ taskId, cell, run }: { taskId: string; cell: GridCell; run: GridRun }) {
  return (
    <>
      <strong className="ellipsis">{taskId}</strong>
      <StateBadge state={cell.state} />
      <dl className="facts">
        <dt>Took</dt>
        <dd>
          <Took start={cell.start_date} end={cell.end_date} />
        </dd>
        <dt>Started</dt>
        <dd>
          <At at={cell.start_date} />
        </dd>
        <dt>Tries</dt>
        <dd>{cell.try_number}</dd>
        {cell.mapped && (
          <>
            <dt>Mapped</dt>
            <dd>{mappedInWords(cell.mapped)}</dd>
          </>
        )}
        <dt>Run</dt>
        <dd className="ellipsis">{run.dag_run_id}</dd>
      </dl>
    </>
  );
}

function mappedInWords(mapped: NonNullable<GridCell["mapped"]>): string {
  return Object.entries(mapped)
    .map(([state, amount]) => `${amount} ${lookOf(state).word.toLowerCase()}`)
    .join(", ");
}

function RunFacts({ run }: { run: GridRun }) {
  return (
    <>
      <strong className="ellipsis">{run.dag_run_id}</strong>
      <StateBadge state={run.state} />
      <dl className="facts">
        <dt>Took</dt>
        <dd>
          <Took start={run.start_date} end={run.end_date} />
        </dd>
        <dt>Started</dt>
        <dd>
          <Ago at={run.start_date} />
        </dd>
        <dt>Kind</dt>
        <dd>{run.run_type.replace("_", " ")}</dd>
        <dt>Version</dt>
        <dd>{run.version_number}</dd>
        {run.note && (
          <>
            <dt>Note</dt>
            <dd>{run.note}</dd>
          </>
        )}
      </dl>
    </>
  );
}
