/** A DAG file with everything it imports → one ES module, the only thing that is ever evaluated. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildFailure, build, type OnResolveArgs, type Plugin, type PluginBuild, stop } from "esbuild";
import { QflowError } from "../errors.ts";
import { INSTALLED, installedUrl } from "./installation.ts";

/** A bundled DAG file. */
export interface Bundle {
  /** One ES module with inline source map; `qflow`, `qflow/*` and the installation's `zod` stay imports. */
  readonly code: string;
  /** SHA-256 of `code`, in hex. The same files give the same hash wherever they lie. */
  readonly hash: string;
  /** Text of the DAG file itself, as written. */
  readonly source: string;
}

/** A bundle and the absolute paths of the files that went into it. */
export interface BuiltBundle {
  readonly bundle: Bundle;
  readonly inputs: readonly string[];
}

/** Larger files are no DAG files: MPEG video has the suffix .ts too. */
const LARGEST_SOURCE = 5_000_000;

/** Bundles a file (absolute path). Throws DAG_LOAD_FAILED with file, line and column for what cannot be parsed or found. */
export async function bundleFile(file: string): Promise<BuiltBundle> {
  const { size } = await stat(file);
  if (size > LARGEST_SOURCE)
    throw new QflowError("DAG_LOAD_FAILED", `${file}: ${size} bytes are no DAG file`, { details: { file } });
  const folder = dirname(file);
  const [source, built] = await Promise.all([readFile(file, "utf8"), buildModule(file, folder)]);
  const text = built.outputFiles?.[0]?.text ?? "";
  const code = text.includes(DYNAMIC_REQUIRE) ? WITH_REQUIRE + text : text;
  const hash = createHash("sha256").update(code).digest("hex");
  const inputs = Object.keys(built.metafile?.inputs ?? {}).map((path) => resolve(folder, path));
  return { bundle: { code, hash, source }, inputs };
}

/** esbuild's stand-in for `require` in bundled CommonJS: it uses a real one where there is one. */
const DYNAMIC_REQUIRE = "Dynamic require of";
const WITH_REQUIRE =
  'import { createRequire as __qflowRequire } from "node:module"; const require = __qflowRequire(import.meta.url); ';

/** The process of esbuild is ended when it had nothing to do for so long; the next build starts another. */
const REST_AFTER_MS = 60_000;
let building = 0;
let rest: NodeJS.Timeout | undefined;

async function buildModule(file: string, folder: string) {
  clearTimeout(rest);
  building++;
  try {
    return await build({
      entryPoints: [file],
      outfile: resolve(folder, `${basename(file)}.mjs`),
      absWorkingDir: folder,
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "node",
      target: "node24",
      charset: "utf8",
      legalComments: "none",
      sourcemap: "inline",
      sourcesContent: false,
      loader: { ".sql": "text", ".txt": "text", ".md": "text" },
      plugins: [keepInstalledOutside],
      logLevel: "silent",
    });
  } catch (error) {
    throw buildError(file, folder, error as BuildFailure);
  } finally {
    if (--building === 0) rest = setTimeout(() => void stop(), REST_AFTER_MS).unref();
  }
}

function buildError(file: string, folder: string, failure: BuildFailure): QflowError {
  const first = failure.errors?.[0];
  if (first === undefined)
    return new QflowError("DAG_LOAD_FAILED", `${file}: ${failure.message}`, { details: { file }, cause: failure });
  const at = first.location;
  const place = at ? { file: resolve(folder, at.file), line: at.line, column: at.column + 1 } : { file };
  return new QflowError("DAG_LOAD_FAILED", `${place.file}${at ? `:${at.line}` : ""}: ${first.text}`, {
    details: { reason: first.text, ...place },
  });
}

const ZOD_FOLDER = fileURLToPath(installedUrl("zod/package.json")).replace(/package\.json$/, "");

/** One `qflow` and one `zod` per process: schemas of DAG files and of operators must be of the same kind. */
const keepInstalledOutside: Plugin = {
  name: "keep-installed-outside",
  setup(builder) {
    builder.onResolve({ filter: INSTALLED }, async (args) => {
      if (args.pluginData === OWN_COPY) return undefined;
      if (/^qflow(\/|$)/.test(args.path)) return { path: args.path, external: true };
      const own = await ownCopy(builder, args);
      return own === null ? { path: args.path, external: true } : { path: own };
    });
  },
};

const OWN_COPY = { ownCopy: true };

/** Path of a `zod` that the DAG's folder brings itself, which is bundled like any other package. */
async function ownCopy(builder: PluginBuild, args: OnResolveArgs): Promise<string | null> {
  const { importer, kind, resolveDir } = args;
  const found = await builder.resolve(args.path, { importer, kind, resolveDir, pluginData: OWN_COPY });
  return found.errors.length > 0 || found.path.startsWith(ZOD_FOLDER) ? null : found.path;
}
