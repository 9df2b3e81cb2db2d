import { execFile } from "node:child_process";
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { dagText, folderWith } from "./folder.ts";

const CHECKOUT = join(import.meta.dirname, "../..");

test("a checkout whose folder of packages is a link to another place loads DAGs", async (t) => {
  t.timeout(60_000);
  const dir = await folderWith(t, { "dags/a.ts": dagText("linked") });
  const checkout = join(dir, "checkout");
  await mkdir(checkout);
  for (const name of ["src", "package.json"]) await cp(join(CHECKOUT, name), join(checkout, name), { recursive: true });
  await symlink(join(CHECKOUT, "node_modules"), join(checkout, "node_modules"));
  const script = `
    const [{ bundleFile }, { openSandbox }] = await Promise.all([import("./src/dag/bundle.ts"), import("./src/dag/sandbox.ts")]);
    const file = process.argv.at(-1);
    const { bundle } = await bundleFile(file);
    const evaluation = await openSandbox().evaluate(file, bundle.code);
    console.log(JSON.stringify(evaluation));
    process.exit();`;
  const args = ["--input-type=module", "-e", script, join(dir, "dags/a.ts")];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: checkout });
  t.like(JSON.parse(stdout), { ok: true });
});
