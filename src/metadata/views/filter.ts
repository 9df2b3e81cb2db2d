/** Builds WHERE clauses from optional conditions; every value is bound. */

/** Conditions joined by AND, with their values. */
export class Filter {
  readonly #conditions: string[] = [];
  readonly values: unknown[] = [];

  /** Adds a condition when `value` is given; `$` in it stands for the value. */
  add(condition: string, value: unknown): this {
    if (value === undefined || value === null) return this;
    this.#conditions.push(condition.replaceAll("$", this.bind(value)));
    return this;
  }

  /** Binds a value outside of the conditions; returns its placeholder. */
  bind(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  /** `where …`, or nothing. */
  get sql(): string {
    return this.#conditions.length === 0 ? "" : `where ${this.#conditions.join(" and ")}`;
  }
}

/** A page of a listing; `total` = all that match, of long histories an estimate. */
export interface Page<T> {
  readonly rows: T[];
  readonly total: number;
}

/** Which part of a listing, in Airflow's words. */
export interface Slice {
  readonly limit: number;
  readonly offset: number;
  /** Names as in `columns` of the listing, descending with a leading minus; unknown ones are refused before. */
  readonly orderBy: readonly string[];
}

/** Columns that are never null: said so or not, only an order without a word about nulls is served by an index in both directions. */
const NEVER_NULL = /\.(id|dag_id|run_id|task_id|map_index|state|run_after)$/;

/** `order by …` from names that the listing knows; `tail` makes the order total. */
export function orderClause(slice: Slice, columns: Readonly<Record<string, string>>, tail: string): string {
  const terms = slice.orderBy.flatMap((name) => {
    const column = columns[name.replace(/^-/, "")];
    if (column === undefined) return [];
    return [`${column} ${name.startsWith("-") ? "desc" : "asc"}${NEVER_NULL.test(column) ? "" : " nulls last"}`];
  });
  return `order by ${[...terms, tail].join(", ")}`;
}

/** Escapes a text for LIKE and wraps it: "contains". */
export function containsPattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, (found) => `\\${found}`)}%`;
}
