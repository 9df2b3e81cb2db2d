/** How far a running try is: what it does now, and a bar where the end is known. */
import type { TaskInstance } from "../../../src/api/contract.ts";
import { count } from "../lib/format.ts";

export function Progress({ progress }: { progress: NonNullable<TaskInstance["progress"]> }) {
  const { step, done, total } = progress;
  return (
    <div className="progress">
      <span className="ellipsis">{step}</span>
      {total !== null && total > 0 && (
        <progress value={done} max={total} aria-label={step}>
          {done} of {total}
        </progress>
      )}
      <span className="muted">{total === null ? count(done) : `${count(done)} of ${count(total)}`}</span>
    </div>
  );
}
