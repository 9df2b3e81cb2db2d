import test from "ava";
import { findToken } from "../../src/metadata/access.ts";
import { commandLine } from "./command.ts";

test("people and tokens are made, listed and ended by command, and each change is audited", async (t) => {
  const { db, qflow } = await commandLine(t);
  const listed = async (of: string) => JSON.parse((await qflow(of, "list", "-o", "json")).stdout);
  t.deepEqual(await listed("tokens"), []);

  const made = await qflow("users", "create", "anna", "--role", "user");
  t.is(made.code, 0, made.stderr);
  const token = JSON.parse((await qflow("tokens", "create", "ci", "--user", "anna", "-o", "json")).stdout);
  t.like(await findToken(db, token.token), { name: "anna", role: "user" });
  t.like((await listed("users"))[0], { name: "anna", role: "user", tokens: 1 });
  const [row] = await listed("tokens");
  t.like(row, { token_id: token.id, name: "ci", user_name: "anna", revoked_at: null });
  t.false(JSON.stringify(row).includes(token.token));

  t.is((await qflow("tokens", "revoke", String(token.id))).code, 0);
  t.is(await findToken(db, token.token), null);
  t.like((await listed("users"))[0], { tokens: 0 });
  const second = JSON.parse((await qflow("tokens", "create", "cd", "--user", "anna", "-o", "json")).stdout);
  t.is((await qflow("users", "delete", "anna")).code, 0);
  t.is(await findToken(db, second.token), null);
  t.deepEqual(await listed("users"), []);

  const audit = await db.query("select action from audit_log where actor = 'cli' order by audit_id");
  t.deepEqual(
    audit.rows.map(({ action }) => action),
    ["user.create", "token.create", "token.revoke", "token.create", "user.delete"],
  );
});

test("what is unknown is told", async (t) => {
  const { db, qflow } = await commandLine(t);
  const role = await qflow("users", "create", "anna", "--role", "boss");
  t.is(role.code, 2);
  t.regex(role.stderr, /viewer, user, admin/);
  for (const args of [
    ["users", "delete", "nobody"],
    ["tokens", "revoke", "7"],
    ["tokens", "create", "x", "--user", "nobody"],
  ]) {
    const { code, stderr } = await qflow(...args);
    t.is(code, 1);
    t.regex(stderr, /NOT_FOUND/);
  }
  t.is((await qflow("tokens", "revoke", "x")).code, 2);
  t.is((await db.query("select from audit_log where error = 'NOT_FOUND'")).rowCount, 3);
});
