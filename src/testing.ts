/** `qflow/testing`: runs a DAG in a test, on the real engine. */
import { loadConfig } from "./config.ts";
import type { Dag } from "./dag/dag.ts";
import type { Json } from "./dag/spec.ts";
import { testWaits } from "./scheduler/index.ts";
import { withTemporaryDatabase } from "./testing/temporary-database.ts";
import { testDeclaredDag } from "./worker/index.ts";

/** What the run is told. */
export interface TestDagOptions {
  /** Logical date of the run; none unless set. */
  readonly logicalDate?: Date | string;
  /** Laid over the defaults of the DAG's params. */
  readonly params?: Json;
  /** Settings as in the environment, e.g. `{ QFLOW_CONN_FTP_Q: "ftp://…" }` for connections. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How the run ended. */
export interface TestDagResult {
  readonly state: "success" | "failed";
  /** State by task id, in Airflow's words; of a mapped task the worst of its instances. */
  readonly tasks: Record<string, string>;
  /** What tasks returned, by task id; of a mapped task the array of its values. */
  readonly xcoms: Record<string, Json>;
}

/**
 * Runs the DAG once on a database of its own, with the real scheduler's transitions and worker; task functions run in this
 * process, so breakpoints and spies work, and operators as ever. Throws PARAMS_INVALID, and ENGINE_FAILED or
 * PREREQUISITE_MISSING when no PostgreSQL can be started here.
 */
export async function testDag(dag: Dag, options: TestDagOptions = {}): Promise<TestDagResult> {
  const config = loadConfig({ PATH: "/usr/local/bin:/usr/bin:/bin", ...options.env });
  const logicalDate = options.logicalDate === undefined ? null : new Date(options.logicalDate);
  const params = options.params ?? {};
  return withTemporaryDatabase(async (database) => {
    const { state, tasks, xcoms } = await testDeclaredDag(
      dag,
      { database, config, startWaits: testWaits },
      { logicalDate, params },
    );
    return { state, tasks, xcoms };
  });
}
