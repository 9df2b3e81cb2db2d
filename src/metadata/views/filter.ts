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

  /** Adds a condition that needs no value; null = none. */
  and(condition: string | null): this {
    if (condition !== null) this.#conditions.push(condition);
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
const NEVER_NULL = /\.(id|dag_id|run_id|task_id|map_index|state|run_after|queued_at)$/;

/** `order by …` from names that the listing knows; `tail` makes the order total. */
export function orderClause(slice: Slice, columns: Readonly<Record<string, string>>, tail: string): string {
  const terms = slice.orderBy.flatMap((name) => {
    const column = columns[name.replace(/^-/, "")];
    if (column === undefined) return [];
    return [`${column} ${name.startsWith("-") ? "desc" : "asc"}${NEVER_NULL.test(column) ? "" : " nulls last"}`];
  });
  return `order by ${[...terms, tail].join(", ")}`;
}

/** What a part of a page is read with: `null` as condition = none. */
export interface PagePart {
  readonly condition: string | null;
  readonly order: string;
  readonly limit: number;
  readonly offset: number;
}

/** How a listing reads its rows. */
export interface PageSource<T> {
  readonly columns: Readonly<Record<string, string>>;
  /** Makes the order total. */
  readonly tail: string;
  read(part: PagePart): Promise<T[]>;
  /** How many rows have a condition. */
  count(condition: string): Promise<number>;
}

/**
 * The rows of a page. Where its order begins with a column that may be null, those that have a value are read first and the others
 * apart: in an order with a word about nulls an index would serve one direction only.
 */
export async function readPage<T>(slice: Slice, { columns, tail, read, count }: PageSource<T>): Promise<T[]> {
  const { limit, offset } = slice;
  const [first = "", ...rest] = slice.orderBy;
  const column = columns[first.replace(/^-/, "")];
  if (column === undefined || NEVER_NULL.test(column))
    return read({ condition: null, order: orderClause(slice, columns, tail), limit, offset });
  const order = orderClause(slice, columns, tail).replace(" nulls last", "");
  const given = await read({ condition: `${column} is not null`, order, limit, offset });
  if (given.length === limit) return given;
  const before = given.length > 0 || offset === 0 ? offset + given.length : await count(`${column} is not null`);
  const others = await read({
    condition: `${column} is null`,
    order: orderClause({ ...slice, orderBy: rest }, columns, tail),
    limit: limit - given.length,
    offset: offset + given.length - before,
  });
  return [...given, ...others];
}

/** Escapes a text for LIKE and wraps it: "contains". */
export function containsPattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, (found) => `\\${found}`)}%`;
}
