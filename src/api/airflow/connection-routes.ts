/** `/api/v2/connections`: Airflow's, for admins; what is secret goes in and never comes out. */
import { z } from "zod";
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import {
  CONNECTION_ORDER,
  type ConnectionDraft,
  connectionForTasks,
  deleteConnection,
  getConnection,
  listConnections,
  type StoredConnection,
  writeConnection,
} from "../../metadata/connections.ts";
import type { Sql } from "../../metadata/database.ts";
import { type Keyring, openKeyring, openOrCreateKeyring, type SecretKey } from "../../metadata/secrets/keyring.ts";
import { isSecretName } from "../../metadata/secrets/names.ts";
import { testConnection } from "../../operators/connection-test.ts";
import {
  bulkConnections,
  bulkResponse,
  type ConnectionBody,
  type ConnectionShape,
  connection,
  connectionBody,
  connectionCollection,
  connectionTest,
} from "../contract.ts";
import { route } from "../route.ts";
import { type BulkWork, runBulk } from "./bulk.ts";
import { many, sliceOf, slicing } from "./list-query.ts";

/** What stands for a secret, in answers and in changes that leave it. */
const HIDDEN = "***";

function shape(row: StoredConnection): ConnectionShape {
  const { secret } = row;
  const extra = Object.entries(secret?.extra ?? {}).map(([name, value]) => [name, isSecretName(name) ? HIDDEN : value]);
  return {
    connection_id: row.id,
    conn_type: row.kind,
    description: row.description,
    host: row.host || null,
    login: row.login || null,
    schema: row.path.replace(/^\//, "") || null,
    port: row.port || null,
    password: secret === null || secret.password !== "" ? HIDDEN : null,
    extra: extra.length === 0 ? null : JSON.stringify(Object.fromEntries(extra)),
    team_name: null,
  };
}

/** A body laid over what is there; a body of a new connection over nothing. */
function draftOf(body: ConnectionBody, fields: ReadonlySet<string>, present: StoredConnection | null): ConnectionDraft {
  const given = <K extends keyof ConnectionBody>(name: K) => (fields.has(name) ? (body[name] ?? null) : undefined);
  const text = (value: string | null | undefined, otherwise: string | undefined) =>
    value === undefined ? (otherwise ?? "") : (value ?? "");
  const schema = given("schema");
  const password = given("password");
  return {
    id: body.connection_id,
    kind: given("conn_type") ?? present?.kind ?? body.conn_type,
    host: text(given("host"), present?.host),
    port: given("port") === undefined ? (present?.port ?? 0) : (given("port") ?? 0),
    login: text(given("login"), present?.login),
    path: schema === undefined ? (present?.path ?? "") : schema ? `/${schema.replace(/^\//, "")}` : "",
    description: given("description") === undefined ? (present?.description ?? null) : (given("description") ?? null),
    password: text(password === HIDDEN ? undefined : password, present?.secret?.password),
    extra: extraOf(given("extra"), present?.secret?.extra ?? {}),
  };
}

function extraOf(
  given: string | null | undefined,
  present: Readonly<Record<string, Json>>,
): Readonly<Record<string, Json>> {
  if (given === undefined) return present;
  const entries = Object.entries(JSON.parse(given || "{}") as Record<string, Json>);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value === HIDDEN ? (present[name] ?? value) : value]),
  );
}

const READ_ONLY = new Set(["connection_id", "team_name"]);

/** Fields of a change: those of the mask, else those in the body. Throws REQUEST_INVALID. */
function changedFields(body: ConnectionBody, mask: readonly string[] | null): Set<string> {
  const known = new Set(Object.keys(connectionBody.shape));
  const unknown = mask?.find((name) => !known.has(name));
  if (unknown) throw new QflowError("REQUEST_INVALID", `update_mask: a connection has no field ${unknown}`);
  return new Set((mask ?? Object.keys(body)).filter((name) => !READ_ONLY.has(name)));
}

function workWith(keyring: Keyring & { readonly active: SecretKey }): BulkWork<ConnectionBody> {
  return {
    keyOf: (body) => body.connection_id,
    create: (sql, body, mode) =>
      writeConnection(sql, keyring.active, draftOf(body, new Set(Object.keys(body)), null), mode),
    update: async (sql, body, mask) => {
      const fields = changedFields(body, mask);
      const present = await getConnection(sql, keyring, body.connection_id, "change");
      // What does not open cannot be kept in part: it has to be given again.
      if (present.secret === null && !(fields.has("password") && fields.has("extra"))) connectionForTasks(present);
      await writeConnection(sql, keyring.active, draftOf(body, fields, present), "replace");
    },
    remove: deleteConnection,
  };
}

const list = route({
  method: "get",
  path: "/api/v2/connections",
  guard: "admin",
  summary: "Connections of the database; those of QFLOW_CONN_ settings are the workers' own.",
  query: z.object({ ...slicing(CONNECTION_ORDER), connection_id_pattern: z.string().optional() }),
  response: connectionCollection,
  handle: async ({ api, query }) => {
    const pattern = query.connection_id_pattern ?? null;
    const page = await listConnections(api.database, await openKeyring(api.config), { pattern, slice: sliceOf(query) });
    return { connections: page.rows.map(shape), total_entries: page.total };
  },
});

const one = route({
  method: "get",
  path: "/api/v2/connections/:connection_id",
  guard: "admin",
  summary: "One connection, its password hidden.",
  response: connection,
  handle: async ({ api, params }) =>
    shape(await getConnection(api.database, await openKeyring(api.config), params.connection_id)),
});

const create = route({
  method: "post",
  path: "/api/v2/connections",
  guard: "admin",
  summary: "Makes a connection.",
  body: connectionBody,
  response: connection,
  status: 201,
  handle: async ({ api, body, mutate }) => {
    const keyring = await openOrCreateKeyring(api.config);
    await mutate({ action: "connection.create", details: { connection_id: body.connection_id } }, (sql) =>
      workWith(keyring).create(sql, body, "create"),
    );
    return shape(await getConnection(api.database, keyring, body.connection_id));
  },
});

const change = route({
  method: "patch",
  path: "/api/v2/connections/:connection_id",
  guard: "admin",
  summary: "Changes a connection: the fields of update_mask, else those given.",
  query: z.object({ update_mask: many.optional() }),
  body: connectionBody,
  response: connection,
  handle: async ({ api, params, query, body, mutate }) => {
    const id = params.connection_id;
    if (body.connection_id !== id) {
      throw new QflowError("USAGE", "The connection_id in the request body does not match the URL parameter");
    }
    const keyring = await openOrCreateKeyring(api.config);
    await mutate({ action: "connection.update", details: { connection_id: id } }, (sql) =>
      workWith(keyring).update(sql, body, query.update_mask ?? null),
    );
    return shape(await getConnection(api.database, keyring, id));
  },
});

const remove = route({
  method: "delete",
  path: "/api/v2/connections/:connection_id",
  guard: "admin",
  summary: "Removes a connection.",
  status: 204,
  handle: async ({ params, mutate, raw }) => {
    const id = params.connection_id;
    await mutate({ action: "connection.delete", details: { connection_id: id } }, (sql) => deleteConnection(sql, id));
    raw.response.status(204).end();
  },
});

const bulk = route({
  method: "patch",
  path: "/api/v2/connections",
  guard: "admin",
  summary: "Many connections at once; each change may fail alone.",
  body: bulkConnections,
  response: bulkResponse,
  handle: async ({ api, body, mutate }) => {
    const work = workWith(await openOrCreateKeyring(api.config));
    const ids = body.actions.flatMap(({ entities }) =>
      entities.map((entity) => (typeof entity === "string" ? entity : entity.connection_id)),
    );
    return mutate({ action: "connection.bulk", details: { connection_ids: ids } }, (sql) =>
      runBulk(sql, body.actions, work),
    );
  },
});

const tryOut = route({
  method: "post",
  path: "/api/v2/connections/test",
  guard: "admin",
  summary: "Connects with what is given, without keeping it; of a kept connection, *** stands for its own secrets.",
  body: connectionBody,
  response: connectionTest,
  handle: async ({ api, body, mutate }) => {
    const keyring = await openKeyring(api.config);
    const draft = draftOf(body, new Set(Object.keys(body)), await presentOrNull(api.database, keyring, body));
    const { password, extra, ...plain } = draft;
    await mutate({ action: "connection.test", details: { connection_id: body.connection_id } }, async () => {});
    const { ok, message } = await testConnection(connectionForTasks({ ...plain, secret: { password, extra } }));
    return { status: ok, message };
  },
});

/** Secrets of a kept connection go only where it points itself. */
async function presentOrNull(sql: Sql, keyring: Keyring, body: ConnectionBody): Promise<StoredConnection | null> {
  if (body.password !== HIDDEN && !body.extra?.includes(HIDDEN)) return null;
  const present = await getConnection(sql, keyring, body.connection_id);
  const same =
    (body.host ?? "") === present.host && (body.port ?? 0) === present.port && body.conn_type === present.kind;
  if (!same) throw new QflowError("USAGE", "the address is another one: give the password, too");
  return present;
}

/** In order of matching. */
export const connectionRoutes = [list, tryOut, one, create, bulk, change, remove];
