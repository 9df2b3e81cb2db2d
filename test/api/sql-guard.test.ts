import test from "ava";
import { requireReadOnly } from "../../src/api/query-engine.ts";

for (const sql of [
  "select 1",
  "  SELECT * from conformed.fact_sales where note = 'drop table x'",
  "with a as (select 1) select * from a",
  "-- what sells\n/* really */ select 1",
  "(select 1) union (select 2)",
  "show tables in conformed",
  "describe table extended conformed.fact_sales",
  "explain select 1",
  "values (1), (2)",
  "select transform(xs, x -> x + 1) from a join b using (id)",
]) {
  test(`asks: ${JSON.stringify(sql)}`, (t) => t.is(requireReadOnly(`${sql} ;\n`), sql));
}

for (const sql of [
  "",
  "drop table conformed.fact_sales",
  "insert into x select 1",
  "with a as (select 1) insert into x select * from a",
  "from x insert overwrite table y select *",
  "set spark.sql.runSQLOnFiles=true",
  "/* select */ truncate table x",
  "add jar /tmp/x.jar",
  "cache table x",
  "select reflect('java.lang.System', 'exit', 1)",
  "select `java_method`('java.lang.Runtime', 'getRuntime')",
  "select r'\\', reflect('java.lang.System', 'exit')--'",
  "execute immediate 'drop table x'",
  "begin drop table x; end",
  "select transform(a) using 'cat /etc/passwd' as (line) from t",
  "select transform(a) using/**/'sh' from t left join u using (id)",
  "from t map a using 'sh' as b",
  '(from t reduce a using "sh" as b)',
  `select '\${env:HOME}'`,
]) {
  test(`refuses: ${JSON.stringify(sql)}`, (t) => {
    t.throws(() => requireReadOnly(sql), { code: "SQL_NOT_READ_ONLY" });
  });
}
