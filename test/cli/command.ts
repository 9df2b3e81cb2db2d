/** Runs the real command line against a database and a dags folder of the test's own. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { testDatabase } from "../support/database.ts";

const CLI = join(import.meta.dirname, "../../src/cli.ts");

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder of DAGs, a database, and the command that sees them. */
export interface CommandUnderTest {
  readonly db: Database;
  readonly folder: string;
  /** Writes a file of the dags folder; null removes it. */
  write(name: string, text: string | null): Promise<void>;
  qflow(...args: string[]): Promise<Ended>;
}

/** Sets them up; they are gone when the test ends. */
export async function commandLine(t: ExecutionContext): Promise<CommandUnderTest> {
  const db = await testDatabase(t);
  const home = await mkdtemp(join(tmpdir(), "qflow-command-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const folder = join(home, "dags");
  await mkdir(folder);
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    QFLOW_HOME: home,
    QFLOW_DAGS: folder,
    QFLOW_DATABASE_URL: db.url,
  };
  return {
    db,
    folder,
    write: async (name, text) => {
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true });
      await (text === null ? rm(path) : writeFile(path, text));
    },
    qflow: (...args) =>
      new Promise((resolve) => {
        execFile(process.execPath, [CLI, ...args], { env }, (error, stdout, stderr) => {
          resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr });
        });
      }),
  };
}
