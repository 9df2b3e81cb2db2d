/** Finds secrets that were written over several lines: wrapped base64, or a program that prints piece by piece. */

/** Characters by which pieces are looked up: shorter ones say nothing. */
const PIECE = 4;
/** Longer forms are of keys with many lines, whose lines are hidden one by one. */
const LONGEST_FORM = 512;

/** How a line goes on with a secret: so many characters before it and at its start belong to it. */
export interface Continuation {
  readonly before: number;
  readonly after: number;
}

/** An index of the forms of some secrets, by their first characters and by what can begin a later line. */
export class SplitSecrets {
  readonly #starts = new Map<string, string[]>();
  readonly #later = new Map<string, { form: string; at: number }[]>();
  /** Forms that lack less than a piece, by the piece before what is lacking. */
  readonly #almost = new Map<string, { form: string; at: number }[]>();
  /** Characters of earlier lines that can matter. */
  readonly window: number;

  constructor(forms: readonly string[]) {
    const known = forms.filter((form) => form.length > PIECE && form.length <= LONGEST_FORM);
    this.window = Math.max(0, ...known.map((form) => form.length - 1));
    for (const form of known) {
      push(this.#starts, form.slice(0, PIECE), form);
      for (let at = 1; at <= form.length - PIECE; at++) push(this.#later, form.slice(at, at + PIECE), { form, at });
      for (let at = Math.max(PIECE, form.length - PIECE + 1); at < form.length; at++)
        push(this.#almost, form.slice(at - PIECE, at), { form, at });
    }
  }

  /** Whether `text` ends a secret that the lines before it, joined to `tail`, began; the longest there is. */
  continued(tail: string, text: string): Continuation | null {
    let best: Continuation | null = null;
    const ends = this.#almost.get(tail.slice(-PIECE)) ?? [];
    for (const { form, at } of [...(this.#later.get(text.slice(0, PIECE)) ?? []), ...ends]) {
      const after = form.length - at;
      if (best !== null && best.before + best.after >= form.length) continue;
      if (text.startsWith(form.slice(at)) && tail.endsWith(form.slice(0, at))) best = { before: at, after };
    }
    return best;
  }

  /** How many characters at the end of `tail` may begin a secret; 0 = none. */
  opened(tail: string): number {
    for (let from = Math.max(0, tail.length - this.window); from <= tail.length - PIECE; from++) {
      const end = tail.slice(from);
      const forms = this.#starts.get(end.slice(0, PIECE));
      if (forms?.some((form) => form.length > end.length && form.startsWith(end))) return end.length;
    }
    return 0;
  }
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const present = map.get(key);
  if (present) present.push(value);
  else map.set(key, [value]);
}
