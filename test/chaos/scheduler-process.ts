/** A scheduler as a process of its own: `scheduler-process.ts URL`. */
import { openDatabase } from "../../src/metadata/database.ts";
import { startScheduler } from "../../src/scheduler/index.ts";

const database = openDatabase(process.argv[2] ?? "", { max: 5, applicationName: "chaos-scheduler" });
const scheduler = await startScheduler(database, { warn: () => {} });
process.once("SIGTERM", async () => {
  await scheduler.stop();
  await database.close();
});
