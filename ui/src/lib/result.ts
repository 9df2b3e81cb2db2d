/** Results of queries. */

/** A value as the API sends it; decimals and 64-bit integers come as text. */
export type ResultValue = string | number | boolean | null;

const NUMERIC = /^(tinyint|smallint|int|integer|bigint|long|float|double|decimal)/i;

/** Whether a column of this SQL type holds numbers. */
export function isNumeric(type: string): boolean {
  return NUMERIC.test(type);
}
