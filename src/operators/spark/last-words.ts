/** Why a Spark application failed, in a line or two, from the end of what it printed. */

const KEPT_LINES = 400;
const LONGEST = 800;
/** After the message: a blank line, a stack, a line of the log. */
const ENDS_MESSAGE = /^\s*$|^\s+at |^Traceback|^JVM stacktrace|^\d\S* (\d\S* )?(INFO|WARN|ERROR) /;

/** Keeps the end of an application's output. */
export class LastWords {
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines.splice(0, KEPT_LINES);
  }

  /** The exception of the last Python traceback with its place, else Java's, else the last lines as they are. */
  summary(): string {
    return cut(pythonError(this.#lines) ?? javaError(this.#lines) ?? this.#lines.slice(-3).join("\n"));
  }
}

function pythonError(lines: readonly string[]): string | null {
  const start = lines.findLastIndex((line) => line.startsWith("Traceback (most recent call last):"));
  if (start < 0) return null;
  const body = lines.slice(start + 1);
  const at = body.findIndex((line) => /^\S/.test(line));
  if (at < 0) return null;
  // A message may have several lines; what follows a blank line is detail (a query plan, the JVM's stack).
  const rest = body.slice(at);
  const end = rest.findIndex((line, i) => i > 0 && ENDS_MESSAGE.test(line));
  const message = rest.slice(0, end < 0 ? 5 : Math.min(end, 5)).join("\n");
  const frames = body.slice(0, at).filter((line) => /^ {2}File "/.test(line));
  const place = frames.findLast((line) => !/site-packages|\.zip\/|<frozen|\/lib\/python/.test(line)) ?? frames.at(-1);
  const where = /File "(?:.*\/)?([^"/]+)", line (\d+)/.exec(place ?? "");
  return where ? `${message} (${where[1]}:${where[2]})` : message;
}

function javaError(lines: readonly string[]): string | null {
  const cause = lines.findLast((line) => /^(Caused by: |Exception in thread )/.test(line));
  const direct = lines.findLast((line) => /^([a-z]\w*\.)+\w*(Exception|Error)\b/.test(line));
  return cause ?? direct ?? null;
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text;
}
