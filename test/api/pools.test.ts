import test from "ava";
import { dagSpec, deploy } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

test("pools: made, listed, changed with a mask, deleted, as Airflow does", async (t) => {
  const { db, as } = await startTestApi(t);
  const call = await as("user");
  const made = await call("POST", "/api/v2/pools", { name: "erp", slots: 2, description: "SAP" });
  t.is(made.status, 201);
  t.like(made.body, {
    name: "erp",
    slots: 2,
    description: "SAP",
    open_slots: 2,
    occupied_slots: 0,
    include_deferred: false,
  });
  t.is((await call("POST", "/api/v2/pools", { name: "erp", slots: 2 })).status, 409);
  t.is((await call("POST", "/api/v2/pools", { name: "x", slots: -1 })).status, 422);
  t.is((await call("POST", "/api/v2/pools", { name: "x", slots: 1, include_deferred: true })).status, 422);
  const list = await call("GET", "/api/v2/pools?limit=1&order_by=-name");
  t.is(list.body.total_entries, 3);
  t.is(list.body.pools[0].name, "spark");
  t.is((await call("GET", "/api/v2/pools?pool_name_pattern=%25rp%25")).body.total_entries, 1);

  const masked = await call("PATCH", "/api/v2/pools/erp?update_mask=slots", { slots: 5, description: "other" });
  t.like(masked.body, { slots: 5, description: "SAP" });
  t.like((await call("PATCH", "/api/v2/pools/erp", { pool: "erp", description: "ERP" })).body, {
    slots: 5,
    description: "ERP",
  });
  t.is((await call("PATCH", "/api/v2/pools/erp", { name: "new" })).status, 400);
  t.is((await call("PATCH", "/api/v2/pools/none", { slots: 1 })).status, 404);
  t.is((await (await as("viewer"))("PATCH", "/api/v2/pools/erp", { slots: 1 })).status, 403);

  const bulk = await call("PATCH", "/api/v2/pools", {
    actions: [
      {
        action: "create",
        entities: [
          { name: "a", slots: 1 },
          { name: "erp", slots: 1 },
        ],
        action_on_existence: "skip",
      },
      { action: "delete", entities: ["a", "none"] },
    ],
  });
  t.deepEqual(bulk.body.create.success, ["a"]);
  t.deepEqual([bulk.body.delete.success, bulk.body.delete.errors.length], [["a"], 1]);

  await deploy(db, dagSpec("d", [{ id: "t", pool: "erp" }]));
  t.is((await call("DELETE", "/api/v2/pools/erp")).status, 409);
  await deploy(db, dagSpec("d", [{ id: "t", pool: "gone" }]));
  t.is((await call("DELETE", "/api/v2/pools/erp")).status, 204);
  t.is((await call("GET", "/api/v2/pools/erp")).status, 404);
  const warnings = await call("GET", "/api/v2/dagWarnings?dag_id=d");
  t.like(warnings.body.dag_warnings[0], { dag_id: "d", warning_type: "non-existent pool" });
  t.is((await call("GET", "/api/v2/dagWarnings?dag_id=e")).body.total_entries, 0);
});
