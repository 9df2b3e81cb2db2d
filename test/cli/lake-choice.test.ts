import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { settleLake } from "../../src/cli/platform/lake-choice.ts";
import { lakeFile, loadConfig } from "../../src/config.ts";
import { openHome } from "../../src/engines/home.ts";

async function newHome(t: ExecutionContext): Promise<string> {
  const home = join(await mkdtemp(join(tmpdir(), "qflow-lake-choice-")), "home");
  t.teardown(() => rm(join(home, ".."), { recursive: true }));
  return home;
}

/** The lake of a start with these settings. */
async function lakeOfStart(home: string, extras: readonly string[], settings: Record<string, string> = {}) {
  const env = { QFLOW_HOME: home, ...settings };
  const { lakeDir } = await settleLake({ config: loadConfig(env), env }, extras);
  await openHome(home);
  return lakeDir;
}

test("a home that begins with the stream has its lake on HDFS, and keeps it", async (t) => {
  const home = await newHome(t);
  t.is(await lakeOfStart(home, ["stream"]), "hdfs:///lake");
  t.is(await lakeOfStart(home, []), "hdfs:///lake");
  t.is(loadConfig({ QFLOW_HOME: home }).lakeDir, "hdfs:///lake", "every command finds it there");
  t.is(await lakeOfStart(home, [], { QFLOW_LAKE: "/elsewhere" }), "/elsewhere");
});

test("a home that began without the stream stays in its folder, which may be moved", async (t) => {
  const home = await newHome(t);
  t.is(await lakeOfStart(home, []), join(home, "lake"));
  t.is(await lakeOfStart(home, ["stream"]), join(home, "lake"));
  await t.throwsAsync(stat(lakeFile(home)), { code: "ENOENT" });
});

test("what QFLOW_LAKE says at the first start holds from then on", async (t) => {
  const home = await newHome(t);
  await mkdir(home, { recursive: true });
  t.is(await lakeOfStart(home, ["stream"], { QFLOW_LAKE: "file:///data/lake" }), "/data/lake");
  t.is(await lakeOfStart(home, ["stream"]), "/data/lake");
});

test("an HDFS of the user's own is not written to without being asked", async (t) => {
  const home = await newHome(t);
  const own = { QFLOW_CONN_HDFS_DEFAULT: "hdfs://namenode:8020" };
  t.is(await lakeOfStart(home, ["stream"], own), join(home, "lake"));
});
