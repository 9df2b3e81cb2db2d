/** `service()`: a program that is to run always, and how the exports of a file are read. */
import { channel } from "node:diagnostics_channel";
import { callSite } from "./call-site.ts";
import { compileService } from "./compile-service.ts";
import type { DatasetLike } from "./datasets.ts";
import type { Duration } from "./duration.ts";
import type { Program } from "./operator.ts";
import type { ServiceEvent, ServiceSpec } from "./service-spec.ts";

/** Diagnostics channel on which every declared service is told, so that one nobody exports is noticed. */
export const SERVICE_DECLARED = "qflow.service.declared";

/** Who is told of what about a service: ids of connections, as in the option `notify` of a DAG. */
export interface ServiceNotify {
  /**
   * `serviceFailing` = it failed several times on end, `serviceLagging` = it is further behind than `maxLag` allows,
   * `serviceRecovered` = one of these is over.
   */
  readonly on: ServiceEvent | readonly ServiceEvent[];
  readonly to: string | readonly string[];
}

/** How a program that ended is started again. The wait is any time up to the delay: many services do not come back as one. */
export interface RestartOptions {
  /** After the first failure; "1s" unless set. */
  readonly delay?: Duration;
  /** What every further failure on end multiplies it by; 2 unless set. */
  readonly factor?: number;
  /** Longest delay; "5m" unless set. */
  readonly max?: Duration;
  /** A program that was healthy for this long starts again with the first delay; "2m" unless set. */
  readonly healthyAfter?: Duration;
  /** Failures on end after which `serviceFailing` is told; 3 unless set. */
  readonly tellAfter?: number;
}

/** What a service may set. */
export interface ServiceOptions {
  /** Workers that serve this queue may run it; "default" unless set. It takes no slot of tasks. */
  readonly queue?: string;
  readonly restart?: RestartOptions;
  /** Longest time from the start of the program to its first sign of life; "5m" unless set. */
  readonly startTimeout?: Duration;
  /** A program that gave no sign of life (progress, heartbeat) for this long is killed and started again; "2m" unless set. */
  readonly healthTimeout?: Duration;
  /** How long a program that is asked to end may finish what it has in hand before it is killed; "1m" unless set. */
  readonly drain?: Duration;
  /** Lag in records above which `serviceLagging` is told when it lasts for `for` ("5m" unless set). */
  readonly maxLag?: { readonly records: number; readonly for?: Duration };
  /** Who is told when it keeps failing or falls behind. */
  readonly notify?: ServiceNotify | readonly ServiceNotify[];
  /** Datasets read, for lineage. */
  readonly reads?: readonly DatasetLike[];
  /** Datasets written: the program may announce events of these and of no others. */
  readonly emits?: readonly DatasetLike[];
  /** Events of one partition of a dataset are at least this far apart, the last one is never lost; "30s" unless set. */
  readonly emitEvery?: Duration;
  readonly doc?: string;
  readonly owner?: string;
  readonly tags?: readonly string[];
}

/** A declared, compiled and checked service. */
export class Service {
  readonly id: string;
  readonly spec: ServiceSpec;

  constructor(spec: ServiceSpec) {
    this.id = spec.serviceId;
    this.spec = spec;
  }
}

/**
 * Declares a service: a program that runs on one worker at a time for as long as a file declares it and nobody paused it, and is
 * started again whenever it ends. Throws DAG_INVALID, with file and line. See docs/services.md.
 */
export function service(id: string, options: ServiceOptions, program: Program): Service {
  const declared = new Service(compileService({ id, options, program, at: callSite() }));
  channel(SERVICE_DECLARED).publish(declared);
  return declared;
}

/** Every service a module exports: default, named, or in an array; each once, in the order of the exports' names. */
export function servicesIn(exports: Readonly<Record<string, unknown>>): Service[] {
  const found = Object.values(exports).flatMap((value) => (Array.isArray(value) ? value : [value]));
  return [...new Set(found.filter((value) => value instanceof Service))];
}
