/** What starts next. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ago } from "../../components/time.tsx";
import { nextRunsQuery } from "../../lib/queries.ts";

const SHOWN = 8;

export function NextRuns() {
  const dags = useQuery(nextRunsQuery);
  const next = (dags.data?.dags ?? [])
    .filter((dag) => dag.next_dagrun_run_after !== null && !dag.is_paused)
    .slice(0, SHOWN);
  return (
    <section className="card home-card" aria-labelledby="next-title">
      <h2 id="next-title">Next runs</h2>
      {dags.data && next.length === 0 && <p className="muted">No active DAG has a schedule by time.</p>}
      <table className="home-table">
        <tbody>
          {next.map((dag) => (
            <tr key={dag.dag_id}>
              <td>
                <Link to="/dags/$dagId" params={{ dagId: dag.dag_id }}>
                  {dag.dag_id}
                </Link>
              </td>
              <td className="right muted">
                <Ago at={dag.next_dagrun_run_after} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
