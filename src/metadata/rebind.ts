/** Binding a run to the newest version of its DAG. */
import { checkParams } from "../dag/params.ts";
import type { DagSpec } from "../dag/spec.ts";
import { diffTasks } from "../dag/spec-diff.ts";
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";

/** How the tasks of two versions of a DAG differ. */
export interface VersionDiff {
  /** Numbers of the two versions. */
  readonly from: number;
  readonly to: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Declared in another way: upstreams, operator, options … The code of functions is not compared. */
  readonly changed: readonly string[];
}

interface VersionsRow {
  readonly old_number: number;
  readonly new_id: string;
  readonly new_number: number;
  readonly old_spec: DagSpec;
  readonly new_spec: DagSpec;
  readonly conf: Parameters<typeof checkParams>[1];
}

/**
 * Binds a locked run to its DAG's newest version. `diff` is null where it has that already; `reshaped` are ended instances that
 * are undecided now, as their task became mapped or is not any more. Throws NOT_FOUND (the DAG is gone), PARAMS_INVALID.
 */
export async function rebindToLatest(
  sql: Sql,
  runKey: number,
): Promise<{ diff: VersionDiff | null; reshaped: number[] }> {
  const found = await sql.query<VersionsRow>(
    `select o.number as old_number, n.id::text as new_id, n.number as new_number, o.spec as old_spec, n.spec as new_spec, r.conf
     from dag_run r join dag d on d.dag_id = r.dag_id and d.active join dag_version o on o.id = r.version_id
     join dag_version n on n.id = d.version_id where r.id = $1`,
    [runKey],
  );
  const row = found.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", "no DAG file has this DAG any more: there is no latest version");
  if (row.old_number === row.new_number) return { diff: null, reshaped: [] };
  const params = checkParams(row.new_spec, row.conf);
  const bound = await sql.query<{ reshaped: number[] }>("select rebind_run($1, $2, $3)::float8[] as reshaped", [
    runKey,
    row.new_id,
    JSON.stringify(params),
  ]);
  const { added, removed, changed } = diffTasks(row.old_spec, row.new_spec);
  const diff = {
    from: row.old_number,
    to: row.new_number,
    added,
    removed,
    changed: changed.map((task) => task.taskId),
  };
  return { diff, reshaped: bound.rows[0]?.reshaped ?? [] };
}
