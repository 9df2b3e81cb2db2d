/** A worker as a process of its own, for tests that kill it: `worker-process.ts URL HOME [NAME=VALUE …]`. */
import { openDatabase } from "../../src/metadata/database.ts";
import { runWorker } from "../../src/worker/index.ts";
import { testConfig } from "./support.ts";

const [url = "", home = "", ...settings] = process.argv.slice(2);
const env = Object.fromEntries(settings.map((setting) => setting.split("=") as [string, string]));
const database = openDatabase(url, { max: 6, applicationName: "test-worker" });
const options = { database, config: testConfig(home, env), patience: { abortMs: 200, termMs: 500 } };
await runWorker(options);
await database.close();
