/** What a soak looks at once a minute, and whether it grows. */
import { readdir, readFile } from "node:fs/promises";
import { childrenOf, pssMiB } from "../../bench/engine/processes.ts";
import type { World } from "./world.ts";

/** One look. Memory is what processes have for themselves and their share of what they have together, in MiB. */
export interface Reading {
  /** When the soak began, which names it. */
  readonly soak: string;
  readonly minute: number;
  readonly at: string;
  readonly load: number;
  /** So far. */
  readonly runsEnded: number;
  readonly tasksEnded: number;
  readonly runsOpen: number;
  readonly schedulersMiB: number;
  readonly workersMiB: number;
  /** Of the server without what its backends share. */
  readonly postgresMiB: number;
  readonly processes: number;
  readonly descriptors: number;
  readonly connections: number;
  /** Dead rows for each that lives, of the table with the most; small ones are left out. */
  readonly deadPerLive: number;
  readonly databaseMiB: number;
  readonly problems: readonly string[];
}

/** Tables with fewer rows are vacuumed by the page. */
const SMALL = 1_000;

/** Looks at everything once. */
export async function readingOf(world: World): Promise<Omit<Reading, "soak" | "minute">> {
  const kinds = { scheduler: [] as number[], worker: [] as number[] };
  for (const { kind, child } of world.members) kinds[kind].push(...(await familyOf(child.pid ?? 0)));
  const own = [...kinds.scheduler, ...kinds.worker];
  const facts = await world.db.query<Facts>(
    `select (select count(*)::float8 from dag_run where ended_at is not null) as runs_ended,
       (select count(*)::float8 from task_instance where ended_at is not null) as tasks_ended,
       (select count(*)::float8 from dag_run where state in ('queued', 'running')) as runs_open,
       (select count(*)::float8 from pg_stat_activity where datname = current_database()) as connections,
       (select coalesce(max(n_dead_tup::float8 / greatest(n_live_tup, $1)), 0) from pg_stat_user_tables) as dead_per_live,
       pg_database_size(current_database())::float8 / 1048576 as database_mib`,
    [SMALL],
  );
  const row = facts.rows[0] as Facts;
  return {
    at: new Date().toISOString(),
    load: Number((await readFile("/proc/loadavg", "utf8")).split(" ")[0]),
    runsEnded: row.runs_ended,
    tasksEnded: row.tasks_ended,
    runsOpen: row.runs_open,
    schedulersMiB: Math.round(await pssMiB(kinds.scheduler)),
    workersMiB: Math.round(await pssMiB(kinds.worker)),
    postgresMiB: Math.round(await pssMiB(await familyOf(world.postgresPid))),
    processes: own.length,
    descriptors: await descriptorsOf(own),
    connections: row.connections,
    deadPerLive: Math.round(row.dead_per_live * 100) / 100,
    databaseMiB: Math.round(row.database_mib),
    problems: await world.problems(),
  };
}

interface Facts {
  readonly runs_ended: number;
  readonly tasks_ended: number;
  readonly runs_open: number;
  readonly connections: number;
  readonly dead_per_live: number;
  readonly database_mib: number;
}

/** What must stay as it is, how much it may differ between the beginning and the end, and by how much anyhow. */
const FLAT = [
  ["schedulersMiB", 1.2, 30],
  ["workersMiB", 1.2, 60],
  ["processes", 1, 1],
  ["descriptors", 1.1, 10],
  ["connections", 1.1, 3],
] as const;
const MOST_DEAD_PER_LIVE = 3;
/** Minutes in which caches fill. */
const WARM_UP = 5;

/** What grew: the median of the last third against that of the first, after the warm-up. */
export function growthOf(readings: readonly Reading[]): string[] {
  const warm = readings.slice(Math.min(WARM_UP, readings.length - 3));
  const third = Math.ceil(warm.length / 3);
  const problems = FLAT.flatMap(([name, factor, anyhow]) => {
    const [first, last] = [warm.slice(0, third), warm.slice(-third)].map((part) =>
      medianOf(part.map((one) => one[name])),
    );
    const isFlat = (last ?? 0) <= Math.max((first ?? 0) * factor, (first ?? 0) + anyhow);
    return isFlat ? [] : [`${name} grew from ${first} to ${last}`];
  });
  const dead = Math.max(...warm.map((reading) => reading.deadPerLive));
  return dead > MOST_DEAD_PER_LIVE ? [...problems, `${dead} dead rows for each that lives`] : problems;
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}

/** A process and what it has started, and so on. */
async function familyOf(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  return [pid, ...(await Promise.all(children.map(familyOf))).flat()];
}

async function descriptorsOf(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map((pid) => readdir(`/proc/${pid}/fd`).catch(() => [])));
  return each.reduce((sum, open) => sum + open.length, 0);
}
