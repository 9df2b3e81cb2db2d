import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";

const ROOT = join(import.meta.dirname, "../..");

test("the launcher refuses a task it does not know", (t) => {
  const ended = spawnSync(process.execPath, [join(ROOT, "bin/launch.mjs"), "dance"], { encoding: "utf8" });
  t.is(ended.status, 2);
  t.is(ended.stdout, "");
  t.regex(ended.stderr, /start\|test\|check\|bench/);
});

test("package-lock.json lists every optional package, or npm ci would refuse it", (t) => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const absent = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
    ),
  );
  t.deepEqual(absent, []);
});
