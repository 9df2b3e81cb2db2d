/** Every fact of a task instance. */
import type { TaskInstance } from "../../../src/api/contract.ts";
import { type Fact, Facts } from "../components/facts.tsx";
import { At } from "../components/time.tsx";

export function InstanceDetails({ instance }: { instance: TaskInstance }) {
  const facts: readonly Fact[] = [
    ["Operator", instance.operator_name ?? "–"],
    ["Scheduled", <At key="scheduled" at={instance.scheduled_when} />],
    ["Queued", <At key="queued" at={instance.queued_when} />],
    ["Started", <At key="started" at={instance.start_date} />],
    ["Ended", <At key="ended" at={instance.end_date} />],
    ["Pool", `${instance.pool} (${instance.pool_slots} slot${instance.pool_slots === 1 ? "" : "s"})`],
    ["Priority", instance.priority_weight ?? "–"],
    ["Worker", instance.hostname || "–"],
    ["Process", instance.pid ?? "–"],
    ["DAG version", instance.dag_version?.version_number ?? "–"],
    ["Instance", <code key="id">{instance.id}</code>],
  ];
  const config = Object.keys(instance.rendered_fields).length > 0;
  return (
    <div className="panel-body">
      <Facts facts={facts} />
      {config && (
        <section>
          <h3>Config as it ran</h3>
          <pre className="code-box">{JSON.stringify(instance.rendered_fields, null, 2)}</pre>
        </section>
      )}
    </div>
  );
}
