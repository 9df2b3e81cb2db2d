/** Hides what of a secret is spread over the lines of one stream. */

import { MASK, type Masker } from "../metadata/secrets/mask.ts";
import type { LogLine } from "../metadata/work.ts";

/** A line that waits to be stored: its text may still have to be hidden in part. */
export interface WaitingLine {
  readonly at: string;
  readonly level: LogLine["level"];
  text: string;
}

/** A shorter beginning of a secret, on a line after which nothing more came, is an ordinary word. */
const SHORTEST_BEGINNING = 8;

interface Piece {
  /** The text before anything was hidden here. */
  readonly raw: string;
  readonly line: WaitingLine;
  hiddenStart: number;
  hiddenEnd: number;
}

/** Remembers the last lines of each stream (level) as far back as a secret can reach. */
export class LineJoiner {
  readonly #masker: Masker;
  readonly #streams = new Map<LogLine["level"], Piece[]>();

  constructor(masker: Masker) {
    this.#masker = masker;
  }

  /** Takes a line whose whole secrets are hidden; hides, in it and in those before it, the secret that it ends. */
  add(line: WaitingLine): void {
    const { split } = this.#masker;
    if (split.window === 0) return;
    const pieces = this.#streams.get(line.level) ?? [];
    this.#streams.set(line.level, pieces);
    const piece = { raw: line.text, line, hiddenStart: 0, hiddenEnd: 0 };
    const found = split.continued(this.#tail(pieces), line.text);
    if (found) {
      hideEnd(pieces, found.before);
      piece.hiddenStart = found.after;
      show(piece);
    }
    pieces.push(piece);
    let length = pieces.reduce((sum, { raw }) => sum + raw.length, 0);
    for (let first = pieces[0]; first && length - first.raw.length >= split.window; first = pieces[0]) {
      length -= first.raw.length;
      pieces.shift();
    }
  }

  /** The lines with which a secret may begin whose end has not come yet. */
  openLines(): Set<WaitingLine> {
    const open = [...this.#streams.values()].flatMap((pieces) => this.#openPiece(pieces) ?? []);
    return new Set(open.map(({ line }) => line));
  }

  /** Nothing came in time: what is too long to be a word by chance is hidden. */
  giveUp(): void {
    for (const pieces of this.#streams.values()) {
      const open = this.#masker.split.opened(this.#tail(pieces));
      if (open >= SHORTEST_BEGINNING) hideEnd(pieces, open);
    }
  }

  #openPiece(pieces: readonly Piece[]): Piece | undefined {
    let left = this.#masker.split.opened(this.#tail(pieces));
    if (left === 0) return undefined;
    return pieces.findLast((piece) => {
      left -= piece.raw.length;
      return left <= 0;
    });
  }

  #tail(pieces: readonly Piece[]): string {
    const { window } = this.#masker.split;
    return pieces.map(({ raw }) => raw.slice(-window)).join("");
  }
}

/** Hides the last characters of the joined lines. Lines that are stored already stay as they are. */
function hideEnd(pieces: readonly Piece[], count: number): void {
  let left = count;
  for (const piece of pieces.toReversed()) {
    if (left <= 0) return;
    piece.hiddenEnd = Math.max(piece.hiddenEnd, Math.min(left, piece.raw.length));
    show(piece);
    left -= piece.raw.length;
  }
}

function show({ raw, line, hiddenStart, hiddenEnd }: Piece): void {
  if (hiddenStart + hiddenEnd >= raw.length) line.text = MASK;
  else
    line.text =
      (hiddenStart > 0 ? MASK : "") + raw.slice(hiddenStart, raw.length - hiddenEnd) + (hiddenEnd > 0 ? MASK : "");
}
