/** Bytes as text and JSON, and values within JSON. */
import type { Json } from "../../dag/spec.ts";

/** The text of bytes; null where they are none. */
export function textOf(bytes: Buffer | null): string | null {
  if (bytes === null) return null;
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : null;
}

/** What bytes hold as JSON; undefined where they hold none. */
export function jsonOf(bytes: Buffer | null): Json | undefined {
  if (bytes === null) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8")) as Json;
  } catch {
    return undefined;
  }
}

/** What bytes hold: JSON where they do, else text; null where they are neither. */
export function contentOf(bytes: Buffer | null): Json {
  const json = jsonOf(bytes);
  return json === undefined ? textOf(bytes) : json;
}

/** The value at a JSON pointer (RFC 6901); undefined where there is none. */
export function valueAt(value: Json | undefined, pointer: string): Json | undefined {
  let here = value;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, name)) return undefined;
    here = (here as Record<string, Json>)[name];
  }
  return here;
}
