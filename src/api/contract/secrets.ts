/** Connections and variables, as Airflow 3 shapes them. Passwords are never answered. */
import { z } from "zod";

/** A connection as it is answered; `***` stands for what is secret. */
export const connection = z
  .object({
    connection_id: z.string(),
    conn_type: z.string(),
    description: z.string().nullable(),
    host: z.string().nullable(),
    login: z.string().nullable(),
    schema: z.string().nullable(),
    port: z.number().nullable(),
    password: z.string().nullable(),
    /** A JSON object as text. */
    extra: z.string().nullable(),
    team_name: z.string().nullable(),
  })
  .meta({ id: "Connection" });

export const connectionCollection = z
  .object({ connections: z.array(connection), total_entries: z.number() })
  .meta({ id: "ConnectionCollection" });

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** Body of a connection. In a change, `***` as password, or as a value of extra, leaves what is there. */
export const connectionBody = z
  .strictObject({
    connection_id: z
      .string()
      .max(200)
      .regex(/^[\w.-]+$/),
    conn_type: z.string().min(1),
    description: z.string().nullish(),
    host: z.string().nullish(),
    login: z.string().nullish(),
    schema: z.string().nullish(),
    port: z.number().int().min(0).max(65_535).nullish(),
    password: z.string().max(65_536).nullish(),
    extra: z
      .string()
      .max(65_536)
      .refine((text) => text === "" || isJsonObject(text), { message: "must be a JSON object as text" })
      .nullish(),
    team_name: z.null().optional(),
  })
  .meta({ id: "ConnectionBody" });

/** `POST /api/v2/connections/test`. */
export const connectionTest = z
  .object({ status: z.boolean(), message: z.string() })
  .meta({ id: "ConnectionTestResponse" });

/** A variable as it is answered; the value of a secret one is `***`. */
export const variable = z
  .object({
    key: z.string(),
    value: z.string().nullable(),
    description: z.string().nullable(),
    is_encrypted: z.boolean(),
    team_name: z.string().nullable(),
  })
  .meta({ id: "Variable" });

export const variableCollection = z
  .object({ variables: z.array(variable), total_entries: z.number() })
  .meta({ id: "VariableCollection" });

/** Body of a variable; a value that is no string is kept as JSON. */
export const variableBody = z
  .strictObject({
    key: z.string().min(1).max(250),
    value: z.json(),
    description: z.string().nullish(),
    team_name: z.null().optional(),
  })
  .meta({ id: "VariableBody" });

/** Airflow's bulk request over entities of a shape: actions in order. */
export function bulkBody<T extends z.ZodType>(entity: T) {
  const ifThere = z.enum(["fail", "skip", "overwrite"]).default("fail");
  const ifMissing = z.enum(["fail", "skip"]).default("fail");
  return z.strictObject({
    actions: z.array(
      z.discriminatedUnion("action", [
        z.strictObject({ action: z.literal("create"), entities: z.array(entity), action_on_existence: ifThere }),
        z.strictObject({
          action: z.literal("update"),
          entities: z.array(entity),
          update_mask: z.array(z.string()).nullish(),
          action_on_non_existence: ifMissing,
        }),
        z.strictObject({
          action: z.literal("delete"),
          entities: z.array(z.string()),
          action_on_non_existence: ifMissing,
        }),
      ]),
    ),
  });
}

export const bulkConnections = bulkBody(connectionBody).meta({ id: "BulkConnections" });
export const bulkVariables = bulkBody(variableBody).meta({ id: "BulkVariables" });

const bulkOutcome = z.object({ success: z.array(z.string()), errors: z.array(z.record(z.string(), z.unknown())) });

/** What came of each kind of action that was asked for. */
export const bulkResponse = z
  .object({ create: bulkOutcome.nullable(), update: bulkOutcome.nullable(), delete: bulkOutcome.nullable() })
  .meta({ id: "BulkResponse" });

export type ConnectionShape = z.infer<typeof connection>;
export type ConnectionBody = z.infer<typeof connectionBody>;
export type VariableShape = z.infer<typeof variable>;
export type VariableBody = z.infer<typeof variableBody>;
export type BulkResponse = z.infer<typeof bulkResponse>;
