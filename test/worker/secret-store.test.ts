import test from "ava";
import type { Connection } from "../../src/dag/operator.ts";
import { openOrCreateKeyring } from "../../src/metadata/secrets/keyring.ts";
import { createMasker } from "../../src/metadata/secrets/mask.ts";
import type { TaskSecrets } from "../../src/metadata/secrets/task-secrets.ts";
import { writeVariable } from "../../src/metadata/variables.ts";
import { SecretStore } from "../../src/worker/secret-store.ts";
import { attempts, bench, deploy, oneTask, runEnd, trigger, xcomOf } from "./support.ts";

function connection(id: string, password: string): Connection {
  return { id, kind: "x", host: "h", port: 1, user: "u", password, path: "", options: {} };
}

test("the environment wins, what is old is read again, and every password ever seen stays hidden", async (t) => {
  const masker = createMasker([]);
  const warnings: string[] = [];
  let stored: TaskSecrets = {
    version: 1,
    connections: { a: connection("a", "from-database"), b: connection("b", "b-password") },
    variables: { region: "us", other: "x" },
    hidden: ["from-database", "b-password"],
    unreadable: ["variable closed"],
  };
  let reads = 0;
  const store = new SecretStore({
    config: {
      connections: { a: connection("a", "from-environment") },
      variables: { region: "eu", api_token: "env-token" },
    },
    masker,
    read: async () => {
      reads++;
      return stored;
    },
    warn: (message) => warnings.push(message),
  });
  await store.refresh(1);
  await store.refresh(1);
  t.is(reads, 1);
  t.is(store.current.connections.a?.password, "from-environment");
  t.is(store.current.connections.b?.password, "b-password");
  t.deepEqual(store.current.variables, { region: "eu", other: "x", api_token: "env-token" });
  stored = {
    ...stored,
    version: 2,
    connections: { b: connection("b", "rotated-password") },
    hidden: ["rotated-password"],
  };
  await store.refresh(2);
  t.is(reads, 2);
  t.is(store.current.connections.b?.password, "rotated-password");
  t.is(masker.mask("from-environment b-password rotated-password env-token"), "*** *** *** ***");
  t.deepEqual(warnings, ["variable closed does not open with the keys of this machine"]);
});

test("an attempt that is claimed after a change sees it; a sealed value without its key fails by name", async (t) => {
  const { db, home } = await bench(t);
  const { active } = await openOrCreateKeyring({ home, secretKeys: [] });
  const set = (key: string, value: string) =>
    writeVariable(db, active, { key, value, description: null, secret: false }, "put");
  await deploy(db, oneTask("reads", 'return ctx.variable(ctx.params.key ?? "Region");'));
  await deploy(db, oneTask("closed", 'return ctx.variable("closed");'));
  await set("Region", "first");
  await set("closed", "x");
  const first = await trigger(db, "reads");
  t.is((await runEnd(db, first)).state, "success");
  t.is(await xcomOf(db, first), "first");
  await set("Region", "second");
  await db.query("update variable set key_id = 'elsewhere' where key = 'closed'");
  const second = await trigger(db, "reads");
  t.is((await runEnd(db, second)).state, "success");
  t.is(await xcomOf(db, second), "second");
  const closed = await trigger(db, "closed");
  t.is((await runEnd(db, closed)).state, "failed");
  t.is((await attempts(db, closed))[0]?.error?.code, "SECRET_UNREADABLE");
});
