/** A worker as a process of its own: `worker-process.ts URL HOME HOST`. */
import { openDatabase } from "../../src/metadata/database.ts";
import { runWorker } from "../../src/worker/index.ts";
import { testConfig } from "../worker/support.ts";

const [url = "", home = "", hostId = ""] = process.argv.slice(2);
const database = openDatabase(url, { max: 6, applicationName: "chaos-worker" });
const config = testConfig(home, { QFLOW_RUNNERS: "3" });
const patience = { abortMs: 200, termMs: 500 };
await runWorker({ database, config, patience, warn: () => {}, ...(hostId === "" ? {} : { hostId }) });
await database.close();
