import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import {
  type ConnectionDraft,
  connectionForTasks,
  getConnection,
  listConnections,
  writeConnection,
} from "../../../src/metadata/connections.ts";
import { keyFile, openKeyring, openOrCreateKeyring, rewriteKeyFile } from "../../../src/metadata/secrets/keyring.ts";
import { keysInUse, reseal } from "../../../src/metadata/secrets/rotate.ts";
import { seal, unseal } from "../../../src/metadata/secrets/seal.ts";
import { readTaskSecrets } from "../../../src/metadata/secrets/task-secrets.ts";
import { getVariable, writeVariable } from "../../../src/metadata/variables.ts";
import { testDatabase } from "../../support/database.ts";

const ONE: ConnectionDraft = {
  id: "warehouse",
  kind: "postgres",
  host: "db.example",
  port: 5432,
  login: "loader",
  path: "/sales",
  description: null,
  password: "hunter2-hunter2",
  extra: { sslmode: "require", api_token: "t0ken-t0ken", nested: { a: 1 } },
};

async function newHome(t: ExecutionContext): Promise<{ home: string; secretKeys: string[] }> {
  const home = await mkdtemp(join(tmpdir(), "qflow-keys-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  return { home, secretKeys: [] };
}

test("the first use makes one key, readable by its owner alone, however many come first at once", async (t) => {
  const source = await newHome(t);
  t.is((await openKeyring(source)).active, null);
  const rings = await Promise.all(Array.from({ length: 8 }, () => openOrCreateKeyring(source)));
  t.is(new Set(rings.map(({ active }) => active.id)).size, 1);
  t.is((await stat(keyFile(source.home))).mode & 0o777, 0o600);
});

test("a sealed value opens for its own row only, and not when a byte of it was changed", async (t) => {
  const ring = await openOrCreateKeyring(await newHome(t));
  const sealed = seal(ring.active, ["variable", "a"], { x: "é" });
  t.deepEqual(unseal(ring, ["variable", "a"], sealed), { x: "é" });
  t.throws(() => unseal(ring, ["variable", "b"], sealed), { code: "SECRET_UNREADABLE" });
  for (const at of [0, 5, 20, sealed.sealed.length - 1]) {
    const bent = Buffer.from(sealed.sealed);
    bent[at] = (bent[at] ?? 0) ^ 1;
    t.throws(() => unseal(ring, ["variable", "a"], { ...sealed, sealed: bent }), { code: "SECRET_UNREADABLE" });
  }
  t.throws(() => unseal(ring, ["variable", "a"], { ...sealed, keyId: "other" }), { message: /key other/ });
});

test("a connection comes back as it was written, and nothing secret lies open in its row", async (t) => {
  const db = await testDatabase(t);
  const ring = await openOrCreateKeyring(await newHome(t));
  await writeConnection(db, ring.active, ONE, "create");
  await t.throwsAsync(writeConnection(db, ring.active, ONE, "create"), { code: "CONFLICT" });
  t.deepEqual(connectionForTasks(await getConnection(db, ring, "warehouse")), {
    id: "warehouse",
    kind: "postgres",
    host: "db.example",
    port: 5432,
    user: "loader",
    password: "hunter2-hunter2",
    path: "/sales",
    options: { sslmode: "require", api_token: "t0ken-t0ken", nested: '{"a":1}' },
  });
  const raw = await db.query<{ row: string }>("select c::text || encode(sealed, 'escape') as row from connection c");
  t.notRegex(raw.rows[0]?.row ?? "", /hunter2|t0ken|sslmode/);
});

test("a row whose host was changed behind qflow's back does not open: a password goes to no other address", async (t) => {
  const db = await testDatabase(t);
  const ring = await openOrCreateKeyring(await newHome(t));
  await writeConnection(db, ring.active, ONE, "put");
  await db.query("update connection set host = 'evil.example'");
  const stored = await getConnection(db, ring, "warehouse");
  t.is(stored.secret, null);
  t.throws(() => connectionForTasks(stored), { code: "SECRET_UNREADABLE" });
  const secrets = await readTaskSecrets(db, ring);
  t.deepEqual(secrets.unreadable, ["connection warehouse"]);
  t.deepEqual(secrets.connections, {});
});

test("every change moves the counter that claims answer with", async (t) => {
  const db = await testDatabase(t);
  const ring = await openOrCreateKeyring(await newHome(t));
  const before = (await readTaskSecrets(db, ring)).version;
  await writeVariable(db, ring.active, { key: "Region", value: "eu", description: null, secret: false }, "create");
  const after = await readTaskSecrets(db, ring);
  t.true(after.version > before);
  t.deepEqual(after.variables, { Region: "eu" });
  t.deepEqual(after.hidden, []);
  await db.query("delete from variable");
  t.true((await readTaskSecrets(db, ring)).version > after.version);
});

test("what a JSON variable or an option names as secret is hidden, and nothing else", async (t) => {
  const db = await testDatabase(t);
  const ring = await openOrCreateKeyring(await newHome(t));
  await writeConnection(db, ring.active, ONE, "put");
  const value = JSON.stringify({ url: "http://x", auth: { password: "in-json-secret" } });
  await writeVariable(db, ring.active, { key: "service", value, description: null, secret: false }, "put");
  await writeVariable(db, ring.active, { key: "pin", value: "pin-9876", description: null, secret: true }, "put");
  const { hidden } = await readTaskSecrets(db, ring);
  t.deepEqual([...hidden].sort(), ["hunter2-hunter2", "in-json-secret", "pin-9876", "t0ken-t0ken"]);
});

test("rotation seals everything under the new key; the old one can go, and what it sealed still opens until then", async (t) => {
  const db = await testDatabase(t);
  const source = await newHome(t);
  const old = await openOrCreateKeyring(source);
  await writeConnection(db, old.active, ONE, "put");
  await writeVariable(db, old.active, { key: "a", value: "1", description: null, secret: false }, "put");
  await rewriteKeyFile(source.home, { add: true });
  const ring = await openOrCreateKeyring(source);
  t.not(ring.active.id, old.active.id);
  t.is((await getVariable(db, ring, "a")).value, "1");
  t.deepEqual(await reseal(db, ring, ring.active), { resealed: 2, unreadable: [] });
  t.deepEqual([...(await keysInUse(db))], [ring.active.id]);
  await rewriteKeyFile(source.home, { keep: await keysInUse(db) });
  const last = await openKeyring(source);
  t.is(last.find(old.active.id), undefined);
  t.is((await getVariable(db, last, "a")).value, "1");
  t.is((await getVariable(db, old, "a")).value, null);
  t.is((await stat(keyFile(source.home))).mode & 0o777, 0o600);
});

test("keys of the environment come first, those of the file still open; anything else is refused by name", async (t) => {
  const source = await newHome(t);
  const file = await openOrCreateKeyring(source);
  const both = await openKeyring({ ...source, secretKeys: [Buffer.alloc(32, 7).toString("base64")] });
  t.not(both.active?.id, file.active.id);
  t.truthy(both.find(file.active.id));
  await t.throwsAsync(openKeyring({ ...source, secretKeys: ["short"] }), {
    code: "CONFIG_INVALID",
    message: /QFLOW_SECRET_KEYS/,
  });
  const text = await readFile(keyFile(source.home), "utf8");
  t.false(text.includes(file.active.id));
});

test("listings are pages in order, found by a part of the id", async (t) => {
  const db = await testDatabase(t);
  const ring = await openOrCreateKeyring(await newHome(t));
  for (const id of ["b_one", "a_one", "c_two"]) await writeConnection(db, ring.active, { ...ONE, id }, "put");
  const page = await listConnections(db, ring, {
    pattern: "one",
    slice: { limit: 1, offset: 0, orderBy: ["-connection_id"] },
  });
  t.is(page.total, 2);
  t.deepEqual(
    page.rows.map(({ id }) => id),
    ["b_one"],
  );
});
