/** A row of the table of figures: the DAGs it needs, and how it is measured. */
import type { Figure } from "../figure.ts";
import type { DagFiles } from "./dag-files.ts";
import { Stand, type StandProcess } from "./stand.ts";

/** One benchmark of the engine. */
export interface Row {
  readonly dags: DagFiles;
  /** Processes beside scheduler and worker. */
  readonly besides?: readonly StandProcess[];
  measure(stand: Stand): AsyncGenerator<Figure>;
}

/** Measures rows one after the other on one stand that has the DAGs of all of them. */
export async function* benchRows(rows: readonly Row[]): AsyncGenerator<Figure> {
  const dags = Object.assign({}, ...rows.map((row) => row.dags)) as DagFiles;
  const stand = await Stand.open({ dags });
  try {
    for (const name of rows.flatMap((row) => row.besides ?? [])) await stand.startProcess(name);
    for (const row of rows) yield* row.measure(stand);
  } finally {
    await stand.close();
  }
}
