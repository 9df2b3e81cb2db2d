/** Asks before a DAG is un-paused that has runs due: shows what would start at once. */
import type { SchedulePreview } from "../../../../src/api/contract.ts";
import { Dialog } from "../../components/dialog.tsx";
import { At } from "../../components/time.tsx";
import { plural } from "../../lib/format.ts";

export function UnpauseDialog({
  preview,
  onConfirm,
  onClose,
}: {
  preview: SchedulePreview;
  onConfirm: () => void;
  onClose: () => void;
}) {
  const { created, queued, skipped, runs } = preview.due;
  return (
    <Dialog
      title={`Un-pause ${preview.dag_id}`}
      onClose={onClose}
      footer={
        <>
          <button type="button" className="button" onClick={onClose}>
            Leave it paused
          </button>
          <button type="button" className="button primary" onClick={onConfirm}>
            Un-pause
          </button>
        </>
      }
    >
      <p>
        {created > 0 && `Un-pausing creates ${plural(created, "run")}. `}
        {queued > 0 && `${plural(queued, "queued run")} will start. `}
        {skipped > 0 && `${plural(skipped, "missed tick")} will get no run.`}
      </p>
      <ul className="affected" aria-label="Runs that will be created">
        {runs.map((run) => (
          <li key={run.logical_date} className="row">
            <At at={run.logical_date} />
          </li>
        ))}
        {runs.length > 0 && created > runs.length && <li className="faint">and {created - runs.length} more</li>}
      </ul>
    </Dialog>
  );
}
