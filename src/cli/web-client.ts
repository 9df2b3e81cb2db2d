/** The web client is built where it runs, once for a state of its sources. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { say } from "./output.ts";

const BUILD = `const { buildWebClient } = await import(process.argv[1]); await buildWebClient();`;

/**
 * Builds `ui/dist` where it is missing or stale, in a process of its own: a bundler's memory is not ours to keep. A failed build is said
 * and stops nothing: the API serves what it has.
 */
export async function ensureWebClient(): Promise<void> {
  const module = resolve(import.meta.dirname, "../../ui/build.ts");
  const child = spawn(process.execPath, ["--input-type=module", "-e", BUILD, module], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise<number | null>((done) => {
    child.once("error", () => done(null));
    child.once("exit", done);
  });
  if (code !== 0) say("The web client could not be built; see above. Everything else runs.");
}
