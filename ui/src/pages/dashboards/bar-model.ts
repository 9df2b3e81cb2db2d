/** From the rows of an insight to bars: one group a thing shown, one bar a series. */
import type { Insight } from "../../../../src/api/contract.ts";
import { isNumeric, type ResultValue } from "../../lib/result.ts";

/** One bar. `exact` is the value as the server wrote it. */
export interface Bar {
  series: string | null;
  value: number;
  exact: string;
}

/** One thing with its bars. */
export interface BarGroup {
  /** Two products may be called "Boots": their ids tell them apart here and in the label. */
  key: string;
  label: string;
  bars: Bar[];
  total: number;
}

/** What a bar chart draws. */
export interface BarModel {
  groups: BarGroup[];
  /** Names of the series, in order; empty where there is one only. */
  series: string[];
  /** End of the axis: a round number at or above the longest group. */
  axisEnd: number;
}

/** Something that can be measured along the axis. */
export interface Measure {
  column: string;
  title: string;
}

type Source = Pick<Insight, "columns" | "rows" | "chart">;

const SPLITS = ["online", "offline"] as const;

/** The chart's own measure first, then every other number of the table. */
export function measuresOf({ columns, chart }: Source): Measure[] {
  const others = columns.filter(
    ({ name, type }) => isNumeric(type) && name !== chart.y && name !== chart.x && !name.endsWith("_id"),
  );
  return [
    { column: chart.y, title: chart.y_title },
    ...others.map(({ name }) => ({ column: name, title: inWords(name) })),
  ];
}

function inWords(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The bars of one measure, in the order the server gave; where there are series, the largest total first. */
export function barModel(source: Source, measure: string): BarModel {
  const groups = new Map<string, BarGroup>();
  const series = new Set<string>();
  for (const row of source.rows) {
    const { key, label, bars } = readRow(source, row, measure);
    const group = groups.get(key) ?? { key, label, bars: [], total: 0 };
    for (const bar of bars) {
      group.bars.push(bar);
      group.total += bar.value;
      if (bar.series !== null) series.add(bar.series);
    }
    groups.set(key, group);
  }
  const list = tellApart([...groups.values()]);
  if (source.chart.series !== null) list.sort((a, b) => b.total - a.total);
  else if (measure !== source.chart.y) sortAsServer(list, source);
  return {
    groups: list,
    series: source.chart.series === null ? [...series] : [...series].sort(),
    axisEnd: roundUp(Math.max(0, ...list.map((group) => group.total))),
  };
}

function readRow({ columns, chart }: Source, row: readonly ResultValue[], measure: string): Omit<BarGroup, "total"> {
  const value = (name: string) => row[columns.findIndex((column) => column.name === name)] ?? null;
  const label = text(value(chart.x));
  const ids = columns.filter((column) => column.name.endsWith("_id")).map((column) => text(value(column.name)));
  const key = JSON.stringify([label, ...ids]);
  const split = chart.series === null && measure === chart.y ? splitOf(columns) : null;
  if (split) return { key, label, bars: SPLITS.map((name, index) => bar(name, value(split[index] ?? ""))) };
  return { key, label, bars: [bar(chart.series === null ? null : text(value(chart.series)), value(measure))] };
}

function bar(series: string | null, value: ResultValue): Bar {
  return { series, value: Number(value ?? 0), exact: text(value) };
}

/** The pair of columns that split the chart's own measure into online and offline, where there is exactly one such pair. */
function splitOf(columns: Source["columns"]): [string, string] | null {
  const names = new Set(columns.map((column) => column.name));
  const pairs = [...names]
    .filter((name) => name.startsWith("online_") && names.has(`offline_${name.slice("online_".length)}`))
    .map((name): [string, string] => [name, `offline_${name.slice("online_".length)}`]);
  return pairs.length === 1 ? (pairs[0] ?? null) : null;
}

/** Equal labels of different things get their id. */
function tellApart(groups: BarGroup[]): BarGroup[] {
  const amounts = Map.groupBy(groups, (group) => group.label);
  return groups.map((group) => {
    if ((amounts.get(group.label)?.length ?? 0) < 2) return group;
    const [, ...ids] = JSON.parse(group.key) as string[];
    return ids.length === 0 ? group : { ...group, label: `${group.label} (${ids.join(", ")})` };
  });
}

/** Another measure is sorted the way the server sorted the chart's own: largest or smallest first. */
function sortAsServer(groups: BarGroup[], { columns, rows, chart }: Source): void {
  const at = columns.findIndex((column) => column.name === chart.y);
  const isAscending = Number(rows[0]?.[at] ?? 0) < Number(rows.at(-1)?.[at] ?? 0);
  groups.sort((a, b) => (isAscending ? a.total - b.total : b.total - a.total));
}

function text(value: ResultValue): string {
  return value === null ? "–" : String(value);
}

const STEPS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/** The next round number, so that the axis ends on one. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = STEPS.find((candidate) => candidate * power >= value - 1e-9) ?? 10;
  return Number((step * power).toPrecision(6));
}
