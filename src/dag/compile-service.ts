/** A declared service → {@link ServiceSpec}, with every check that needs no worker. */
import { type CallSite, dagError } from "./call-site.ts";
import { checkId } from "./compile-task.ts";
import { asDataset, type DatasetLike } from "./datasets.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { notifyRules } from "./notify.ts";
import type { Program } from "./operator.ts";
import { nameOf } from "./refs.ts";
import type { ServiceOptions } from "./service.ts";
import { type RestartSpec, SERVICE_EVENTS, type ServiceSpec } from "./service-spec.ts";
import type { DatasetSpec, Json } from "./spec.ts";
import { tokensIn } from "./tokens.ts";

/** What there is to compile. */
export interface DeclaredService {
  readonly id: string;
  readonly options: ServiceOptions;
  readonly program: Program;
  readonly at: CallSite | null;
}

/** Compiles a service. Throws DAG_INVALID with the author's file and line. */
export function compileService(declared: DeclaredService): ServiceSpec {
  const { id, options, program, at } = declared;
  checkId(id, "service", at);
  checkProgram(declared);
  const { queue = "default", doc = null, owner = null, tags = [], reads = [], emits = [], notify } = options;
  checkId(queue, `service ${id}: queue`, at);
  return {
    format: 1,
    serviceId: id,
    doc,
    owner,
    tags: [...new Set(tags)],
    program: { name: program.name, config: program.config as Json },
    queue,
    restart: restartOf(declared),
    startTimeoutMs: time(declared, "startTimeout", options.startTimeout ?? "5m", SHORTEST_MS),
    healthTimeoutMs: time(declared, "healthTimeout", options.healthTimeout ?? "2m", SHORTEST_MS),
    drainMs: time(declared, "drain", options.drain ?? "1m", 0),
    maxLag: maxLagOf(declared),
    notify: notifyRules(notify, SERVICE_EVENTS, `service ${id}: notify`, at),
    reads: idsOf(reads),
    emits: idsOf(emits),
    emitEveryMs: time(declared, "emitEvery", options.emitEvery ?? "30s", 0),
    datasets: describe([...reads, ...emits]),
  };
}

/** A program that tells something every few seconds must not be killed for a short pause of its machine. */
const SHORTEST_MS = 1_000;

function checkProgram({ id, program, at }: DeclaredService): void {
  if (typeof program !== "object" || program === null || program.kind !== "program")
    throw dagError(`service ${id} is given no program`, at, "Give it sparkStream({ … }) or program({ … }).");
  const [first] = tokensIn(program.config as Json);
  if (first === undefined) return;
  throw dagError(`service ${id}: ${nameOf(first.token)} is of a run, and a service is in none`, at);
}

function restartOf(declared: DeclaredService): RestartSpec {
  const { factor = 2, tellAfter = 3, delay = "1s", max = "5m", healthyAfter = "2m" } = declared.options.restart ?? {};
  const { id, at } = declared;
  if (!(factor >= 1)) throw dagError(`service ${id}: restart.factor ${factor} is less than 1`, at);
  if (!Number.isSafeInteger(tellAfter) || tellAfter < 1)
    throw dagError(`service ${id}: restart.tellAfter ${tellAfter} is not a whole number of at least 1`, at);
  return {
    delayMs: time(declared, "restart.delay", delay, 1),
    factor,
    maxMs: time(declared, "restart.max", max, 1),
    healthyMs: time(declared, "restart.healthyAfter", healthyAfter, 0),
    tellAfter,
  };
}

function maxLagOf(declared: DeclaredService): ServiceSpec["maxLag"] {
  const { maxLag } = declared.options;
  if (maxLag === undefined) return null;
  const { records, for: lasting = "5m" } = maxLag;
  if (!Number.isSafeInteger(records) || records < 0)
    throw dagError(
      `service ${declared.id}: maxLag.records ${records} is not a whole number of at least 0`,
      declared.at,
    );
  return { records, forMs: time(declared, "maxLag.for", lasting, 0) };
}

function time({ id, at }: DeclaredService, name: string, duration: Duration, least: number): number {
  const ms = milliseconds(duration, `service ${id}: ${name}`);
  if (ms >= least) return ms;
  throw dagError(`service ${id}: ${name} ${duration} is shorter than ${least} ms`, at);
}

function idsOf(datasets: readonly DatasetLike[]): string[] {
  return [...new Set(datasets.map((one) => asDataset(one).id))];
}

/** Every dataset once, with what is said about it wherever it is said. */
function describe(datasets: readonly DatasetLike[]): DatasetSpec[] {
  const merged = new Map<string, DatasetSpec>();
  for (const one of datasets) {
    const { id, description, owner } = asDataset(one);
    const known = merged.get(id);
    merged.set(id, {
      id,
      description: description ?? known?.description ?? null,
      owner: owner ?? known?.owner ?? null,
    });
  }
  return [...merged.values()];
}
