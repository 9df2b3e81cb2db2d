/**
 * `npm run guards [-- NAME …]`: takes guards away one at a time, in a copy of the checkout, and fails when the tests named for
 * one still pass.
 */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GUARDS } from "./guard-table.ts";
import type { Guard } from "./guards/guard.ts";
import { ROOT } from "./steps.ts";

const names = process.argv.slice(2);
const guards = GUARDS.filter((guard) => names.length === 0 || names.includes(guard.name));
const copy = mkdtempSync(join(tmpdir(), "qflow-guards-"));
process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));

const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT });
for (const name of listed.toString().split("\0")) {
  if (name !== "" && existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(copy, name));
}
symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));

const files = [...new Set(guards.flatMap((guard) => guard.tests))];
console.log(`${guards.length} guards, ${files.length} test files; with all guards:`);
const broken = new Set<string>();
for (const file of files) {
  if (await passes([file])) continue;
  console.log(`${file} fails with every guard in place: it can show nothing`);
  broken.add(file);
}
const survivors: string[] = [];
for (const [done, guard] of guards.entries()) {
  const startedAt = Date.now();
  const killed = await isKilled(guard);
  if (!killed) survivors.push(guard.name);
  const verdict = killed ? "killed  " : "SURVIVED";
  console.log(
    `${verdict} ${guard.name} (${done + 1} of ${guards.length}, ${((Date.now() - startedAt) / 1000).toFixed(0)} s)`,
  );
}
console.log(
  `${guards.length} guards, ${survivors.length} without a test that fails: ${survivors.join(", ") || "none"}`,
);
process.exitCode = survivors.length === 0 ? 0 : 1;

/** Whether some test fails without the guard. */
async function isKilled(guard: Guard): Promise<boolean> {
  const path = join(copy, guard.file);
  const whole = readFileSync(path, "utf8");
  const mark = whole.search(new RegExp(`guard: (?:[\\w, -]*, )?${guard.name}(?![\\w-])`));
  // The mark stands behind the line in SQL, above the statement in TypeScript.
  const from = whole.lastIndexOf("\n", mark) + 1;
  const at = whole.indexOf(guard.text, from);
  if (mark < 0 || at < 0) throw new Error(`guard ${guard.name} is not in ${guard.file}`);
  writeFileSync(path, whole.slice(0, at) + guard.without + whole.slice(at + guard.text.length));
  try {
    const tests = guard.tests.filter((file) => !broken.has(file));
    return tests.length > 0 && !(await passes(tests));
  } finally {
    writeFileSync(path, whole);
  }
}

function passes(tests: readonly string[]): Promise<boolean> {
  const args = [join(ROOT, "node_modules/.bin/ava"), "--fail-fast", "--timeout", "2m", ...tests];

  const child = spawn(process.execPath, args, { cwd: copy, stdio: "ignore" });
  return new Promise((done) => child.on("exit", (code) => done(code === 0)));
}
