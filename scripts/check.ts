/** `npm run check`: everything that needs no engine, in under a minute. */
import { buildUi, runStep, staticSteps } from "./steps.ts";
import { runTests } from "./tests.ts";

let ok = true;
for (const step of [...staticSteps(), buildUi()]) ok = (await runStep(step)) && ok;
const tally = await runTests({
  name: "tests without engines",
  patterns: ["test/dag/**/*.test.ts", "test/feed/**/*.test.ts"],
  concurrency: 2,
  timeout: "1m",
});
console.log(`\n${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = ok && tally.failed === 0 ? 0 : 1;
