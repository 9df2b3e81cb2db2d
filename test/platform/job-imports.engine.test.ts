/** A job that is submitted on its own starts before there is a Spark session: nothing at its top level may need one. */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { installedSpark } from "./support/spark.ts";

const JOBS = join(import.meta.dirname, "../../jobs");

test("every job can be loaded before there is a session", async (t) => {
  t.timeout(600_000);
  const spark = await installedSpark();
  const jobs = (await readdir(JOBS)).filter((name) => name.endsWith(".py"));
  t.true(jobs.length > 0);
  const load = "import runpy, sys\nfor job in sys.argv[1:]: runpy.run_path(job, run_name='loaded')";
  const env = { SPARK_HOME: spark.home, PYTHONPATH: join(spark.home, ".."), PYTHONDONTWRITEBYTECODE: "1" };
  await t.notThrowsAsync(
    promisify(execFile)(spark.python, ["-c", load, ...jobs.map((job) => join(JOBS, job))], { env }),
  );
});
