import test from "ava";
import type { HiveTable } from "../../src/operators/hive-ddl.ts";
import {
  type ActualTable,
  createDatabase,
  literal,
  planTable,
  planView,
  readDescription,
} from "../../src/operators/hive-ddl-plan.ts";

const WANTED: HiveTable = {
  name: "db.t",
  columns: [
    { name: "id", type: "BIGINT", comment: "Key" },
    { name: "price", type: "DECIMAL(10, 2)" },
  ],
  partitionedBy: [{ name: "day", type: "date" }],
  format: "parquet",
  comment: "Sales",
  properties: { owner: "data" },
  repair: "never",
};

const DESCRIPTION = [
  ["id", "bigint", "Key"],
  ["price", "decimal(10,2)", null],
  ["day", "date", null],
  ["# Partition Information", "", ""],
  ["# col_name", "data_type", "comment"],
  ["day", "date", null],
  ["", "", ""],
  ["# Detailed Table Information", "", ""],
  ["Database", "db", ""],
  ["Type", "MANAGED", ""],
  ["Comment", "Sales", ""],
  ["Table Properties", "[owner=data, transient_lastDdlTime=1]", ""],
];

const ACTUAL: ActualTable = readDescription(DESCRIPTION);

test("a description is read with its partition columns apart", (t) => {
  t.deepEqual(ACTUAL, {
    kind: "table",
    columns: [
      { name: "id", type: "bigint", comment: "Key" },
      { name: "price", type: "decimal(10,2)", comment: "" },
    ],
    partitionedBy: [{ name: "day", type: "date", comment: "" }],
    comment: "Sales",
    properties: "[owner=data, transient_lastDdlTime=1]",
    viewText: null,
  });
});

test("a table as it should be needs nothing", (t) => {
  t.deepEqual(planTable(WANTED, ACTUAL), { statements: [], refusals: [] });
});

test("a missing table is created with everything, names and texts quoted", (t) => {
  const { statements } = planTable({ ...WANTED, comment: "it's", location: "file:///a b" }, null);
  t.deepEqual(statements, [
    "CREATE EXTERNAL TABLE IF NOT EXISTS `db`.`t` (`id` BIGINT COMMENT 'Key', `price` DECIMAL(10, 2)) COMMENT 'it\\'s' " +
      "PARTITIONED BY (`day` date) STORED AS PARQUET LOCATION 'file:///a b' TBLPROPERTIES ('owner' = 'data')",
  ]);
  t.is(literal("a\\'b"), "'a\\\\\\'b'");
  t.is(
    createDatabase({ name: "db", comment: "x", properties: { k: "v" } }),
    "CREATE DATABASE IF NOT EXISTS `db` COMMENT 'x' WITH DBPROPERTIES ('k' = 'v')",
  );
});

test("what is missing is added: columns, comments, properties, partitions", (t) => {
  const wanted: HiveTable = {
    ...WANTED,
    columns: [
      { name: "id", type: "bigint", comment: "New" },
      WANTED.columns[1] as never,
      { name: "more", type: "string" },
    ],
    comment: "Other",
    properties: { owner: "data", pii: "id" },
    repair: "always",
  };
  t.deepEqual(planTable(wanted, ACTUAL).statements, [
    "ALTER TABLE `db`.`t` ADD COLUMNS (`more` string)",
    "ALTER TABLE `db`.`t` ALTER COLUMN `id` COMMENT 'New'",
    "COMMENT ON TABLE `db`.`t` IS 'Other'",
    "ALTER TABLE `db`.`t` SET TBLPROPERTIES ('pii' = 'id')",
    "MSCK REPAIR TABLE `db`.`t`",
  ]);
});

test("what would lose data is refused, each difference by name", (t) => {
  const wanted: HiveTable = { ...WANTED, columns: [{ name: "price", type: "decimal(12,2)" }], partitionedBy: [] };
  const { refusals } = planTable(wanted, ACTUAL);
  t.is(refusals.length, 3);
  for (const [i, part] of [
    "column id exists",
    "column price is decimal(10,2)",
    "partitioned by (day date)",
  ].entries()) {
    t.true(refusals[i]?.includes(part), refusals[i]);
  }
  t.is(planTable(WANTED, { ...ACTUAL, kind: "view" }).refusals.length, 1);
  t.is(planView({ name: "db.t", query: "select 1" }, ACTUAL).refusals.length, 1);
});

test("a view is replaced when its query or comment differs", (t) => {
  const actual: ActualTable = { ...ACTUAL, kind: "view", viewText: "select 1", comment: "" };
  t.deepEqual(planView({ name: "db.v", query: " select 1 " }, actual).statements, []);
  t.deepEqual(planView({ name: "db.v", query: "select 2", comment: "c" }, actual).statements, [
    "CREATE OR REPLACE VIEW `db`.`v` COMMENT 'c' AS select 2",
  ]);
});
