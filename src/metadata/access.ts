/** Users, one-time login links, sessions and API tokens. Only hashes of secrets are stored. */
import { createHash, randomBytes } from "node:crypto";
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";

/** What somebody may do: look; also run things; also administer and see personal data. Each includes the one before. */
export const ACCESS_ROLES = ["viewer", "user", "admin"] as const;
/** One of {@link ACCESS_ROLES}. */
export type AccessRole = (typeof ACCESS_ROLES)[number];

/** Somebody who proved who they are. */
export interface Principal {
  readonly name: string;
  readonly role: AccessRole;
  /** How: a browser's session cookie, a token, or the token of qflow's own Spark jobs. */
  readonly via: "session" | "token" | "machine";
}

const LINK_MINUTES = 15;
const SESSION_DAYS = 7;
const TOKEN_PREFIX = "qflow_";
/** Of a token `k`: whether it opens anything. */
const GOOD_TOKEN = "k.revoked_at is null and (k.expires_at is null or k.expires_at > now())";

/** Makes a user, or gives an existing one another role. */
export async function createUser(sql: Sql, name: string, role: AccessRole): Promise<void> {
  if (!/^[A-Za-z0-9._@-]{1,100}$/.test(name)) {
    throw new QflowError("USAGE", `user name "${name}": use letters, digits and . _ @ -, at most 100`);
  }
  await sql.query(
    "insert into access_user (name, role) values ($1, $2) on conflict (name) do update set role = excluded.role",
    [name, role],
  );
}

/** A person, and how many tokens of theirs are good. */
export interface UserRow {
  readonly name: string;
  readonly role: AccessRole;
  readonly created_at: Date;
  readonly tokens: number;
}

/** All people, by name. */
export async function listUsers(sql: Sql): Promise<UserRow[]> {
  const found = await sql.query<UserRow>(
    `select u.name, u.role, u.created_at, count(k.token_id)::integer as tokens
     from access_user u left join access_token k on k.user_name = u.name and ${GOOD_TOKEN}
     group by u.name order by u.name`,
  );
  return found.rows;
}

/** Removes a person; their sessions, links and tokens end with them. Throws NOT_FOUND. */
export async function deleteUser(sql: Sql, name: string): Promise<void> {
  const done = await sql.query("delete from access_user where name = $1", [name]);
  if (done.rowCount === 0) throw new QflowError("NOT_FOUND", `there is no user "${name}"`);
}

/**
 * Makes a link that logs in `user` once, within 15 minutes; `admin` is made when it is not there yet.
 * `baseUrl` is where the API listens, e.g. `http://127.0.0.1:8080`. Throws NOT_FOUND for another unknown user.
 */
export async function createLoginLink(db: Database, baseUrl: string, user = "admin"): Promise<string> {
  const secret = newSecret();
  await db.transaction(async (sql) => {
    if (user === "admin") {
      await sql.query("insert into access_user (name, role) values ('admin', 'admin') on conflict (name) do nothing");
    }
    await sql.query("delete from access_login_link where expires_at < now() - interval '1 day'");
    const made = await sql.query(
      `insert into access_login_link (secret_hash, user_name, expires_at)
       select $1, name, now() + make_interval(mins => $3) from access_user where name = $2`,
      [hash(secret), user, LINK_MINUTES],
    );
    if (made.rowCount === 0) throw new QflowError("NOT_FOUND", `there is no user "${user}"`);
  });
  return `${new URL("/login", baseUrl).href}?token=${secret}`;
}

/** Turns the secret of a login link into a session. Throws LOGIN_LINK_INVALID when it is unknown, used or too old. */
export async function redeemLoginLink(
  db: Database,
  secret: string,
): Promise<{ session: string; maxAgeSeconds: number }> {
  const session = newSecret();
  await db.transaction(async (sql) => {
    const used = await sql.query<{ user_name: string }>(
      "update access_login_link set used_at = now() where secret_hash = $1 and used_at is null and expires_at > now() returning user_name",
      [hash(secret)],
    );
    const link = used.rows[0];
    if (!link) throw new QflowError("LOGIN_LINK_INVALID", "this login link is unknown, was used before, or is too old");
    await sql.query("delete from access_session where expires_at < now()");
    await sql.query(
      "insert into access_session (secret_hash, user_name, expires_at) values ($1, $2, now() + make_interval(days => $3))",
      [hash(session), link.user_name, SESSION_DAYS],
    );
  });
  return { session, maxAgeSeconds: SESSION_DAYS * 86_400 };
}

/** Whose session this is, or null. */
export async function findSession(sql: Sql, secret: string): Promise<Principal | null> {
  const found = await sql.query<{ name: string; role: AccessRole }>(
    `select u.name, u.role from access_session s join access_user u on u.name = s.user_name
     where s.secret_hash = $1 and s.expires_at > now()`,
    [hash(secret)],
  );
  return found.rows[0] ? { ...found.rows[0], via: "session" } : null;
}

/** Ends a session; unknown ones are ignored. */
export async function endSession(sql: Sql, secret: string): Promise<void> {
  await sql.query("delete from access_session where secret_hash = $1", [hash(secret)]);
}

/** What {@link createToken} needs. */
export interface TokenRequest {
  /** What it is for, as shown in lists. */
  readonly name: string;
  readonly user: string;
  /** Days until it ends; null = never. */
  readonly days: number | null;
}

/** Makes an API token that acts as `user`; the token itself is shown only here. Throws NOT_FOUND for an unknown user. */
export async function createToken(sql: Sql, request: TokenRequest): Promise<{ id: number; token: string }> {
  const token = TOKEN_PREFIX + newSecret();
  const made = await sql.query<{ token_id: string }>(
    `insert into access_token (secret_hash, name, user_name, expires_at)
     select $1, $2, name, now() + make_interval(days => $4) from access_user where name = $3 returning token_id`,
    [hash(token), request.name, request.user, request.days],
  );
  const row = made.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `there is no user "${request.user}"`);
  return { id: Number(row.token_id), token };
}

/** A token without its secret. */
export interface TokenRow {
  readonly token_id: number;
  readonly name: string;
  readonly user_name: string;
  readonly created_at: Date;
  /** null = never. */
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

/** All tokens, the newest first. */
export async function listTokens(sql: Sql): Promise<TokenRow[]> {
  const found = await sql.query<TokenRow>(
    `select token_id::float8, name, user_name, created_at, expires_at, revoked_at
     from access_token order by token_id desc`,
  );
  return found.rows;
}

/** Ends a token at once. Throws NOT_FOUND. */
export async function revokeToken(sql: Sql, id: number): Promise<void> {
  const done = await sql.query("update access_token set revoked_at = coalesce(revoked_at, now()) where token_id = $1", [
    id,
  ]);
  if (done.rowCount === 0) throw new QflowError("NOT_FOUND", `there is no token ${id}`);
}

/** Whom an API token acts as, or null. */
export async function findToken(sql: Sql, token: string): Promise<Principal | null> {
  if (!token.startsWith(TOKEN_PREFIX)) return null;
  const found = await sql.query<{ name: string; role: AccessRole }>(
    `select u.name, u.role from access_token k join access_user u on u.name = k.user_name
     where k.secret_hash = $1 and ${GOOD_TOKEN}`,
    [hash(token)],
  );
  return found.rows[0] ? { ...found.rows[0], via: "token" } : null;
}

/** One mutating call. */
export interface AuditEntry {
  readonly actor: string;
  /** Verb and thing, e.g. `dag.pause`. */
  readonly action: string;
  readonly dagId?: string;
  readonly runId?: string;
  readonly taskId?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Code of the error where the call failed and changed nothing. */
  readonly error?: string;
}

/** Records a mutating call; `sql` is the transaction of the change. */
export async function writeAudit(sql: Sql, entry: AuditEntry): Promise<void> {
  await sql.query(
    "insert into audit_log (actor, action, dag_id, run_id, task_id, details, error) values ($1, $2, $3, $4, $5, $6, $7)",
    [
      entry.actor,
      entry.action,
      entry.dagId ?? null,
      entry.runId ?? null,
      entry.taskId ?? null,
      entry.details ? JSON.stringify(entry.details) : null,
      entry.error ?? null,
    ],
  );
}

function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

function hash(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
