/** Groups of tasks while a DAG is declared, and the edges that go from and to whole groups. */
import type { CallSite } from "./call-site.ts";
import { dagError } from "./call-site.ts";
import type { DeclaredTask, TaskDeclaration } from "./declare.ts";

/** What authors hold as a `GroupRef`. */
export class DeclaredGroup {
  readonly id: string;
  /** The `build` call it belongs to. */
  readonly owner: object;
  readonly parent: DeclaredGroup | null;
  /** What its function returned. */
  refs: unknown;

  constructor(id: string, owner: object, parent: DeclaredGroup | null) {
    this.id = id;
    this.owner = owner;
    this.parent = parent;
  }
}

/** One declared group, as written. */
export interface GroupDeclaration {
  readonly ref: DeclaredGroup;
  readonly after: readonly unknown[];
  readonly doc: string | null;
  readonly at: CallSite | null;
}

/** An edge of which at least one end is a whole group. */
export interface GroupEdge {
  readonly from: DeclaredTask | DeclaredGroup;
  readonly to: TaskDeclaration | GroupDeclaration;
}

/**
 * Adds the edges that go from the leaves of groups, and to the roots of groups, to `upstream` (task id → ids). A leaf is a task
 * without downstream in its group, teardowns left out; a root one without upstream in it. Throws DAG_INVALID for what comes
 * after itself and for a group without tasks.
 */
export function addGroupEdges(
  upstream: ReadonlyMap<string, Set<string>>,
  tasks: readonly TaskDeclaration[],
  edges: readonly GroupEdge[],
): void {
  const graph = new GroupGraph(upstream, tasks);
  const scoped = edges.map((edge) => ({ ...edge, depth: sharedDepth(edge) }));
  // Innermost first: where an edge is added, everything inside the groups it touches is settled.
  for (const { from, to } of scoped.toSorted((a, b) => b.depth - a.depth)) {
    const before = from instanceof DeclaredGroup ? graph.leavesOf(from, to.at) : [from.id];
    const after = to.ref instanceof DeclaredGroup ? graph.rootsOf(to.ref, to.at) : [to.ref.id];
    for (const id of after) for (const other of before) upstream.get(id)?.add(other);
  }
}

class GroupGraph {
  readonly #upstream: ReadonlyMap<string, Set<string>>;
  readonly #members = new Map<DeclaredGroup, Map<string, TaskDeclaration>>();
  readonly #leaves = new Map<DeclaredGroup, string[]>();

  constructor(upstream: ReadonlyMap<string, Set<string>>, tasks: readonly TaskDeclaration[]) {
    this.#upstream = upstream;
    for (const task of tasks) {
      for (const group of groupsAround(task.group)) {
        const members = this.#members.get(group) ?? new Map<string, TaskDeclaration>();
        this.#members.set(group, members.set(task.ref.id, task));
      }
    }
  }

  leavesOf(group: DeclaredGroup, at: CallSite | null): string[] {
    const known = this.#leaves.get(group);
    if (known !== undefined) return known;
    const work = [...this.#membersOf(group, at).values()].filter(({ role }) => role !== "teardown");
    const above = new Set(work.flatMap(({ ref }) => [...(this.#upstream.get(ref.id) ?? [])]));
    const leaves = work.map(({ ref }) => ref.id).filter((id) => !above.has(id));
    this.#leaves.set(group, leaves);
    return leaves;
  }

  rootsOf(group: DeclaredGroup, at: CallSite | null): string[] {
    const members = this.#membersOf(group, at);
    return [...members.keys()].filter((id) => ![...(this.#upstream.get(id) ?? [])].some((other) => members.has(other)));
  }

  #membersOf(group: DeclaredGroup, at: CallSite | null): ReadonlyMap<string, TaskDeclaration> {
    const members = this.#members.get(group);
    if (members !== undefined) return members;
    throw dagError(`group ${group.id} has no tasks`, at, "Declare tasks in it, or leave it out.");
  }
}

/** How many groups hold both ends. */
function sharedDepth({ from, to }: GroupEdge): number {
  const above = "group" in to ? groupsAround(to.group) : groupsAround(to.ref.parent);
  const whole = from instanceof DeclaredGroup ? from : null;
  const self = to.ref instanceof DeclaredGroup ? [to.ref, ...above] : above;
  if (whole !== null && self.includes(whole)) throw afterItself(to, whole.id);
  const around = new Set(groupsAround(whole === null ? (from as DeclaredTask).group : whole.parent));
  if (to.ref instanceof DeclaredGroup && (around.has(to.ref) || whole === to.ref)) throw afterItself(to, from.id);
  return above.filter((group) => around.has(group)).length;
}

function afterItself(to: TaskDeclaration | GroupDeclaration, id: string): Error {
  const what = to.ref instanceof DeclaredGroup ? "group" : "task";
  return dagError(`${what} ${to.ref.id} cannot come after ${id}: one holds the other`, to.at);
}

/** A group and every group around it, innermost first. */
export function groupsAround(group: DeclaredGroup | null): DeclaredGroup[] {
  const groups: DeclaredGroup[] = [];
  for (let here = group; here !== null; here = here.parent) groups.push(here);
  return groups;
}
