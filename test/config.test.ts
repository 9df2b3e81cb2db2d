import test from "ava";
import { loadConfig } from "../src/config.ts";

test("a setting that is set to nothing is not set", (t) => {
  const empty = loadConfig({
    HOME: "/home/somebody",
    QFLOW_DATABASE_URL: "",
    QFLOW_PORT: "",
    QFLOW_DAGS: "",
    QFLOW_QUEUES: "",
  });
  t.deepEqual(empty, loadConfig({ HOME: "/home/somebody" }));
  t.is(empty.databaseUrl, null);
});

test("a setting that cannot be is refused by name", (t) => {
  t.throws(() => loadConfig({ QFLOW_PORT: "eighty" }), { code: "CONFIG_INVALID", message: /port/ });
});
