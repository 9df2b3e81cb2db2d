/** Collects what an author declares. Checks come later, in {@link ./compile.ts}: here only what is wrong on the spot. */
import type { BranchOptions, CommonOptions, DagBuilder, Inputs, RunRefs, TaskOptions, TaskRef } from "./authoring.ts";
import { type CallSite, callSite, dagError } from "./call-site.ts";
import type { Operator, TaskContext } from "./operator.ts";
import { type RefTree, refTo } from "./refs.ts";
import type { TaskKind, TriggerRule } from "./spec.ts";

/** A task function as a runner calls it: `(inputs, ctx)`; for a map `(item, ctx)`. */
export type TaskFunction = (inputs: never, ctx: TaskContext<never>) => unknown;

/** One declared task, as written. */
export interface TaskDeclaration {
  readonly ref: DeclaredTask;
  readonly kind: TaskKind;
  readonly operator: Operator<unknown> | null;
  readonly fn: TaskFunction | null;
  readonly inputs: Inputs;
  readonly over: TaskRef<unknown> | null;
  readonly to: Inputs;
  readonly rule: TriggerRule;
  readonly options: CommonOptions;
  readonly at: CallSite | null;
}

/** What authors hold as a {@link TaskRef}. */
export class DeclaredTask {
  readonly id: string;
  /** The `build` call it belongs to. */
  readonly owner: object;

  constructor(id: string, owner: object) {
    this.id = id;
    this.owner = owner;
  }

  get output(): unknown {
    return refTo({ $output: this.id, path: [] });
  }

  [Symbol.toPrimitive](): never {
    throw dagError(
      `task ${this.id} cannot be put inside a string`,
      undefined,
      "Use its id, or its output as a config value.",
    );
  }
}

type AnyOptions = TaskOptions<Inputs, TriggerRule> & BranchOptions<Inputs, TriggerRule, Inputs>;

/** The implementation behind {@link DagBuilder}. */
export class Declarations {
  readonly tasks: TaskDeclaration[] = [];
  readonly params = refTo({ $param: [] });
  readonly run: RunRefs = {
    dagId: refTo<string>({ $run: "dagId" }),
    runId: refTo<string>({ $run: "runId" }),
    logicalDate: refTo<string>({ $run: "logicalDate" }),
    intervalStart: refTo<string>({ $run: "intervalStart" }),
    intervalEnd: refTo<string>({ $run: "intervalEnd" }),
  };

  task(id: string, first: unknown, second?: unknown): DeclaredTask {
    if (isOperator(first)) return this.#add("operator", id, (second ?? {}) as AnyOptions, { operator: first });
    if (typeof first === "function") return this.#add("function", id, {}, { fn: first as TaskFunction });
    return this.#add("function", id, first as AnyOptions, { fn: second as TaskFunction });
  }

  map(id: string, over: TaskRef<unknown>, first: unknown, second?: unknown): DeclaredTask {
    const options = typeof first === "function" ? {} : (first as AnyOptions);
    return this.#add("map", id, options, { over, fn: (typeof first === "function" ? first : second) as TaskFunction });
  }

  branch(id: string, options: AnyOptions, fn: TaskFunction): DeclaredTask {
    return this.#add("branch", id, options, { fn, to: options.to ?? {} });
  }

  shortCircuit(id: string, options: AnyOptions, fn: TaskFunction): DeclaredTask {
    return this.#add("shortCircuit", id, options, { fn });
  }

  #add(kind: TaskKind, id: string, options: AnyOptions, parts: Partial<TaskDeclaration>): DeclaredTask {
    const ref = new DeclaredTask(id, this);
    const at = callSite();
    if (kind !== "operator" && typeof parts.fn !== "function") throw dagError(`task ${id} has no function`, at);
    const { in: inputs = {}, rule = "all_success" } = options;
    this.tasks.push({ operator: null, fn: null, over: null, to: {}, ...parts, ref, kind, inputs, rule, options, at });
    return ref;
  }
}

/** The declarations as authors see them. */
export function asBuilder<P>(declarations: Declarations): DagBuilder<P> {
  return declarations as unknown as DagBuilder<P> & { params: RefTree<P> };
}

function isOperator(value: unknown): value is Operator<unknown> {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "operator";
}
