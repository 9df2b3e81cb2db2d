/** From a JSON Schema of params to form fields, and from what was typed to a run's conf. */

/** How one param is asked for. */
export type FieldKind = "text" | "number" | "choice" | "switch" | "json";

/** One param. */
export interface ParamField {
  name: string;
  kind: FieldKind;
  /** What the field shows at first. */
  initial: string;
  choices: readonly string[];
  isRequired: boolean;
  description: string | null;
  /** In words: `integer, 1 to 10`. */
  type: string;
}

interface Schema {
  type?: string | string[];
  enum?: unknown[];
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of a schema; none where it is null or describes no properties. */
export function fieldsOf(schema: unknown): ParamField[] {
  if (!isSchema(schema)) return [];
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    kind: kindOf(property),
    initial: initialOf(property),
    choices: (property.enum ?? []).map(String),
    isRequired: required.has(name) && property.default === undefined,
    description: property.description ?? null,
    type: typeInWords(property),
  }));
}

function kindOf(schema: Schema): FieldKind {
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "switch";
  if (schema.type === "integer" || schema.type === "number") return "number";
  return schema.type === "string" ? "text" : "json";
}

function initialOf(schema: Schema): string {
  if (schema.default === undefined) return schema.type === "boolean" ? "false" : "";
  return kindOf(schema) === "json" ? JSON.stringify(schema.default) : String(schema.default);
}

function typeInWords(schema: Schema): string {
  if (schema.enum) return "one of the list";
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : (schema.type ?? "any JSON");
  if (schema.minimum !== undefined && schema.maximum !== undefined)
    return `${type}, ${schema.minimum} to ${schema.maximum}`;
  if (schema.minimum !== undefined) return `${type}, at least ${schema.minimum}`;
  if (schema.maximum !== undefined) return `${type}, at most ${schema.maximum}`;
  return type;
}

/** What was typed, as a conf; or the first field that cannot be read and why. */
export type ReadForm = { ok: true; conf: Record<string, unknown> } | { ok: false; name: string; problem: string };

/** Reads all fields. A blank field that is not required is left out, so that its default holds. */
export function readForm(fields: readonly ParamField[], typed: Readonly<Record<string, string>>): ReadForm {
  const conf: Record<string, unknown> = {};
  for (const field of fields) {
    const text = typed[field.name] ?? field.initial;
    if (text === "") {
      if (field.isRequired) return { ok: false, name: field.name, problem: "is required" };
      continue;
    }
    const value = readField(field, text);
    if (value === undefined) {
      return { ok: false, name: field.name, problem: field.kind === "number" ? "is not a number" : "is not JSON" };
    }
    conf[field.name] = value;
  }
  return { ok: true, conf };
}

function readField(field: ParamField, text: string): unknown {
  if (field.kind === "number") return Number.isNaN(Number(text)) ? undefined : Number(text);
  if (field.kind === "switch") return text === "true";
  if (field.kind !== "json") return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
