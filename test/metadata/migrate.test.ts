import test from "ava";
import { checkSchema, LOCK_KEY, migrate } from "../../src/metadata/migrate.ts";
import { testDatabase } from "../support/database.ts";

test("a migrated database has nothing left to apply, however many ask", async (t) => {
  const db = await testDatabase(t);
  const reports = await Promise.all([migrate(db), migrate(db), migrate(db)]);
  t.deepEqual(
    reports.flatMap((report) => report.applied),
    [],
  );
  await t.notThrowsAsync(checkSchema(db));
});

test("who migrates waits for another one who does, however long that takes", async (t) => {
  const db = await testDatabase(t);
  const second = await db.transaction(async (sql) => {
    await sql.query("select pg_advisory_xact_lock($1)", [LOCK_KEY]);
    let isOver = false;
    const migrating = migrate(db).finally(() => {
      isOver = true;
    });
    const waiting = `select from pg_locks l join pg_database d on d.oid = l.database
      where d.datname = current_database() and l.locktype = 'advisory' and l.objid = $1 and not l.granted`;
    while (!isOver && (await sql.query(waiting, [LOCK_KEY])).rowCount === 0);
    t.false(isOver);
    return { migrating };
  });
  await t.notThrowsAsync(second.migrating);
});

test("a database of a newer qflow is refused and left alone", async (t) => {
  const db = await testDatabase(t);
  await db.query("insert into schema_migration (name, batch, migration_time) values ('9999_future.sql', 9, now())");
  await t.throwsAsync(migrate(db), { code: "SCHEMA_NEWER" });
  await t.throwsAsync(checkSchema(db), { code: "SCHEMA_NEWER" });
});

test("a process that must not migrate says what is missing", async (t) => {
  const db = await testDatabase(t);
  await db.query("delete from schema_migration where name = '0001_core.sql'");
  await t.throwsAsync(checkSchema(db), { code: "SCHEMA_OLDER", message: /0001_core\.sql/ });
});

test("changed functions are put in anew, and an old call of the same name goes on working", async (t) => {
  const db = await testDatabase(t);
  await db.query("update setting set value = '\"other\"' where key = 'functions'");
  await db.query("create function left_over() returns integer language sql as 'select 1'");
  await t.throwsAsync(checkSchema(db), { code: "SCHEMA_OLDER", message: /functions/ });
  t.deepEqual((await migrate(db)).applied, ["functions"]);
  await t.notThrowsAsync(checkSchema(db));
  await t.throwsAsync(db.query("select left_over()"), { message: /does not exist/ });
  await t.notThrowsAsync(db.query("select start_runs('nothing')"));
});
