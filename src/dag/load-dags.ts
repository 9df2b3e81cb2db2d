/** A folder of DAG files → what each declares. */
import { relative, resolve } from "node:path";
import { type Bundle, bundleFile } from "./bundle.ts";
import { findDagFiles, stampOf } from "./find-files.ts";
import type { Sandbox } from "./sandbox.ts";
import { fileError, importErrorOf } from "./sandbox-errors.ts";
import { openSandboxPool } from "./sandbox-pool.ts";
import type { ImportError } from "./sandbox-protocol.ts";
import type { ServiceSpec } from "./service-spec.ts";
import type { DagSpec } from "./spec.ts";

/** One file that declares DAGs or services, or fails to. */
export interface LoadedFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** Empty where there is an error. */
  readonly dags: readonly DagSpec[];
  /** Empty where there is an error. */
  readonly services: readonly ServiceSpec[];
  /** Null where the file could not be bundled. */
  readonly bundle: Bundle | null;
  readonly error: ImportError | null;
}

/** What a folder holds. Pass it to the next {@link loadDags}, which then looks at changed files only. */
export interface LoadedDags {
  /** By path. Files that declare nothing and do not fail (helpers) are left out. */
  readonly files: readonly LoadedFile[];
  /** Everything that was evaluated, before ids were compared between files; for the next load. */
  readonly evaluated: ReadonlyMap<string, EvaluatedFile>;
}

/** One file, looked at on its own. */
export interface EvaluatedFile extends LoadedFile {
  /** Every file the bundle was made of, with its stamp. */
  readonly stamps: ReadonlyMap<string, string>;
}

/** What a load may build on. */
export interface LoadOptions {
  readonly previous?: LoadedDags | null;
  /** A warm sandbox; without one, children are started for this load and ended after it. */
  readonly sandbox?: Sandbox;
}

/**
 * Loads every DAG file under a folder. What is wrong with a file is in its `error` and hurts no other. Of two files with one
 * DAG id, or one service id, the second (by path) is the wrong one. Throws CONFIG_INVALID where the folder cannot be read.
 */
export async function loadDags(folder: string, options: LoadOptions = {}): Promise<LoadedDags> {
  const dir = resolve(folder);
  const paths = await findDagFiles(dir);
  const sandbox = options.sandbox ?? openSandboxPool();
  const before = options.previous?.evaluated;
  try {
    const loaded = await inBatches(paths, async (file): Promise<EvaluatedFile> => {
      const known = before?.get(file);
      return known !== undefined && (await isUnchanged(known)) ? known : loadFile(dir, file, sandbox);
    });
    const evaluated = new Map(paths.map((file, i) => [file, loaded[i] as EvaluatedFile]));
    return { files: withoutDuplicates(dir, evaluated), evaluated };
  } finally {
    if (options.sandbox === undefined) sandbox.close();
  }
}

/** Loads one file, whatever it was before. */
async function loadFile(dir: string, file: string, sandbox: Sandbox): Promise<EvaluatedFile> {
  const path = relative(dir, file).replaceAll("\\", "/");
  // Taken before the file is read: a change in between is then seen by the next load.
  const stamp = await stampOf(file);
  try {
    const { bundle, inputs } = await bundleFile(file);
    const stamps = new Map([[file, stamp], ...(await stampsOf(inputs.filter((input) => input !== file)))]);
    const evaluation = await sandbox.evaluate(file, bundle.code);
    if (!evaluation.ok) return { path, dags: [], services: [], bundle, error: evaluation.error, stamps };
    const { dags, services } = evaluation;
    return { path, dags, services, bundle, error: repeatedId(namesOf(evaluation), file), stamps };
  } catch (error) {
    // What is missing may turn up without the file being touched: no stamps, so it is tried every time.
    return { path, dags: [], services: [], bundle: null, error: importErrorOf(error, file), stamps: new Map() };
  }
}

async function stampsOf(files: readonly string[]): Promise<[string, string][]> {
  return Promise.all(files.map(async (file): Promise<[string, string]> => [file, await stampOf(file)]));
}

async function isUnchanged({ stamps }: EvaluatedFile): Promise<boolean> {
  if (stamps.size === 0) return false;
  const now = await stampsOf([...stamps.keys()]);
  return now.every(([file, stamp]) => stamps.get(file) === stamp);
}

/** What of a file has an id, as errors name it. */
function namesOf({ dags, services }: Pick<LoadedFile, "dags" | "services">): string[] {
  return [...dags.map(({ dagId }) => `DAG id ${dagId}`), ...services.map(({ serviceId }) => `service id ${serviceId}`)];
}

function repeatedId(names: readonly string[], file: string): ImportError | null {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  return repeated === undefined ? null : duplicate(repeated, "this file", file);
}

function withoutDuplicates(dir: string, evaluated: ReadonlyMap<string, EvaluatedFile>): LoadedFile[] {
  const owners = new Map<string, string>();
  const files: LoadedFile[] = [];
  for (const [file, one] of evaluated) {
    const { path, bundle, error } = one;
    const names = error === null ? namesOf(one) : [];
    const taken = names.find((name) => owners.has(name)) ?? "";
    const owner = owners.get(taken);
    const wrong = owner === undefined ? error : duplicate(taken, relative(dir, owner), file);
    if (wrong !== null) files.push({ path, dags: [], services: [], bundle, error: wrong });
    else if (names.length > 0) files.push({ path, dags: one.dags, services: one.services, bundle, error: null });
    if (wrong === null) for (const name of names) owners.set(name, file);
  }
  return files;
}

function duplicate(name: string, owner: string, file: string): ImportError {
  return fileError("DAG_DUPLICATE", `${name} is already taken by ${owner}`, file);
}

const AT_ONCE = 16;

async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, lane));
  return results;
}
