/** Hides secrets in anything that is logged: every form in which a password commonly appears. */
import type { Connection } from "../dag/operator.ts";

const MASK = "***";
/** Shorter ones would turn ordinary words into stars. */
const SHORTEST_SECRET = 4;
/** A piece of base64 shorter than this occurs by chance. */
const SHORTEST_BASE64 = 8;

/** Replaces every form of the secrets it was made with. */
export interface Masker {
  mask(text: string): string;
  /** Length of the longest form, in characters: what a cut must look ahead so that no half secret remains. */
  readonly longest: number;
}

/** Passwords of connections, and whatever option is named like a secret. */
export function secretsOf(connections: Readonly<Record<string, Connection>>): string[] {
  return Object.values(connections).flatMap((connection) => [
    connection.password,
    ...Object.entries(connection.options)
      .filter(([name]) => /pass|secret|token|key/i.test(name))
      .map(([, value]) => value),
  ]);
}

/** Masks the secrets plain, base64 (any alignment, both alphabets), URL-encoded, JSON-escaped and in hex. */
export function createMasker(secrets: readonly string[]): Masker {
  const forms = new Set(secrets.filter((secret) => secret.length >= SHORTEST_SECRET).flatMap(formsOf));
  if (forms.size === 0) return { mask: (text) => text, longest: 0 };
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((form) => escapePattern(form)).join("|"), "g");
  return { mask: (text) => text.replace(pattern, MASK), longest: longestFirst[0]?.length ?? 0 };
}

function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter((line) => line.length >= SHORTEST_SECRET);
  const bytes = Buffer.from(secret, "utf8");
  const urlEncoded = encodeURIComponent(secret);
  return [
    secret,
    ...lines,
    JSON.stringify(secret).slice(1, -1),
    urlEncoded,
    urlEncoded.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
    urlEncoded.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
    urlEncoded.replaceAll("%20", "+"),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    ...base64Forms(bytes),
  ].filter((form) => form.length >= SHORTEST_SECRET);
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
