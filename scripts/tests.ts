/** Runs ava over some test files, shows what failed in full and the rest as it goes, and counts. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "./steps.ts";

/** How many tests passed and failed; a file that cannot be loaded counts as one failure. */
export interface Tally {
  passed: number;
  failed: number;
}

/** Options of one ava run. `concurrency` = test files at once. */
export interface TestRun {
  name: string;
  patterns: string[];
  concurrency: number;
  timeout: string;
}

/** Runs the files and resolves to the tally. TAP is read line by line, so that a long run shows progress. */
export async function runTests(run: TestRun): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0 };
  console.log(`\n${run.name}`);
  const args = [resolve(ROOT, "node_modules/.bin/ava"), "--tap"];
  args.push("--concurrency", String(run.concurrency), "--timeout", run.timeout, ...run.patterns);
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((done) => child.on("exit", done));
  let failing = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (/^ok \d+/.test(line)) {
      // What is left out has passed nothing.
      if (!/ # SKIP$/.test(line)) tally.passed++;
      failing = false;
      console.log(`  ${line.replace(/^ok \d+ - /, "ok ")}`);
    } else if (/^not ok \d+/.test(line)) {
      tally.failed++;
      failing = true;
      console.log(`  ${line.replace(/^not ok \d+ - /, "FAILED ")}`);
    } else if (failing) console.log(line);
  }
  const code = await ended;
  // A crash of the runner itself, or no test found, must not look like success.
  if (code !== 0 && tally.failed === 0) tally.failed++;
  return tally;
}
