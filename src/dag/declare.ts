/** Collects what an author declares. Checks come later, in {@link ./compile.ts}: here only what is wrong on the spot. */
import type {
  BranchOptions,
  CommonOptions,
  DagBuilder,
  GroupOptions,
  Inputs,
  RunRefs,
  SensorPace,
  TaskOptions,
  TaskRef,
  TeardownParts,
} from "./authoring.ts";
import { type CallSite, callSite, dagError } from "./call-site.ts";
import { DeclaredGroup, type GroupDeclaration } from "./group.ts";
import type { Operator, Sensor, TaskContext } from "./operator.ts";
import { type RefTree, refTo } from "./refs.ts";
import { type TaskKind, type TaskRole, type TaskRule, TEARDOWN_RULE, type TriggerRule } from "./spec.ts";

/** A task function as a runner calls it: `(inputs, ctx)`; for a map `(item, ctx)`. */
export type TaskFunction = (inputs: never, ctx: TaskContext<never>) => unknown;

/** One declared task, as written. */
export interface TaskDeclaration {
  readonly ref: DeclaredTask;
  readonly kind: TaskKind;
  readonly operator: Operator<unknown> | Sensor<unknown> | null;
  readonly fn: TaskFunction | null;
  readonly inputs: Inputs;
  readonly over: TaskRef<unknown> | null;
  readonly to: Inputs;
  readonly rule: TaskRule;
  readonly role: TaskRole;
  /** The innermost group it is declared in. */
  readonly group: DeclaredGroup | null;
  readonly options: CommonOptions & TeardownParts & SensorPace;
  readonly at: CallSite | null;
}

/** What authors hold as a {@link TaskRef}. */
export class DeclaredTask {
  readonly id: string;
  /** The `build` call it belongs to. */
  readonly owner: object;
  readonly group: DeclaredGroup | null;

  constructor(id: string, owner: object, group: DeclaredGroup | null) {
    this.id = id;
    this.owner = owner;
    this.group = group;
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

type AnyOptions = TaskOptions<Inputs, TriggerRule> &
  BranchOptions<Inputs, TriggerRule, Inputs> &
  SensorPace &
  TeardownParts;

/** The implementation behind {@link DagBuilder}. */
export class Declarations {
  readonly tasks: TaskDeclaration[] = [];
  readonly groups: GroupDeclaration[] = [];
  #group: DeclaredGroup | null = null;
  readonly params = refTo({ $param: [] });
  readonly run: RunRefs = {
    dagId: refTo<string>({ $run: "dagId" }),
    runId: refTo<string>({ $run: "runId" }),
    logicalDate: refTo<string>({ $run: "logicalDate" }),
    intervalStart: refTo<string>({ $run: "intervalStart" }),
    intervalEnd: refTo<string>({ $run: "intervalEnd" }),
    partition: refTo<string>({ $run: "partition" }),
  };

  task(id: string, first: unknown, second?: unknown): DeclaredTask {
    if (isDeclared(first, "sensor"))
      throw dagError(`task ${id} is given a sensor`, callSite(), "Declare it with t.sensor(id, sensor, options).");
    if (isDeclared(first, "operator"))
      return this.#add("operator", id, (second ?? {}) as AnyOptions, { operator: first });
    if (typeof first === "function") return this.#add("function", id, {}, { fn: first as TaskFunction });
    return this.#add("function", id, first as AnyOptions, { fn: second as TaskFunction });
  }

  setup(id: string, first: unknown, second?: unknown): DeclaredTask {
    return this.#inRole("setup", () => this.task(id, first, second));
  }

  teardown(id: string, first: unknown, second?: unknown): DeclaredTask {
    return this.#inRole("teardown", () => this.task(id, first, second));
  }

  group(id: string, first: unknown, second?: unknown): DeclaredGroup {
    const { after = [], doc = null } = (typeof first === "function" ? {} : first) as GroupOptions;
    const fn = (typeof first === "function" ? first : second) as (t: this) => unknown;
    const at = callSite();
    const around = this.#group;
    const group = new DeclaredGroup(this.#inside(id), this, around);
    this.groups.push({ ref: group, after, doc, at });
    this.#group = group;
    try {
      group.refs = fn(this);
    } finally {
      this.#group = around;
    }
    if (group.refs instanceof Promise) throw dagError(`the function of group ${group.id} is asynchronous`, at);
    return group;
  }

  /** The item of a map, for the config of its operator. */
  item(over: TaskRef<unknown>): unknown {
    return refTo({ $item: over.id, path: [] });
  }

  map(id: string, over: TaskRef<unknown>, first: unknown, second?: unknown): DeclaredTask {
    if (isDeclared(first, "operator"))
      return this.#add("map", id, (second ?? {}) as AnyOptions, { over, operator: first });
    const options = typeof first === "function" ? {} : (first as AnyOptions);
    return this.#add("map", id, options, { over, fn: (typeof first === "function" ? first : second) as TaskFunction });
  }

  branch(id: string, options: AnyOptions, fn: TaskFunction): DeclaredTask {
    return this.#add("branch", id, options, { fn, to: options.to ?? {} });
  }

  sensor(id: string, first: unknown, second?: unknown): DeclaredTask {
    if (isDeclared(first, "sensor")) return this.#add("sensor", id, (second ?? {}) as AnyOptions, { operator: first });
    return this.#add("sensor", id, first as AnyOptions, { fn: second as TaskFunction });
  }

  shortCircuit(id: string, options: AnyOptions, fn: TaskFunction): DeclaredTask {
    return this.#add("shortCircuit", id, options, { fn });
  }

  #add(kind: TaskKind, id: string, options: AnyOptions, parts: Partial<TaskDeclaration>): DeclaredTask {
    const group = this.#group;
    const ref = new DeclaredTask(this.#inside(id), this, group);
    const at = callSite();
    if (!parts.operator && typeof parts.fn !== "function") throw dagError(`task ${ref.id} has no function`, at);
    const { in: inputs = {} } = options;
    const role = this.#role;
    const rule = role === "teardown" ? TEARDOWN_RULE : (options.rule ?? "all_success");
    const common = { operator: null, fn: null, over: null, to: {}, ...parts };
    this.tasks.push({ ...common, ref, kind, inputs, rule, role, group, options, at });
    return ref;
  }

  #role: TaskRole = "work";

  #inRole(role: TaskRole, declare: () => DeclaredTask): DeclaredTask {
    this.#role = role;
    try {
      return declare();
    } finally {
      this.#role = "work";
    }
  }

  #inside(id: string): string {
    return this.#group === null ? id : `${this.#group.id}.${id}`;
  }
}

/** The declarations as authors see them. */
export function asBuilder<P>(declarations: Declarations): DagBuilder<P> {
  return declarations as unknown as DagBuilder<P> & { params: RefTree<P> };
}

function isDeclared<K extends "operator" | "sensor">(
  value: unknown,
  kind: K,
): value is (Operator<unknown> | Sensor<unknown>) & { kind: K } {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === kind;
}
