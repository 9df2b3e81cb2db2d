/** A folder of DAG files → what each declares. */
import { relative, resolve } from "node:path";
import { type Bundle, bundleFile } from "./bundle.ts";
import { findDagFiles, stampOf } from "./find-files.ts";
import type { Sandbox } from "./sandbox.ts";
import { fileError, importErrorOf } from "./sandbox-errors.ts";
import { openSandboxPool } from "./sandbox-pool.ts";
import type { ImportError } from "./sandbox-protocol.ts";
import type { DagSpec } from "./spec.ts";

/** One file that declares DAGs or fails to. */
export interface LoadedFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** Empty where there is an error. */
  readonly dags: readonly DagSpec[];
  /** Null where the file could not be bundled. */
  readonly bundle: Bundle | null;
  readonly error: ImportError | null;
}

/** What a folder holds. Pass it to the next {@link loadDags}, which then looks at changed files only. */
export interface LoadedDags {
  /** By path. Files that neither declare a DAG nor fail (helpers) are left out. */
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
 * DAG id the second (by path) is the wrong one. Throws CONFIG_INVALID where the folder cannot be read.
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
    const dags = evaluation.ok ? evaluation.dags : [];
    return { path, dags, bundle, error: evaluation.ok ? repeatedId(evaluation.dags, file) : evaluation.error, stamps };
  } catch (error) {
    // What is missing may turn up without the file being touched: no stamps, so it is tried every time.
    return { path, dags: [], bundle: null, error: importErrorOf(error, file), stamps: new Map() };
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

function repeatedId(dags: readonly DagSpec[], file: string): ImportError | null {
  const ids = dags.map((dag) => dag.dagId);
  const repeated = ids.find((id, i) => ids.indexOf(id) !== i);
  return repeated === undefined ? null : duplicate(repeated, "this file", file);
}

function withoutDuplicates(dir: string, evaluated: ReadonlyMap<string, EvaluatedFile>): LoadedFile[] {
  const owners = new Map<string, string>();
  const files: LoadedFile[] = [];
  for (const [file, { path, dags, bundle, error }] of evaluated) {
    const taken = error === null ? dags.find((dag) => owners.has(dag.dagId)) : undefined;
    const owner = taken === undefined ? undefined : owners.get(taken.dagId);
    const wrong = owner === undefined ? error : duplicate((taken as DagSpec).dagId, relative(dir, owner), file);
    if (wrong === null) for (const dag of dags) owners.set(dag.dagId, file);
    if (wrong !== null || dags.length > 0) files.push({ path, dags: wrong === null ? dags : [], bundle, error: wrong });
  }
  return files;
}

function duplicate(dagId: string, owner: string, file: string): ImportError {
  return fileError("DAG_DUPLICATE", `DAG id ${dagId} is already taken by ${owner}`, file);
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
