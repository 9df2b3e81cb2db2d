import test from "ava";
import { testDatabase } from "../support/database.ts";

test("each test gets a database of its own", async (t) => {
  const [one, two] = await Promise.all([testDatabase(t), testDatabase(t)]);
  await one.query("create table mine (id int)");
  const other = await two.query("select to_regclass('mine') as found");
  t.is(other.rows[0]?.found, null);
});
