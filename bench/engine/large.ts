/** large: a DAG of 5,000 tasks and one of 10,000 mapped items through real runners, and what its pages ask of the API. */
import { figure } from "../figure.ts";
import { layers, mapped } from "./dag-files.ts";
import { throughput } from "./fans.ts";
import { answers, reader } from "./history.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

const RUNS = 3;

/** 50 layers of 100 tasks, each after two of the layer before; and a list, 10,000 items, a task after them. */
export const large: Row = {
  dags: {
    "layers5000.ts": layers("layers5000", { layers: 50, width: 100 }),
    "mapped10000.ts": mapped("mapped10000", 10_000),
  },
  async *measure(stand) {
    await stand.startProcess("api");
    const read = await reader(stand);
    for (const dagId of ["layers5000", "mapped10000"]) {
      await stand.unpause(dagId);
      yield* throughput(stand, dagId, RUNS);
      for (const [name, path] of Object.entries(await pagesOf(stand, dagId)))
        yield figure(`${dagId}: ${name}`, "ms", await answers(() => read(path)));
    }
    await stand.stopProcess("api");
  },
};

/** What the web client asks for, of the newest run. */
async function pagesOf(stand: Stand, dagId: string): Promise<Record<string, string>> {
  const { rows } = await stand.database.query<{ run_id: string }>(
    "select run_id from dag_run where dag_id = $1 order by id desc limit 1",
    [dagId],
  );
  const run = `${dagId}/dagRuns/${rows[0]?.run_id}`;
  return {
    "list of DAGs": "/api/v2/dags?limit=100",
    "its details": `/api/v2/dags/${dagId}/details`,
    "its tasks (graph)": `/api/v2/dags/${dagId}/tasks`,
    "its grid": `/api/grid/${dagId}?limit=30`,
    "list of its runs": `/api/v2/dags/${dagId}/dagRuns?limit=50&order_by=-run_after`,
    "head of a run": `/api/v2/dags/${run}`,
    "tasks of a run": `/api/v2/dags/${run}/taskInstances?limit=1000`,
    "why a run waits": `/api/explain/dags/${dagId}/runs/${rows[0]?.run_id}`,
    ...(dagId === "mapped10000"
      ? { "items of a map": `/api/v2/dags/${run}/taskInstances/each/listMapped?limit=1000` }
      : {}),
  };
}
