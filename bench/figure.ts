/** A measured figure and how it is shown. */

/** Some measurements of one thing. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly n: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Sums up measurements; at least one. */
export function figure(name: string, unit: string, values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  // The mean of the two in the middle where there are two.
  const between = (low: number, high: number) =>
    Math.round((((sorted[low] ?? Number.NaN) + (sorted[high] ?? Number.NaN)) / 2) * 1000) / 1000;
  const median = between((n - 1) >> 1, n >> 1);
  return { name, unit, n, min: between(0, 0), median, max: between(n - 1, n - 1) };
}

/** Figures as a table for people. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, unit, n, min, median, max }) => [name, unit, n, min, median, max].map(String));
  const all = [["figure", "unit", "n", "min", "median", "max"], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
