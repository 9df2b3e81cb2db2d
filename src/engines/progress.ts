/** How long work is shown: a bar on a terminal, a line now and then elsewhere. */
import cliProgress from "cli-progress";

/** One piece of work that is shown. */
export interface ProgressBar {
  /** Bytes (or units) done so far. */
  update(done: number): void;
  finish(): void;
}

/** Where progress goes. */
export interface Progress {
  /** Begins a piece of work; `total` null = unknown. `describe` says an amount in words; by default it is bytes. */
  begin(label: string, total: number | null, describe?: (amount: number) => string): ProgressBar;
  /** One line that stays. */
  note(text: string): void;
}

/** Lines are written elsewhere at most this often, in milliseconds. */
const LINE_EVERY_MS = 5_000;
const MIB = 1024 * 1024;

/** Progress on a stream: bars when it is a terminal. Use standard error, so that standard output stays the answer's. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? terminalProgress(stream) : lineProgress((line) => stream.write(`${line}\n`), Date.now);
}

/** Progress as lines, for logs. `now` in milliseconds. */
export function lineProgress(write: (line: string) => void, now: () => number): Progress {
  return {
    note: write,
    begin(label, total, describe = size) {
      const startedAt = now();
      let saidAt = startedAt;
      write(total === null ? `${label} …` : `${label} (${describe(total)}) …`);
      return {
        update(done) {
          if (now() - saidAt < LINE_EVERY_MS) return;
          saidAt = now();
          const share = total === null ? describe(done) : `${Math.floor((100 * done) / total)} %`;
          write(`${label}: ${share}`);
        },
        finish() {
          write(`${label}: done in ${((now() - startedAt) / 1000).toFixed(1)} s`);
        },
      };
    },
  };
}

function terminalProgress(stream: NodeJS.WriteStream): Progress {
  return {
    note: (text) => stream.write(`${text}\n`),
    begin(label, total, describe = size) {
      const known = total !== null;
      const bar = new cliProgress.SingleBar({
        stream,
        hideCursor: true,
        clearOnComplete: false,
        format: known
          ? "{label} {bar} {percentage}%  {amount}  {duration_formatted}"
          : "{label} … {duration_formatted}",
        barCompleteChar: "█",
        barIncompleteChar: "░",
        barsize: 28,
        noTTYOutput: false,
      });
      bar.start(total ?? 1, 0, { label: label.padEnd(44), amount: known ? describe(0) : "" });
      // Without news the elapsed time still moves, which is how one sees that it lives.
      const tick = setInterval(() => bar.updateETA(), 500);
      tick.unref();
      return {
        update: (done) => bar.update(known ? Math.min(done, total) : 0, { amount: known ? describe(done) : "" }),
        finish() {
          clearInterval(tick);
          bar.update(total ?? 1, { amount: known ? describe(total) : "" });
          bar.stop();
        },
      };
    },
  };
}

function size(bytes: number): string {
  return bytes >= MIB ? `${(bytes / MIB).toFixed(0)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}
