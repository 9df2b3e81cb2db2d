/** Walks the lineage graph: one level a round trip, on the ids of nodes only, capped. */
import { QflowError } from "../errors.ts";
import type { CatalogLayer } from "./catalog-names.ts";
import type { Sql } from "./database.ts";

/** A node of an answer. */
export interface LineageNodeRow {
  readonly id: string;
  readonly kind: "dataset" | "job";
  readonly name: string;
  readonly layer: CatalogLayer | null;
  readonly dag_id: string | null;
  readonly task_id: string | null;
  readonly service_id: string | null;
  readonly row_count: number | null;
  readonly written_at: Date | null;
  readonly has_pii: boolean;
  /** Datasets away from the root: negative upstream, positive downstream. */
  readonly distance: number;
  readonly more_upstream: boolean;
  readonly more_downstream: boolean;
}

/** A part of the graph. */
export interface LineageGraphRows {
  /** `dataset:NAME` or `job:DAG.TASK`. */
  readonly root: string;
  readonly nodes: LineageNodeRow[];
  readonly edges: { readonly source: string; readonly target: string }[];
  /** Whether the cap of nodes was reached. */
  readonly truncated: boolean;
}

/** How far to walk. */
export interface LineageQuery {
  /** `dataset:NAME` or `job:DAG.TASK` (of another namespace: `job:NAMESPACE/NAME`). */
  readonly node: string;
  /** In datasets. */
  readonly depth: number;
  readonly direction: "both" | "upstream" | "downstream";
}

const NODE_CAP = 600;

interface Walk {
  /** Node id → hops from the root: negative upstream. */
  readonly hops: Map<string, number>;
  readonly edges: Map<string, { source: string; target: string }>;
  truncated: boolean;
}

/** The graph around a node. Throws NOT_FOUND. */
export async function lineageOf(sql: Sql, query: LineageQuery): Promise<LineageGraphRows> {
  const root = await findNode(sql, query.node);
  const walk: Walk = { hops: new Map([[root.id, 0]]), edges: new Map(), truncated: false };
  // From a dataset, a dataset further is two hops; from a job the first is one.
  const hops = root.kind === "dataset" ? query.depth * 2 : query.depth * 2 - 1;
  if (query.direction !== "downstream") await expand(sql, walk, root.id, hops, -1);
  if (query.direction !== "upstream") await expand(sql, walk, root.id, hops, 1);
  const nodes = await describe(sql, walk);
  const names = new Map(nodes.map((node) => [node.key, node.id]));
  return {
    root: names.get(root.id) as string,
    nodes: nodes.map(({ key: _key, ...node }) => node),
    edges: [...walk.edges.values()].map((edge) => ({
      source: names.get(edge.source) as string,
      target: names.get(edge.target) as string,
    })),
    truncated: walk.truncated,
  };
}

async function findNode(sql: Sql, node: string): Promise<{ id: string; kind: "dataset" | "job" }> {
  const [kind, name] = [node.slice(0, node.indexOf(":")), node.slice(node.indexOf(":") + 1)];
  const text =
    kind === "dataset"
      ? "select dataset_id as id from catalog_dataset where name = $1 union select dataset_id from catalog_alias where alias = $1 limit 1"
      : "select job_id as id from catalog_job where (namespace = 'qflow' and name = $1) or namespace || '/' || name = $1 limit 1";
  const found = await sql.query<{ id: string }>(text, [name]);
  const row = found.rows[0];
  if (!row)
    throw new QflowError("NOT_FOUND", `there is no ${kind === "dataset" ? "dataset" : "job"} "${name}" in the lineage`);
  return { id: row.id, kind: kind === "dataset" ? "dataset" : "job" };
}

async function expand(sql: Sql, walk: Walk, root: string, hops: number, sign: -1 | 1): Promise<void> {
  const [from, to] = sign < 0 ? (["target", "source"] as const) : (["source", "target"] as const);
  let frontier = [root];
  for (let hop = 1; hop <= hops && frontier.length > 0; hop += 1) {
    const found = await sql.query<{ source: string; target: string }>(
      `select source, target from catalog_edge where ${from} = any ($1::bigint[]) order by ${to} limit ${NODE_CAP * 4}`,
      [frontier],
    );
    frontier = [];
    for (const edge of found.rows) {
      const next = edge[to];
      if (!walk.hops.has(next)) {
        if (walk.hops.size >= NODE_CAP) {
          walk.truncated = true;
          continue;
        }
        walk.hops.set(next, hop * sign);
        frontier.push(next);
      }
      walk.edges.set(`${edge.source} ${edge.target}`, edge);
    }
  }
}

async function describe(sql: Sql, walk: Walk): Promise<(LineageNodeRow & { key: string })[]> {
  const found = await sql.query<Omit<LineageNodeRow, "distance"> & { key: string }>(
    `with wanted as (select unnest($1::bigint[]) as id)
     select w.id as key, case when d.dataset_id is not null then 'dataset:' || d.name
              when j.namespace = 'qflow' then 'job:' || j.name else 'job:' || j.namespace || '/' || j.name end as id,
       case when d.dataset_id is not null then 'dataset' else 'job' end as kind,
       coalesce(d.name, j.name) as name, d.layer, j.dag_id, j.task_id, j.service_id, d.row_count::float8 as row_count,
       greatest((select max(at) from catalog_writes(d.dataset_id, 1)), (select max(at) from catalog_service_writes(d.name, 1))) as written_at,
       exists (select from catalog_column_note n where n.dataset_id = d.dataset_id and n.classification like 'pii.%') as has_pii,
       exists (select from catalog_edge e where e.target = w.id and e.source <> all ($1)) as more_upstream,
       exists (select from catalog_edge e where e.source = w.id and e.target <> all ($1)) as more_downstream
     from wanted w left join catalog_dataset d on d.dataset_id = w.id left join catalog_job j on j.job_id = w.id
     order by w.id`,
    [[...walk.hops.keys()]],
  );
  return found.rows.map((row) => {
    const hops = walk.hops.get(row.key) ?? 0;
    return { ...row, distance: Math.sign(hops) * Math.ceil(Math.abs(hops) / 2) };
  });
}

/** Names of all datasets that a dataset is made from, however far, or that are made from it. */
export async function lineageClosure(sql: Sql, name: string, direction: "upstream" | "downstream"): Promise<string[]> {
  const [from, to] = direction === "upstream" ? ["target", "source"] : ["source", "target"];
  const found = await sql.query<{ name: string }>(
    `with recursive reached as (
       select dataset_id as id from catalog_dataset where name = $1
       union
       select e.${to} from reached r join catalog_edge e on e.${from} = r.id)
     select d.name from reached r join catalog_dataset d on d.dataset_id = r.id where d.name <> $1 order by d.name`,
    [name],
  );
  return found.rows.map((row) => row.name);
}

/** One column feeding another. */
export interface ColumnEdgeRow {
  readonly source_dataset: string;
  readonly source_column: string;
  readonly target_dataset: string;
  readonly target_column: string;
  readonly transformations: string[];
}

/** Which columns to walk. */
export interface ColumnLineageQuery {
  readonly dataset: string;
  /** Null = every column of the dataset. */
  readonly column: string | null;
  /** In datasets. */
  readonly depth: number;
  readonly direction: "both" | "upstream" | "downstream";
}

const COLUMN_EDGE_CAP = 2000;

/** Columns that feed a column, and columns it feeds. Unknown ones have no edges. */
export async function columnLineageOf(
  sql: Sql,
  query: ColumnLineageQuery,
): Promise<{ edges: ColumnEdgeRow[]; truncated: boolean }> {
  const edges = new Map<string, ColumnEdgeRow>();
  if (query.direction !== "downstream") await walkColumns(sql, query, edges, "target");
  if (query.direction !== "upstream") await walkColumns(sql, query, edges, "source");
  return { edges: [...edges.values()].slice(0, COLUMN_EDGE_CAP), truncated: edges.size > COLUMN_EDGE_CAP };
}

async function walkColumns(
  sql: Sql,
  query: ColumnLineageQuery,
  edges: Map<string, ColumnEdgeRow>,
  from: "source" | "target",
): Promise<void> {
  const to = from === "source" ? "target" : "source";
  const seen = new Set<string>();
  let frontier: { dataset: string; column: string | null }[] = [{ dataset: query.dataset, column: query.column }];
  for (let step = 0; step < query.depth && frontier.length > 0 && edges.size <= COLUMN_EDGE_CAP; step += 1) {
    const found = await sql.query<ColumnEdgeRow>(
      `select s.name as source_dataset, e.source_column, t.name as target_dataset, e.target_column, e.transformations
       from jsonb_to_recordset($1::jsonb) as f(dataset text, "column" text)
         join catalog_dataset a on a.name = f.dataset
         join catalog_column_edge e on e.${from}_dataset = a.dataset_id
           and (f."column" is null or e.${from}_column = f."column" or e.${from}_column = '*')
         join catalog_dataset s on s.dataset_id = e.source_dataset
         join catalog_dataset t on t.dataset_id = e.target_dataset
       order by 1, 2, 3, 4 limit ${COLUMN_EDGE_CAP + 1}`,
      [JSON.stringify(frontier)],
    );
    frontier = [];
    for (const edge of found.rows) {
      edges.set(
        JSON.stringify([edge.source_dataset, edge.source_column, edge.target_dataset, edge.target_column]),
        edge,
      );
      const next = { dataset: edge[`${to}_dataset`], column: edge[`${to}_column`] };
      const key = JSON.stringify(next);
      if (next.column === "*" || seen.has(key)) continue;
      seen.add(key);
      frontier.push(next);
    }
  }
}
