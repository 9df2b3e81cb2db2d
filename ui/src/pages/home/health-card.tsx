/** Whether the parts of qflow are there. */
import { useQuery } from "@tanstack/react-query";
import { ErrorNote } from "../../components/feedback.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Ago } from "../../components/time.tsx";
import { plural } from "../../lib/format.ts";
import { healthQuery, poolsQuery } from "../../lib/queries.ts";

export function HealthCard() {
  const health = useQuery(healthQuery);
  const pools = useQuery(poolsQuery);
  return (
    <section className="card home-card" aria-labelledby="health-title">
      <h2 id="health-title">Parts</h2>
      {health.isError && <ErrorNote error={health.error} />}
      {health.data && (
        <table className="home-table">
          <tbody>
            <Part name="Database" status={health.data.metadatabase.status} seen={null} />
            <Part
              name="Scheduler"
              status={health.data.scheduler.status}
              seen={health.data.scheduler.latest_scheduler_heartbeat}
            />
            <Part
              name={plural(health.data.worker.count, "worker")}
              status={health.data.worker.status}
              seen={health.data.worker.latest_worker_heartbeat}
            />
          </tbody>
        </table>
      )}
      {pools.data && (
        <table className="home-table">
          <tbody>
            {pools.data.pools.map((pool) => (
              <tr key={pool.name}>
                <td>
                  Pool <span className="mono">{pool.name}</span>
                </td>
                <td className="right muted">
                  {pool.occupied_slots} of {pool.slots < 0 ? "∞" : pool.slots} slots
                  {pool.queued_slots > 0 && `, ${pool.queued_slots} waiting`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** `seen` = when it last said that it is there. */
function Part({ name, status, seen }: { name: string; status: string | null; seen: string | null }) {
  const isHealthy = status === "healthy";
  return (
    <tr>
      <td>
        <span className="row">
          <StateMark state={isHealthy ? "success" : status === null ? "none" : "failed"} />
          {name}
        </span>
      </td>
      <td className="right muted">
        {isHealthy ? "healthy" : seen === null ? "not there" : "last seen"} {seen !== null && <Ago at={seen} />}
      </td>
    </tr>
  );
}
