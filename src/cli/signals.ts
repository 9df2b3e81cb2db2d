/** Waiting for a person, or for the process that started this one, to say stop. */

/** Why a long-running command should end. */
export type StopReason = "SIGINT" | "SIGTERM" | "SIGHUP" | "parent";

/** Resolves at the first Ctrl-C, TERM or hang-up, or when the parent that holds our IPC channel is gone. */
export function untilSignal(): Promise<StopReason> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve(signal));
    process.once("disconnect", () => resolve("parent"));
  });
}
