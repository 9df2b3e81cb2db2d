/** Lines over time: axis with unit, exact values under the pointer, colours of the theme. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { shortTime, type ZoneChoice } from "../../lib/format.ts";
import { usePreferences } from "../../lib/preferences.ts";

/** One line. */
export interface Line {
  readonly name: string;
  /** Name of a colour token, e.g. `--series-1`. */
  readonly colour: string;
  /** One a time; null = nothing is known. */
  readonly values: readonly (number | null)[];
  readonly filled?: true;
}

interface Props {
  /** Seconds since the epoch, ascending. */
  times: readonly number[];
  lines: readonly Line[];
  /** Of axis and values. */
  format: (value: number) => string;
  label: string;
}

const HEIGHT = 180;

export function TimeChart({ times, lines, format, label }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const { theme, zone } = usePreferences();
  const names = lines.map(({ name, colour }) => `${name} ${colour}`).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn anew for other lines or another theme, and fed below
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    chart.current = new uPlot(optionsOf(element, { lines, format, zone }), dataOf(times, lines), element);
    const resized = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [names, theme, zone]);
  useEffect(() => {
    chart.current?.setData(dataOf(times, lines));
  }, [times, lines]);
  return <div ref={box} className="time-chart" role="img" aria-label={label} style={{ minHeight: HEIGHT + 28 }} />;
}

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData;
}

function optionsOf(
  element: HTMLElement,
  { lines, format, zone }: Pick<Props, "lines" | "format"> & { zone: ZoneChoice },
): uPlot.Options {
  const colour = (token: string) => resolved(element, token);
  const axis = { stroke: colour("--text-2"), font: "11px system-ui", ticks: { show: false } };
  const grid = { stroke: colour("--border"), width: 1 };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    tzDate: (seconds) =>
      zone === "utc" ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000),
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    // Zero-based, and never without height.
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 60, values: (_, times) => tickTexts(times, zone) },
      { ...axis, grid, size: 64, values: (_, values) => values.map(format) },
    ],
    series: [
      { label: "At", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" },
      ...lines.map(
        (line): uPlot.Series => ({
          label: line.name,
          stroke: colour(line.colour),
          width: 1.5,
          spanGaps: false,
          points: { show: lines[0]?.values.length === 1 },
          ...(line.filled ? { fill: `color-mix(in srgb, ${colour(line.colour)} 14%, transparent)` } : {}),
          value: (_, value) => (value === null ? "–" : format(value)),
        }),
      ),
    ],
  };
}

const DAY_SECONDS = 86_400;

/** `06:15`, or over several days `11-23`. */
function tickTexts(times: readonly number[], zone: ZoneChoice): string[] {
  const days = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / DAY_SECONDS;
  return times.map((seconds) => {
    const [day = "", time = ""] = shortTime(new Date(seconds * 1000).toISOString(), zone).split(" ");
    return days > 2 ? day : time;
  });
}

/** A canvas knows no tokens: the colour that one has here, under the present theme. */
function resolved(element: HTMLElement, token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
