/** Makes `qflow`, `qflow/*` and `zod` mean the running installation, wherever the code that imports them lies. */
import { existsSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Folder of the installation's package.json; the code lies in `src` (checkout) or `dist` (published). */
export const INSTALLATION = fileURLToPath(new URL("../..", import.meta.url));

/** Any file of the installation: bare names are resolved as if it had imported them. */
const PARENT = new URL("../index.ts", import.meta.url).href;
const INSTALLED = /^(qflow|zod)(\/|$)/;

let registered = false;

/** Resolves installed packages from here for every module loaded from now on. Once per process. */
export function resolveFromInstallation(): void {
  if (registered) return;
  registered = true;
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, INSTALLED.test(specifier) ? { ...context, parentURL: PARENT } : context),
  });
}

/** True for packages whose one instance is the installation's: they stay outside of bundles. */
export function isInstalled(specifier: string): boolean {
  return INSTALLED.test(specifier);
}

/** URL of a module of the installation, for example `zod`; null where there is none. */
export function installedUrl(specifier: string): string | null {
  try {
    const path = createRequire(PARENT).resolve(specifier);
    return existsSync(path) ? pathToFileURL(path).href : null;
  } catch {
    return null;
  }
}
