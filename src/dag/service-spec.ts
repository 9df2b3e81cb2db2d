/** The compiled service: plain JSON, what a version stores and what workers, scheduler, API and UI read. Times are milliseconds. */
import type { DatasetSpec, Json } from "./spec.ts";

/** What can be told of a service. */
export const SERVICE_EVENTS = ["serviceFailing", "serviceLagging", "serviceRecovered"] as const;
/** One of {@link SERVICE_EVENTS}. */
export type ServiceEvent = (typeof SERVICE_EVENTS)[number];

/** Who is told of what: every event of `on` goes to every connection of `to`. */
export interface ServiceNotifySpec {
  on: ServiceEvent[];
  to: string[];
}

/** Wait before attempt n+1 after n failures on end: anything from 0 to `delayMs * factor^(n-1)`, at most `maxMs`. */
export interface RestartSpec {
  delayMs: number;
  factor: number;
  maxMs: number;
  /** An attempt that was healthy for this long makes the next failure the first one again. */
  healthyMs: number;
  /** Failures on end after which somebody is told. */
  tellAfter: number;
}

/** One immutable compiled service. */
export interface ServiceSpec {
  format: 1;
  serviceId: string;
  doc: string | null;
  owner: string | null;
  tags: string[];
  /** Name in the registry of programs, and config. */
  program: { name: string; config: Json };
  /** Workers that serve this queue may run it. */
  queue: string;
  restart: RestartSpec;
  /** Longest time from the start of the program to its first sign of life. */
  startTimeoutMs: number;
  /** Longest time between two signs of life after that. */
  healthTimeoutMs: number;
  /** Between being asked to end after the work in hand and being killed. */
  drainMs: number;
  /** Somebody is told when the lag was above `records` for `forMs`; null = nobody. */
  maxLag: { records: number; forMs: number } | null;
  notify: ServiceNotifySpec[];
  /** Dataset ids. */
  reads: string[];
  emits: string[];
  /** Least time between two events of one partition of a dataset. */
  emitEveryMs: number;
  datasets: DatasetSpec[];
}
