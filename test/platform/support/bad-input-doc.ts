/** docs/bad-input.md, written from the tables that the tests run. */
import { BAD_INPUT, type Outcome } from "./bad-input-cases.ts";

/** Bad input that is met before any row is read: what happens, and the test that shows it (its file and title). */
export interface DeliveryCase {
  readonly input: string;
  readonly rule: string;
  readonly test: { readonly file: string; readonly title: string };
}

const INTRO = `# Bad input

What the platform makes of input that is not as it should be. A row that is wrong goes to \`standardized.quarantine\` with the line as delivered
and every reason; the rest of its file is loaded. A file whose columns cannot be matched is refused whole. Nothing is dropped silently:
**read = loaded + duplicate + quarantined** holds for every file, is checked by every run, and is shown with the file.

This page is written from the tables that the tests run; \`QFLOW_UPDATE_DOCS=1 npx ava test/platform/bad-input-doc.test.ts\` writes it anew.
`;

function inWords(outcome: Outcome): string {
  const parts = [
    [outcome.loaded, "loaded"],
    [outcome.duplicate, outcome.conflict ? "duplicate, in conflict" : "duplicate"],
    [outcome.quarantined, "quarantined"],
  ].flatMap(([count, word]) => (count ? [`${count} ${word}`] : []));
  const file = outcome.rejected === undefined ? [] : ["file refused"];
  return [...parts, ...file].join(", ") || "0 rows";
}

function reasonsOf(outcome: Outcome): string {
  const reasons = new Set([...Object.keys(outcome.reasons ?? {}), ...(outcome.rejected ? [outcome.rejected] : [])]);
  return [...reasons].map((reason) => `\`${reason}\``).join(" ");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `${lines.join("\n")}\n`;
}

/** The whole page. */
export function badInputPage(deliveries: readonly DeliveryCase[]): string {
  const rows = BAD_INPUT.map(({ input, rule, outcome }) => [input, rule, inWords(outcome), reasonsOf(outcome)]);
  return [
    INTRO,
    "## In files\n",
    table(["input", "what happens", "rows of the test's file", "reasons"], rows),
    "## In deliveries\n",
    table(
      ["input", "what happens", "shown by"],
      deliveries.map(({ input, rule, test }) => [input, rule, `\`${test.file}\``]),
    ),
  ].join("\n");
}
