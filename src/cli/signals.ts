/** Waiting for a person, or for the process that started this one, to say stop. */

/** Why a long-running command should end. */
export type StopReason = "SIGINT" | "SIGTERM" | "SIGHUP" | "parent";

/** One Ctrl-C can arrive twice, from the terminal and passed on by npm: a repeat within this time is the same one. */
const SAME_MS = 2_000;

/**
 * Resolves at the first Ctrl-C, TERM or hang-up, or when the parent that holds our IPC channel is gone. Whoever asks a second time
 * does not want to wait: the process ends at once, and the guards of what it started end that.
 */
export function untilSignal(): Promise<StopReason> {
  return new Promise((resolve) => {
    let askedAt = Number.NaN;
    const asked = (reason: StopReason) => {
      if (performance.now() - askedAt > SAME_MS) process.exit(130);
      if (Number.isNaN(askedAt)) askedAt = performance.now();
      resolve(reason);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => asked(signal));
    process.once("disconnect", () => resolve("parent"));
    // It may have gone before there was anybody to hear of it; without a channel this is undefined.
    if (process.connected === false) resolve("parent");
  });
}
