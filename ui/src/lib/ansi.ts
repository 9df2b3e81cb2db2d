/** ANSI colours of a log line as spans. Other control sequences are dropped. */

/** A stretch of one look. `className` is empty for plain text. */
export interface Span {
  text: string;
  className: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC is what begins an ANSI sequence
const SEQUENCE = /\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\r(?!\n)/g;

interface Style {
  color: number | null;
  isBold: boolean;
  isDim: boolean;
}

const PLAIN: Style = { color: null, isBold: false, isDim: false };
const BRIGHT_OFFSET = 8;

/** Splits a line. The colours are named `ansi-0` … `ansi-15`; 256-colour and true-colour codes are read past and left plain. */
export function ansiSpans(line: string): Span[] {
  if (!line.includes("\x1b") && !line.includes("\r")) return line === "" ? [] : [{ text: line, className: "" }];
  const spans: Span[] = [];
  let style = PLAIN;
  let last = 0;
  const push = (text: string) => {
    if (text !== "") spans.push({ text, className: classOf(style) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(last, match.index));
    last = match.index + match[0].length;
    if (match[2] === "m") style = apply(style, match[1] ?? "");
  }
  push(line.slice(last));
  return spans;
}

/** The line without any sequence, for search and copying. */
export function stripAnsi(line: string): string {
  return line.replace(SEQUENCE, "");
}

function apply(style: Style, codes: string): Style {
  let next = style;
  const numbers = codes === "" ? [0] : codes.split(";").map(Number);
  for (let index = 0; index < numbers.length; index += 1) {
    const code = numbers[index] ?? 0;
    if (code === 38 || code === 48) index += numbers[index + 1] === 5 ? 2 : 4;
    else next = applyOne(next, code);
  }
  return next;
}

function applyOne(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, isBold: true };
  if (code === 2) return { ...style, isDim: true };
  if (code === 22) return { ...style, isBold: false, isDim: false };
  if (code === 39) return { ...style, color: null };
  if (code >= 30 && code <= 37) return { ...style, color: code - 30 };
  if (code >= 90 && code <= 97) return { ...style, color: code - 90 + BRIGHT_OFFSET };
  return style;
}

function classOf(style: Style): string {
  const names: string[] = [];
  if (style.color !== null) names.push(`ansi-${style.color}`);
  if (style.isBold) names.push("ansi-bold");
  if (style.isDim) names.push("ansi-dim");
  return names.join(" ");
}
