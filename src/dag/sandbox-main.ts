/** The sandboxed child: evaluates bundles one after the other and answers what DAGs they declare. */
import { subscribe } from "node:diagnostics_channel";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { DAG_DECLARED, type Dag, dagsIn } from "./dag.ts";
import { resolveFromInstallation } from "./installation.ts";
import { type Declared, differenceOf, importErrorOf, notDeterministic, notExported } from "./sandbox-errors.ts";
import type { EvaluateRequest, EvaluateResponse, Evaluation } from "./sandbox-protocol.ts";
import { watchTaint } from "./sandbox-taint.ts";
import { buildWorld } from "./sandbox-world.ts";
import { SERVICE_DECLARED, type Service, servicesIn } from "./service.ts";

/** Two days and two seeds: what depends on either is not the same DAG on every load. */
const WORLDS = [
  { now: Date.UTC(2026, 0, 5, 9, 30), seed: 1 },
  { now: Date.UTC(2027, 6, 17, 22, 45), seed: 2 },
] as const;

/** Bundles by the URL they are imported as; nothing is read from disk. */
const sources = new Map<string, string>();
const declared: (Dag | Service)[] = [];
let evaluations = 0;

resolveFromInstallation();
registerHooks({
  resolve: (specifier, context, next) =>
    sources.has(specifier) ? { url: specifier, shortCircuit: true } : next(specifier, context),
  load: (url, context, next) => {
    const source = sources.get(url);
    return source === undefined ? next(url, context) : { format: "module", source, shortCircuit: true };
  },
});
subscribe(DAG_DECLARED, (dag) => declared.push(dag as Dag));
subscribe(SERVICE_DECLARED, (service) => declared.push(service as Service));

const { reallyExit } = process as unknown as { reallyExit: (code: number) => never };
const send = process.send?.bind(process) as (message: EvaluateResponse | "ready") => void;
const setWorld = buildWorld();
// A bundle must not be able to answer for itself.
process.send = undefined as never;
process.on("disconnect", () => reallyExit.call(process, 0));
// Work that a file left behind fails on its own; it says nothing about the file that is being evaluated now.
process.on("uncaughtException", () => {});
process.on("unhandledRejection", () => {});

process.on("message", async (request: EvaluateRequest) => {
  const evaluation = await evaluate(request);
  taint.cancelTimers();
  send({ id: request.id, evaluation, tainted: taint.found() });
});
const taint = watchTaint();
send("ready");

async function evaluate({ file, code }: EvaluateRequest): Promise<Evaluation> {
  try {
    const [first, second] = [await evaluateIn(0, file, code), await evaluateIn(1, file, code)];
    const difference = differenceOf(first, second);
    if (difference !== null) return { ok: false, error: notDeterministic(file, first, difference) };
    const lost = declared.find((one) => !isIn(one, first));
    return lost === undefined ? { ok: true, ...first } : { ok: false, error: notExported(file, lost) };
  } catch (error) {
    return { ok: false, error: importErrorOf(error, file) };
  }
}

async function evaluateIn(world: 0 | 1, file: string, code: string): Promise<Declared> {
  declared.length = 0;
  z.globalRegistry.clear();
  setWorld(WORLDS[world]);
  const url = `${pathToFileURL(file).href}?evaluation=${evaluations++}`;
  sources.set(url, code);
  try {
    const exports = (await import(url)) as Record<string, unknown>;
    const dags = dagsIn(exports).map(({ spec }) => spec);
    const services = servicesIn(exports).map(({ spec }) => spec);
    return JSON.parse(JSON.stringify({ dags, services })) as Declared;
  } finally {
    sources.delete(url);
  }
}

function isIn(one: Dag | Service, { dags, services }: Declared): boolean {
  return "functions" in one
    ? dags.some(({ dagId }) => dagId === one.id)
    : services.some(({ serviceId }) => serviceId === one.id);
}
