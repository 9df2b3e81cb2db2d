// The package that npm lays down is imitated by three small files: the real one has its links already.
import { mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { postgresBinaries } from "../../src/engines/postgres-binaries.ts";
import { temporaryFolder } from "./support/processes.ts";

test("library links that an install script would have made are made, also by two at once", async (t) => {
  const root = await temporaryFolder(t);
  await mkdir(join(root, "native/lib"), { recursive: true });
  await writeFile(join(root, "native/lib/libpq.so.5.18"), "library");
  const links = [{ source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" }];
  await writeFile(join(root, "native/pg-symlinks.json"), JSON.stringify(links));
  const found = await Promise.all([postgresBinaries("/nowhere", root), postgresBinaries("/nowhere", root)]);
  t.deepEqual(found, [join(root, "native"), join(root, "native")]);
  t.is(await readlink(join(root, "native/lib/libpq.so.5")), "libpq.so.5.18");
  t.is(await readFile(join(root, "native/lib/libpq.so.5"), "utf8"), "library");
});
