/** Ends a process group when we are killed: nothing of ours may outlive us. */
import { type ChildProcess, spawn } from "node:child_process";
import { INSTANCE_MARKER } from "../processes/markers.ts";

/** A small process that waits for our end. */
export interface Guard {
  /** Guards the group that the child leads (it was started detached) until the child ends. Call it right after the start. */
  watch(child: ChildProcess): void;
}

/**
 * Hears over a pipe which process group it guards; then a line means that the group has ended, and an end of file that we
 * were killed. It runs before what it guards does, so that no moment is left in which that has no guard.
 */
const GUARD_SCRIPT = `
read -r group || exit 0
read -r line && exit 0
kill -s "$1" -- "-$group" 2>/dev/null
turns=0
while kill -s 0 -- "-$group" 2>/dev/null && [ "$turns" -lt 10 ]; do sleep 0.5; turns=$((turns+1)); done
kill -s KILL -- "-$group" 2>/dev/null
exit 0
`;

/** Starts a guard that sends `first` to the group when we die, and KILL five seconds later. `instance` = value of its marker. */
export function startGuard(first: NodeJS.Signals, instance?: string): Guard {
  const guard = spawn("/bin/sh", ["-c", GUARD_SCRIPT, "qflow-guard", first.slice("SIG".length)], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", ...(instance === undefined ? {} : { [INSTANCE_MARKER]: instance }) },
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // A guard that is gone cannot be told anything; the sweep at the next start does its work then.
  guard.on("error", () => {});
  guard.stdin.on("error", () => {});
  guard.unref();
  return {
    watch(child) {
      if (child.pid !== undefined) guard.stdin.write(`${child.pid}\n`);
      child.once("error", () => guard.stdin.end());
      child.once("exit", () => guard.stdin.end("done\n"));
    },
  };
}
