/** JSON by which equal values are equal text. */
import type { Json } from "./spec.ts";

/** JSON with sorted keys: PostgreSQL's jsonb keeps no order of its own. */
export function canonicalJson(value: Json): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
