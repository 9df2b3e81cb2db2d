/** What an operator is to a DAG author: a declaration. Its run module lives in `src/operators` and only workers load it. */
import type { Json } from "./spec.ts";

declare const resultType: unique symbol;

/**
 * A declared use of an operator: which one, with which config (checked by the operator's schema when declared; may hold
 * typed references in place of values). `R` is the type of the value the operator returns, which becomes the XCom.
 */
export interface Operator<R> {
  readonly kind: "operator";
  readonly name: string;
  readonly config: unknown;
  /** Dataset ids known from the config alone; merged with the task's own `reads` and `emits`. */
  readonly reads: readonly string[];
  readonly emits: readonly string[];
  readonly [resultType]?: R;
}

/** A declared wait: the scheduler checks whether its condition is met. `R` is the type of the value it ends with. */
export interface Sensor<R> {
  readonly kind: "sensor";
  readonly name: string;
  readonly config: unknown;
  readonly reads: readonly string[];
  readonly emits: readonly string[];
  readonly [resultType]?: R;
}

/**
 * A declared program that runs until it is told to end: what a service is made of. Its config is known when it is declared; there
 * is no run that references could be of.
 */
export interface Program {
  readonly kind: "program";
  readonly name: string;
  readonly config: unknown;
}

/** A log of one attempt. Lines are numbered, capped at 64 kB, visible within a second. */
export interface TaskLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** One dataset event that started the run. */
export interface TriggeringEvent {
  readonly dataset: string;
  readonly at: Date;
  readonly extra: Json;
  readonly partition: string | null;
}

/** What every task function and every operator is told about its attempt. */
export interface TaskContext<P = unknown> {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  /** 1 for the first try. */
  readonly tryNumber: number;
  /** -1 where the task is not mapped. */
  readonly mapIndex: number;
  readonly logicalDate: Date | null;
  readonly interval: { readonly start: Date; readonly end: Date } | null;
  /** The partition of its data that the run is for, or null. */
  readonly partition: string | null;
  readonly params: P;
  readonly events: readonly TriggeringEvent[];
  readonly log: TaskLog;
  /** Aborted when the attempt is cancelled, times out or is fenced. */
  readonly signal: AbortSignal;
  /**
   * A connection by id, as it was when the attempt began: `QFLOW_CONN_<ID>` of the worker, else the database's.
   * Throws CONNECTION_UNKNOWN.
   */
  connection(id: string): Connection;
  /** The value of a variable by key: `QFLOW_VAR_<KEY>` of the worker, else the database's. Throws VARIABLE_UNKNOWN. */
  variable(key: string): string;
  /**
   * Announces a new event of a dataset, recorded in the transaction that finishes this attempt with success.
   * `key` makes it idempotent: a second event of the same dataset with the same key is not recorded. `partition` says which
   * part of the dataset is new (e.g. `2026-11-22`); unless set, that of the run.
   */
  emit(dataset: string, event?: { key?: string; extra?: Json; partition?: string }): void;
}

/** Address and credentials of an outside system. `password` never reaches a log. */
export interface Connection {
  readonly id: string;
  readonly kind: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly path: string;
  readonly options: Readonly<Record<string, string>>;
}
