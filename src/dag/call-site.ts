/** Where a DAG author's code called the package: for the line numbers in errors and in the compiled DAG. */
import { fileURLToPath } from "node:url";
import { getCallSites } from "node:util";
import { QflowError } from "../errors.ts";

/** A place in a source file; lines and columns are 1-based. */
export interface CallSite {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The package's own code, whose frames are not the author's. */
const OWN_CODE = fileURLToPath(new URL("..", import.meta.url));

/** The innermost frame outside the package, or null where there is none (a bundle without source map, the REPL). */
export function callSite(): CallSite | null {
  for (const frame of getCallSites(40, { sourceMap: true })) {
    const file = pathOf(frame.scriptName);
    if (file === null || file.startsWith(OWN_CODE)) continue;
    return { file, line: frame.lineNumber, column: frame.columnNumber };
  }
  return null;
}

/** A DAG_INVALID that names the author's place; `at` is where the thing was declared, by default where we were called from. */
export function dagError(message: string, at: CallSite | null = callSite(), remedy?: string): QflowError {
  const place = at === null ? "" : `${at.file}:${at.line}: `;
  return new QflowError("DAG_INVALID", `${place}${message}`, {
    details: { reason: message, ...(at ?? {}) },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function pathOf(scriptName: string): string | null {
  if (scriptName === "" || scriptName.startsWith("node:")) return null;
  if (!scriptName.startsWith("file:")) return scriptName;
  return fileURLToPath(scriptName.replace(/[?#].*$/, ""));
}
