/** Query parameters of listings, in Airflow's words. */
import { z } from "zod";
import type { Slice } from "../../metadata/views/filter.ts";

/** A parameter that may come once or several times. */
export const many = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : [value]));

/** `true` or `false` as text. */
export const flag = z.enum(["true", "false"]).transform((value) => value === "true");

/** An instant with zone. */
export const when = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

/** `limit`, `offset` and `order_by` over the given names (descending with a leading minus). */
export function slicing(names: Readonly<Record<string, string>>) {
  const known = new Set(Object.keys(names).flatMap((name) => [name, `-${name}`]));
  return {
    limit: z.coerce.number().int().min(0).max(1000).default(50),
    offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
    order_by: many
      .refine((wanted) => wanted.every((name) => known.has(name)), {
        message: `can order by ${Object.keys(names).join(", ")}`,
      })
      .optional(),
  };
}

/** The slice that checked parameters ask for; `fallback` orders when nothing was asked. */
export function sliceOf(
  query: { limit: number; offset: number; order_by?: string[] | undefined },
  fallback: string[] = [],
): Slice {
  return { limit: query.limit, offset: query.offset, orderBy: query.order_by ?? fallback };
}
