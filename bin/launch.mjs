#!/usr/bin/env node
// What `npm start`, `npm test` and the scripts beside them run.
import { launch } from "./launcher.mjs";

const SCRIPTS = {
  start: ["src/cli.ts", "start"],
  test: ["scripts/test.ts"],
  check: ["scripts/check.ts"],
  bench: ["bench/run.ts"],
  sim: ["test/simulation/main.ts"],
  guards: ["scripts/guards.ts"],
  chaos: ["test/chaos/main.ts"],
  soak: ["test/chaos/soak.ts"],
};

const [task, ...args] = process.argv.slice(2);
if (Object.hasOwn(SCRIPTS, task ?? "")) {
  const [script, ...first] = SCRIPTS[task];
  await launch(script, [...first, ...args]);
} else {
  process.stderr.write(`USAGE: launch.mjs ${Object.keys(SCRIPTS).join("|")} [arguments]\n`);
  process.exitCode = 2;
}
