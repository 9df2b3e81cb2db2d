/** `/api/v2/variables`: Airflow's, for admins; values of secret ones are never answered. */
import { z } from "zod";
import { QflowError } from "../../errors.ts";
import { type Keyring, openKeyring, openOrCreateKeyring, type SecretKey } from "../../metadata/secrets/keyring.ts";
import { isSecretName, secretsInside } from "../../metadata/secrets/names.ts";
import {
  deleteVariable,
  getVariable,
  listVariables,
  type StoredVariable,
  VARIABLE_ORDER,
  writeVariable,
} from "../../metadata/variables.ts";
import {
  bulkResponse,
  bulkVariables,
  type VariableBody,
  type VariableShape,
  variable,
  variableBody,
  variableCollection,
} from "../contract.ts";
import { route } from "../route.ts";
import { type BulkWork, runBulk } from "./bulk.ts";
import { many, sliceOf, slicing } from "./list-query.ts";

const HIDDEN = "***";

function shape(row: StoredVariable): VariableShape {
  const hidden = row.value === null || row.secret ? HIDDEN : withoutSecrets(row.value);
  return { key: row.key, value: hidden, description: row.description, is_encrypted: true, team_name: null };
}

/** A JSON value whose fields are named like secrets keeps the others. */
function withoutSecrets(value: string): string {
  return secretsInside(value).reduce(
    (text, secret) => (secret === "" ? text : text.replaceAll(JSON.stringify(secret), JSON.stringify(HIDDEN))),
    value,
  );
}

function textOf(value: VariableBody["value"]): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const FIELDS = new Set(Object.keys(variableBody.shape));

function workWith(keyring: Keyring & { readonly active: SecretKey }): BulkWork<VariableBody> {
  return {
    keyOf: (body) => body.key,
    create: (sql, { key, value, description }, mode) =>
      writeVariable(
        sql,
        keyring.active,
        { key, value: textOf(value), description: description ?? null, secret: isSecretName(key) },
        mode,
      ),
    update: async (sql, body, mask) => {
      const unknown = mask?.find((name) => !FIELDS.has(name));
      if (unknown) throw new QflowError("REQUEST_INVALID", `update_mask: a variable has no field ${unknown}`);
      const present = await getVariable(sql, keyring, body.key, "change");
      const fields = new Set(mask ?? Object.keys(body));
      const value = fields.has("value") && body.value !== HIDDEN ? textOf(body.value) : present.value;
      if (value === null) {
        throw new QflowError(
          "SECRET_UNREADABLE",
          `variable ${body.key} does not open with the keys of this installation`,
        );
      }
      const description = fields.has("description") ? (body.description ?? null) : present.description;
      await writeVariable(
        sql,
        keyring.active,
        { key: body.key, value, description, secret: present.secret },
        "replace",
      );
    },
    remove: deleteVariable,
  };
}

const list = route({
  method: "get",
  path: "/api/v2/variables",
  guard: "admin",
  summary: "Variables of the database.",
  query: z.object({ ...slicing(VARIABLE_ORDER), variable_key_pattern: z.string().optional() }),
  response: variableCollection,
  handle: async ({ api, query }) => {
    const pattern = query.variable_key_pattern ?? null;
    const page = await listVariables(api.database, await openKeyring(api.config), { pattern, slice: sliceOf(query) });
    return { variables: page.rows.map(shape), total_entries: page.total };
  },
});

const one = route({
  method: "get",
  path: "/api/v2/variables/:variable_key",
  guard: "admin",
  summary: "One variable.",
  response: variable,
  handle: async ({ api, params }) =>
    shape(await getVariable(api.database, await openKeyring(api.config), params.variable_key)),
});

const create = route({
  method: "post",
  path: "/api/v2/variables",
  guard: "admin",
  summary: "Makes a variable.",
  body: variableBody,
  response: variable,
  status: 201,
  handle: async ({ api, body, mutate }) => {
    const keyring = await openOrCreateKeyring(api.config);
    await mutate({ action: "variable.create", details: { key: body.key } }, (sql) =>
      workWith(keyring).create(sql, body, "create"),
    );
    return shape(await getVariable(api.database, keyring, body.key));
  },
});

const change = route({
  method: "patch",
  path: "/api/v2/variables/:variable_key",
  guard: "admin",
  summary: "Changes a variable: the fields of update_mask, else those given.",
  query: z.object({ update_mask: many.optional() }),
  body: variableBody,
  response: variable,
  handle: async ({ api, params, query, body, mutate }) => {
    const key = params.variable_key;
    if (body.key !== key)
      throw new QflowError("USAGE", "Invalid body, key from request body doesn't match uri parameter");
    const keyring = await openOrCreateKeyring(api.config);
    await mutate({ action: "variable.update", details: { key } }, (sql) =>
      workWith(keyring).update(sql, body, query.update_mask ?? null),
    );
    return shape(await getVariable(api.database, keyring, key));
  },
});

const remove = route({
  method: "delete",
  path: "/api/v2/variables/:variable_key",
  guard: "admin",
  summary: "Removes a variable.",
  status: 204,
  handle: async ({ params, mutate, raw }) => {
    const key = params.variable_key;
    await mutate({ action: "variable.delete", details: { key } }, (sql) => deleteVariable(sql, key));
    raw.response.status(204).end();
  },
});

const bulk = route({
  method: "patch",
  path: "/api/v2/variables",
  guard: "admin",
  summary: "Many variables at once; each change may fail alone.",
  body: bulkVariables,
  response: bulkResponse,
  handle: async ({ api, body, mutate }) => {
    const work = workWith(await openOrCreateKeyring(api.config));
    const keys = body.actions.flatMap(({ entities }) =>
      entities.map((entity) => (typeof entity === "string" ? entity : entity.key)),
    );
    return mutate({ action: "variable.bulk", details: { keys } }, (sql) => runBulk(sql, body.actions, work));
  },
});

/** In order of matching. */
export const variableRoutes = [list, one, create, bulk, change, remove];
