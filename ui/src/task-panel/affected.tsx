/** What an action concerns, as listed before it is done. */
import type { TaskInstance } from "../../../src/api/contract.ts";
import { StateBadge } from "../components/state-mark.tsx";
import { plural } from "../lib/format.ts";

const LISTED = 200;

interface Props {
  instances: readonly TaskInstance[];
  label: string;
  /** Said where there is none. */
  empty: string;
}

export function Affected({ instances, label, empty }: Props) {
  if (instances.length === 0) return <p>{empty}</p>;
  return (
    <ul className="affected" aria-label={label}>
      {instances.slice(0, LISTED).map((instance) => (
        <li key={instance.id} className="row">
          <span className="mono grow ellipsis">
            {instance.task_id}
            {instance.map_index >= 0 && ` [${instance.map_index}]`}
          </span>
          <StateBadge state={instance.state} />
        </li>
      ))}
      {instances.length > LISTED && <li className="muted">and {plural(instances.length - LISTED, "more task")}</li>}
    </ul>
  );
}
