/** What a worker and the guard of a program say to each other over IPC. */

/** Milliseconds of a clock that never goes back and is the same for all processes of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Worker → guard. `trustedUntil` = when, by {@link monotonicMs}, the program is to be killed unless that is told anew. */
export type ToGuard =
  /** The first message: what to start. */
  | {
      readonly type: "start";
      readonly file: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string;
      /** Environment variable that every process of the program carries. */
      readonly marker: { readonly name: string; readonly value: string };
      readonly trustedUntil: number;
    }
  /** The lease was renewed. */
  | { readonly type: "trust"; readonly trustedUntil: number };

/** Guard → worker. */
export type FromGuard =
  | { readonly type: "started"; readonly pid: number; readonly startedAt: string }
  | { readonly type: "notStarted"; readonly message: string }
  /** The lease was not renewed in time, and the program is killed. */
  | { readonly type: "distrusted" }
  | { readonly type: "exit"; readonly code: number | null; readonly signal: NodeJS.Signals | null };
