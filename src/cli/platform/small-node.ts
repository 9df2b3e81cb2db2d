/** How qflow's own long-running Node processes are started: little memory, since they mostly wait. */

/**
 * Node by default lets 16 MB of garbage pile up before it looks for some (scheduler, worker and API at rest: 255 MiB instead of 210), and
 * the allocator keeps an arena a thread and what was freed in them.
 */
const FLAGS = ["--max-semi-space-size=2"] as const;
const ALLOCATOR = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536" } as const;

/** Arguments of Node for a script, and the environment it gets. */
export function smallNode(
  script: readonly string[],
  env: Readonly<Record<string, string>>,
): { args: string[]; env: Record<string, string> } {
  return { args: [...FLAGS, ...script], env: { ...ALLOCATOR, ...env } };
}
