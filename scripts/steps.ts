/** Named steps of `npm test` and `npm run check`: each is a program that must end with 0. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** The root of the checkout. */
export const ROOT = resolve(import.meta.dirname, "..");

/** One program to run. `args` are passed as they are, never through a shell. */
export interface Step {
  name: string;
  command: string;
  args: string[];
}

function bin(name: string): string {
  return resolve(ROOT, "node_modules/.bin", name);
}

/** The checks that need no engine: format and lint, types, import rules. */
export function staticSteps(): Step[] {
  const steps: Step[] = [
    { name: "format and lint", command: bin("biome"), args: ["check", "--error-on-warnings", "."] },
    { name: "types", command: bin("tsc"), args: ["-p", "tsconfig.json"] },
    {
      name: "import rules",
      command: bin("depcruise"),
      args: ["src", "dags", "examples", "--config", ".dependency-cruiser.cjs"],
    },
  ];
  if (existsSync(resolve(ROOT, "ui/tsconfig.json"))) {
    steps.push({ name: "types of the web client", command: bin("tsc"), args: ["-p", "ui/tsconfig.json"] });
  }
  return steps;
}

/** Builds the web client into ui/dist. */
export function buildUi(): Step {
  return { name: "build of the web client", command: bin("vite"), args: ["build", "ui", "--logLevel", "warn"] };
}

/** Runs one step, its output shown. Resolves to whether it ended with 0, and says how long it took. */
export async function runStep(step: Step): Promise<boolean> {
  const started = Date.now();
  const code = await exitCode(step);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${step.name} (${seconds} s)`);
  return code === 0;
}

function exitCode(step: Step): Promise<number | null> {
  return new Promise((done) => {
    const child = spawn(step.command, step.args, { cwd: ROOT, stdio: "inherit" });
    child.on("error", (error) => {
      console.error(error.message);
      done(null);
    });
    child.on("exit", done);
  });
}
