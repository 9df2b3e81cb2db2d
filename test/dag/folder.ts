/** A folder of files for one test, gone when it ends. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";

/** Writes files (path → text) and answers the folder. */
export async function folderWith(t: ExecutionContext, files: Record<string, string>): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "qflow-dags-")));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) await put(dir, path, text);
  return dir;
}

/** Writes one file. */
export async function put(dir: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), text);
}

/** Text of a DAG file with one DAG. */
export function dagText(id: string, doc = ""): string {
  return `import { dag } from "qflow";
export default dag(${JSON.stringify(id)}, { doc: ${JSON.stringify(doc)} }, (t) => {
  const one = t.task("one", () => 1);
  t.task("two", { in: { one } }, ({ one }) => one + 1);
});
`;
}
