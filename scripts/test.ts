/** `npm test`: every check and every test, engines included. Ends with `N passed, N failed`; a failed check counts as one. */
import { loadConfig } from "../src/config.ts";
import { ENGINE_NAMES, installFor, progressOn } from "../src/engines/index.ts";
import { buildUi, runStep, staticSteps } from "./steps.ts";
import { runTests, type Tally } from "./tests.ts";

const total: Tally = { passed: 0, failed: 0 };

function add(tally: Tally): void {
  total.passed += tally.passed;
  total.failed += tally.failed;
}

for (const step of [...staticSteps(), buildUi()]) {
  add((await runStep(step)) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
}
// Everything at once: a download inside a test would count against that test's time.
await installFor(loadConfig(process.env), ENGINE_NAMES, progressOn(process.stderr));
add(
  await runTests({
    name: "tests on the database",
    patterns: ["test/**/*.test.ts", "!test/**/*.engine.test.ts", "!test/e2e/**"],
    concurrency: 2,
    timeout: "3m",
  }),
);
// Each of these files starts a JVM or more, and waits for it a third of its time.
add(
  await runTests({
    name: "tests on the engines",
    patterns: ["test/**/*.engine.test.ts"],
    concurrency: 2,
    timeout: "15m",
  }),
);
// A platform keeps a small machine busy alone.
add(
  await runTests({
    name: "tests of the whole platform",
    patterns: ["test/e2e/**/*.test.ts"],
    concurrency: 1,
    timeout: "15m",
  }),
);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
