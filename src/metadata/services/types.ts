/** What workers, scheduler, API and command line say to the database about services. */
import type { ServiceSpec } from "../../dag/service-spec.ts";
import type { Json } from "../../dag/spec.ts";

/** An attempt of a service that this worker is to start now. */
export interface ClaimedService {
  readonly attemptId: string;
  readonly token: string;
  readonly serviceId: string;
  /** The fencing token: grows with every start. */
  readonly number: number;
  readonly spec: ServiceSpec;
  /** Which database the service is of: two installations may have services of one id. */
  readonly instance: string;
  /** As in a claim of tasks. */
  readonly secretsVersion: number;
}

/** One batch as the program told it. */
export interface BatchProgress {
  readonly batch: number;
  readonly rows: number;
  readonly batchMs?: number | undefined;
  readonly inputRowsPerSecond?: number | undefined;
  readonly processedRowsPerSecond?: number | undefined;
  /** Records that it has not read yet. */
  readonly lag?: number | undefined;
  /** ISO instant. */
  readonly eventTime?: string | undefined;
  readonly offsets?: Json | undefined;
}

/** An event of a dataset as the program announced it. */
export interface ServiceEventNote {
  readonly dataset: string;
  readonly partition?: string | undefined;
  readonly rows?: number | undefined;
}

/** A field that documents landed in a dataset have, and that no column of it holds. */
export interface FieldNote {
  readonly dataset: string;
  /** Path below the top of the document. */
  readonly name: string;
  readonly type: string;
}

/** What an attempt has to tell since its last report. */
export interface ServiceReport {
  /** 1, 2, 3 …: a report that is told twice counts once. */
  readonly number: number;
  readonly pid?: number;
  /** It gave a sign of life. */
  readonly seen?: true;
  /** It was asked to end, and why. */
  readonly draining?: string;
  readonly batches: readonly BatchProgress[];
  readonly events: readonly ServiceEventNote[];
  readonly fields: readonly FieldNote[];
}

/** How an attempt ended. */
export type ServiceEnd =
  | { readonly state: "stopped"; readonly reason: string | null; readonly error?: ServiceFailure }
  | { readonly state: "failed"; readonly reason: string | null; readonly error: ServiceFailure };

/** Why. */
export interface ServiceFailure {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** Who an attempt belongs to. */
export interface ServiceOwner {
  readonly attemptId: string;
  readonly token: string;
}
