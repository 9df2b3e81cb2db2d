/** `npm run bench -- report`: writes the latest figures of bench/results, beside their goals, into docs/benchmarks.md. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Figure } from "./figure.ts";

const RESULTS = join(import.meta.dirname, "results");
const PAGE = join(import.meta.dirname, "../docs/benchmarks.md");

/** Largest (or, where more is better, least) median that meets the goal, by figure. */
const GOALS: Readonly<Record<string, { readonly most: number } | { readonly least: number }>> = {
  "chain40 wall": { most: 0.05 },
  "chain100 hop p50": { most: 0.6 },
  "chain100 hop p99": { most: 5 },
  "trigger to first start": { most: 10 },
  "fan200 throughput": { least: 4000 },
  "mapped10000 throughput": { least: 8000 },
  "fleet100 throughput": { least: 4000 },
  "fleet1000 throughput": { least: 4000 },
  "punctual start delay p99": { most: 500 },
  "punctual first minute p99": { most: 500 },
  "idle CPU, qflow": { most: 0.3 },
  "idle PSS, qflow": { most: 120 },
  coldstart: { most: 1.5 },
};

/** Names that end so are ratios of with and without history. */
const RATIO = /, ratio$/;
const RATIO_GOAL = { most: 1.2 };

interface Line extends Figure {
  readonly at: string;
  readonly load: readonly [number, number];
}

/** Rewrites the tables of the page. Resolves to the number of figures. */
export async function writeReport(): Promise<number> {
  const engine = await latest("engine");
  const peers = await latest("peers");
  const stream = await latest("stream");
  let page = await readFile(PAGE, "utf8");
  page = between(page, "engine", tableWithGoals(engine));
  page = between(page, "peers", plainTable(peers));
  page = between(page, "stream", plainTable(stream));
  await writeFile(PAGE, page);
  return engine.length + peers.length + stream.length;
}

/** The last line of each figure, in the order of their first ones. */
async function latest(name: string): Promise<Line[]> {
  const text = await readFile(join(RESULTS, `${name}.jsonl`), "utf8").catch(() => "");
  const lines = new Map<string, Line>();
  for (const line of text.split("\n").filter(Boolean)) {
    const figure = JSON.parse(line) as Line;
    lines.set(figure.name, figure);
  }
  return [...lines.values()];
}

function tableWithGoals(lines: readonly Line[]): string {
  const rows = lines.map((line) => {
    const goal = GOALS[line.name] ?? (RATIO.test(line.name) ? RATIO_GOAL : null);
    return [...cellsOf(line), goalText(goal), goal === null ? "" : isMet(goal, line.median) ? "yes" : "no"];
  });
  return markdown(["figure", "unit", "median", "min – max", "n", "goal", "met"], rows) + loadText(lines);
}

function plainTable(lines: readonly Line[]): string {
  return markdown(["figure", "unit", "median", "min – max", "n"], lines.map(cellsOf)) + loadText(lines);
}

function cellsOf({ name, unit, median, min, max, n }: Line): string[] {
  return [name, unit, String(median), n > 1 ? `${min} – ${max}` : "", String(n)];
}

type Goal = { readonly most: number } | { readonly least: number };

function goalText(goal: Goal | null): string {
  if (goal === null) return "";
  return "most" in goal ? `≤ ${goal.most}` : `≥ ${goal.least}`;
}

function isMet(goal: Goal, value: number): boolean {
  return "most" in goal ? value <= goal.most : value >= goal.least;
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

function loadText(lines: readonly Line[]): string {
  if (lines.length === 0) return "";
  const loads = lines.flatMap((line) => line.load);
  const day = lines.at(-1)?.at.slice(0, 10);
  return `\nMeasured on ${day}; load average of the machine ${Math.min(...loads)} to ${Math.max(...loads)}.\n`;
}

function between(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- ${name} figures -->`, `<!-- end of ${name} figures -->`];
  const from = page.indexOf(open);
  const to = page.indexOf(close);
  if (from < 0 || to < from) throw new Error(`${PAGE} has no place for the figures of ${name}`);
  return `${page.slice(0, from + open.length)}\n${text}${page.slice(to)}`;
}
