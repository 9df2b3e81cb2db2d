import test from "ava";
import { openDatabase } from "../../src/metadata/database.ts";
import { checkDatabase } from "../../src/metadata/database-check.ts";
import {
  CONTRACT,
  checkIdentity,
  declareRestored,
  InstallationWatch,
  readInstallation,
} from "../../src/metadata/installation.ts";
import { migrate } from "../../src/metadata/migrate.ts";
import { heartbeat } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { worker } from "./fixtures.ts";

const NO_KEYS = { active: null, find: () => undefined };

test("a copy of a database starts an epoch of its own: sessions of before are over, once", async (t) => {
  const db = await testDatabase(t);
  // The database of a test is itself a copy of the template.
  const before = (await readInstallation(db)).epoch;
  const old = await worker(db);
  t.regex((await migrate(db)).warning ?? "", /copy, or restored from a backup/);
  t.is((await readInstallation(db)).epoch, before + 1);
  await t.throwsAsync(heartbeat(db, old), { code: "WORKER_ENDED" });
  const fresh = await worker(db);
  t.is((await migrate(db)).warning, null);
  await t.notThrowsAsync(heartbeat(db, fresh));
  const audit = await db.query("select action, details from audit_log");
  t.like(audit.rows[0], { action: "database.restored" });
});

test("a server restored to a point in time is told from one that only started again", async (t) => {
  const db = await testDatabase(t);
  await checkIdentity(db);
  t.is(await checkIdentity(db), null);
  await db.query("update setting set value = jsonb_set(value, '{timeline}', '0') where key = 'identity'");
  t.regex((await checkIdentity(db)) ?? "", /point in time/);
});

test("processes that see the database go back in time start one epoch, and all of them say so", async (t) => {
  const db = await testDatabase(t);
  await checkIdentity(db);
  const warnings: string[] = [];
  // As after a snapshot of the disk was put back: fewer transactions than these two have seen.
  let isPast = false;
  const TRANSACTIONS = "pg_snapshot_xmax(pg_current_snapshot())::text::float8";
  const query: typeof db.query = (text, values) =>
    db.query(isPast ? text.replace(TRANSACTIONS, "1::float8") : text, values);
  const watches = [1, 2].map(
    () => new InstallationWatch({ query }, { warn: (text) => warnings.push(text), onNewer: () => {} }),
  );
  for (const watch of watches) await watch.look();
  t.deepEqual(warnings, []);
  const { epoch } = await readInstallation(db);
  isPast = true;
  for (let round = 0; round < 2; round++) for (const watch of watches) await watch.look();
  t.is((await readInstallation(db)).epoch, epoch + 1);
  t.is(warnings.length, 2);
  t.regex(warnings[0] ?? "", /it went back in time/);
  t.regex(warnings[1] ?? "", /another process has found out/);
  await declareRestored(db);
  t.is((await readInstallation(db)).epoch, epoch + 2);
});

test("a running process ends in peace when the contract is newer, and goes on when it is not", async (t) => {
  const db = await testDatabase(t);
  await checkIdentity(db);
  const refusals: string[] = [];
  const watch = new InstallationWatch(db, { warn: () => {}, onNewer: (error) => refusals.push(error.code) });
  await watch.look();
  t.deepEqual(refusals, []);
  await db.query(
    "insert into schema_migration (name, batch, migration_time) values ('9999_adds_a_column.sql', 9, now())",
  );
  await watch.look();
  t.deepEqual(refusals, []);
  await db.query("update setting set value = to_jsonb($1::integer) where key = 'contract'", [CONTRACT + 1]);
  await watch.look();
  await watch.look();
  t.deepEqual(refusals, ["SCHEMA_NEWER"]);
});

test("an old process that starts again does not put its own functions over those of a newer qflow", async (t) => {
  const db = await testDatabase(t);
  await db.query("update setting set value = '\"f00\"' where key = 'functions'");
  await db.query("update setting set value = '\"99.0.0\"' where key = 'functions_version'");
  await t.throwsAsync(migrate(db), { code: "SCHEMA_NEWER", message: /99\.0\.0/ });
  await db.query("update setting set value = '\"0.0.1\"' where key = 'functions_version'");
  t.deepEqual((await migrate(db)).applied, ["functions"]);
});

test("a contract that is newer is refused at the start", async (t) => {
  const db = await testDatabase(t);
  await db.query("update setting set value = to_jsonb($1::integer) where key = 'contract'", [CONTRACT + 1]);
  await t.throwsAsync(migrate(db), { code: "SCHEMA_NEWER" });
});

test("a statement that takes too long, and one that waits too long for a lock, are ended by the server", async (t) => {
  const db = await testDatabase(t);
  const limited = openDatabase(db.url, { max: 2, applicationName: "limited", statementMs: 3_000, lockMs: 50 });
  t.teardown(() => limited.close());
  await t.throwsAsync(limited.query("select pg_sleep(600)"), { message: /statement timeout/ });
  await db.transaction(async (sql) => {
    await sql.query("select from setting where key = 'epoch' for update");
    await t.throwsAsync(limited.query("update setting set value = value where key = 'epoch'"), {
      message: /lock timeout/,
    });
  });
  // A migrator has all the time it needs, on the same connections.
  await t.notThrowsAsync(migrate(limited));
  const left = await limited.query<{ ms: string }>("select current_setting('statement_timeout') as ms");
  t.is(left.rows[0]?.ms, "3s");
});

test("db check finds nothing on a fresh database, and names what is wrong", async (t) => {
  const db = await testDatabase(t);
  const fine = await checkDatabase(db, NO_KEYS);
  // The server of tests trades safety for speed.
  const expected = new Set(["durability", "vacuum"]);
  t.deepEqual(
    fine.filter(({ check, verdict }) => verdict !== "ok" && !expected.has(check)),
    [],
  );
  t.regex(fine.find(({ check }) => check === "durability")?.detail ?? "", /fsync is off/);
  await db.query("alter table task_instance reset (autovacuum_vacuum_scale_factor)");
  await db.query("insert into connection (connection_id, kind, sealed, key_id) values ('a', 'x', '\\x01', 'gone')");
  await db.query(
    "insert into task_event (at, task_instance_id, dag_run_id, from_state, to_state) values ('2001-01-01', 1, 1, 'none', 'queued')",
  );
  const found = new Map((await checkDatabase(db, NO_KEYS)).map((f) => [f.check, f]));
  t.like(found.get("keys"), {
    verdict: "broken",
    detail: "1 are sealed with key gone, which this machine does not have",
  });
  t.regex(found.get("vacuum")?.detail ?? "", /task_instance has lost its autovacuum settings/);
  t.is(found.get("default partitions")?.verdict, "warning");
  await db.query("delete from schema_migration where name = '0001_core.sql'");
  t.deepEqual(
    (await checkDatabase(db, NO_KEYS)).map(({ check, verdict }) => [check, verdict]),
    [["schema", "broken"]],
  );
});
