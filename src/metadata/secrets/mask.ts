/** Hides secrets in anything that is logged: every form in which a password commonly appears. */
import { SplitSecrets } from "./mask-split.ts";

/** What is shown in place of a secret. */
export const MASK = "***";
/** Shorter ones would turn ordinary words into stars. */
const SHORTEST_SECRET = 4;
/** A piece of base64 shorter than this occurs by chance. */
const SHORTEST_BASE64 = 8;
/** A value that holds a shorter secret may hold it by chance: a password "spark" is no reason to refuse a path. */
const SHORTEST_TELLTALE = 8;

/** Replaces every form of the secrets it knows. */
export interface Masker {
  mask(text: string): string;
  /** Whether a value shows a secret that nobody writes by chance. */
  betrays(text: string): boolean;
  /** Length of the longest form, in characters: what a cut must look ahead so that no half secret remains. */
  readonly longest: number;
  /** Secrets that one line begins and another ends. */
  readonly split: SplitSecrets;
  /** Hides these, too, from now on; what was hidden stays hidden. */
  add(secrets: readonly string[]): void;
}

/** Masks the secrets plain, base64 (any alignment, both alphabets), URL-encoded, JSON-escaped and in hex. */
export function createMasker(secrets: readonly string[]): Masker {
  const masker = new FormMasker();
  masker.add(secrets);
  return masker;
}

class FormMasker implements Masker {
  readonly #known = new Set<string>();
  #all: RegExp | null = null;
  #telltale: RegExp | null = null;
  longest = 0;
  split = new SplitSecrets([]);

  readonly mask = (text: string): string => (this.#all === null ? text : text.replace(this.#all, MASK));

  betrays(text: string): boolean {
    return this.#telltale !== null && text.search(this.#telltale) >= 0;
  }

  add(secrets: readonly string[]): void {
    const fresh = secrets.filter((secret) => secret.length >= SHORTEST_SECRET && !this.#known.has(secret));
    if (fresh.length === 0) return;
    for (const secret of fresh) this.#known.add(secret);
    const all = formsOfAll([...this.#known]);
    this.#all = patternOf(all);
    this.#telltale = patternOf(formsOfAll([...this.#known].filter((secret) => secret.length >= SHORTEST_TELLTALE)));
    this.longest = all[0]?.length ?? 0;
    this.split = new SplitSecrets(all);
  }
}

/** Every form once, the longest first. */
function formsOfAll(secrets: readonly string[]): string[] {
  return [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length);
}

function patternOf(forms: readonly string[]): RegExp | null {
  return forms.length === 0 ? null : new RegExp(forms.map(escapePattern).join("|"), "g");
}

function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter((line) => line.length >= SHORTEST_SECRET);
  const bytes = Buffer.from(secret, "utf8");
  return [
    secret,
    ...lines,
    ...jsonForms(secret),
    ...urlForms(secret),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    ...base64Forms(bytes),
  ].filter((form) => form.length >= SHORTEST_SECRET);
}

/** In JSON, in JSON in JSON (a log line that is an object quoting one), and once more. */
function jsonForms(secret: string): string[] {
  const forms: string[] = [];
  for (let depth = 0, form = secret; depth < 3; depth++) {
    form = JSON.stringify(form).slice(1, -1);
    forms.push(form);
  }
  return forms;
}

function urlForms(secret: string): string[] {
  const encoded = encodeURIComponent(secret.toWellFormed());
  const strict = encoded.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return [encoded, strict, strict.replaceAll("%20", "+"), encoded.replaceAll("%20", "+")].flatMap((form) => [
    form,
    form.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
  ]);
}

/** Base64 of text that contains the secret shows one of three pieces, by the secret's offset modulo 3. */
function base64Forms(bytes: Buffer): string[] {
  const pieces = [bytes.toString("base64"), bytes.toString("base64").replace(/=+$/, "")];
  for (const offset of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const firstWhole = Math.ceil((offset * 8) / 6);
    const lastWhole = Math.floor((padded.length * 8) / 6);
    const piece = padded.toString("base64").slice(firstWhole, lastWhole);
    if (piece.length >= SHORTEST_BASE64) pieces.push(piece);
  }
  return pieces.flatMap((piece) => [piece, piece.replaceAll("+", "-").replaceAll("/", "_")]);
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
