/** Makes `qflow`, `qflow/*` and `zod` mean the running installation, wherever the code that imports them lies. */
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

/** Folder of the installation's package.json. */
export const INSTALLATION = fileURLToPath(new URL("../..", import.meta.url));

/** Packages of which there is one copy in a process: the installation's. */
export const INSTALLED = /^(qflow|zod)(\/|$)/;

/** Bare names are resolved as if this module had imported them. */
const PARENT = import.meta.url;

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

/** URL of a module of the installation, for example `zod`. Throws where there is none. */
export function installedUrl(specifier: string): string {
  return import.meta.resolve(specifier);
}
