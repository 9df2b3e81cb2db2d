/** A schedule in words. */
import type { Dag } from "../../../src/api/contract.ts";

/** What the server says of it; a DAG without a schedule is started by hand only. */
export function scheduleInWords(dag: Pick<Dag, "timetable_summary" | "timetable_description">): string {
  if (dag.timetable_summary === null) return "By hand only";
  return dag.timetable_description ?? dag.timetable_summary;
}
