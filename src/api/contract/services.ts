/** `/api/services`: programs that are to run always. */
import { z } from "zod";
import { instant } from "./shared.ts";

const failure = z.object({ code: z.string(), message: z.string(), remedy: z.string() });

/** States of a service. */
export const SERVICE_STATES = ["starting", "running", "draining", "waiting", "backoff", "paused", "stopped"] as const;

/** States of an attempt of a service. */
export const SERVICE_ATTEMPT_STATES = ["starting", "running", "draining", "stopped", "failed", "lost"] as const;

export const service = z
  .object({
    service_id: z.string(),
    state: z.enum(SERVICE_STATES),
    /** Why it does not run; null = it runs. */
    why: z.string().nullable(),
    is_paused: z.boolean(),
    file: z.string(),
    owner: z.string().nullable(),
    doc: z.string().nullable(),
    tags: z.array(z.string()),
    queue: z.string(),
    version: z.number(),
    /** Number of the newest attempt, which is its fencing token; 0 = it was never started. */
    attempt: z.number(),
    host: z.string().nullable(),
    pid: z.number().nullable(),
    started_at: instant.nullable(),
    /** First and last sign of life. */
    ready_at: instant.nullable(),
    seen_at: instant.nullable(),
    ended_at: instant.nullable(),
    failures: z.number(),
    restart_at: instant.nullable(),
    last_error: failure.nullable(),
    last_error_at: instant.nullable(),
    /** In the last 24 hours. */
    starts: z.number(),
    /** Of the newest attempt. */
    batches: z.number(),
    rows: z.number(),
    /** Over the last minute. */
    rows_per_second: z.number(),
    /** The last batch. */
    progress: z
      .object({
        batch: z.number(),
        rows: z.number(),
        batch_ms: z.number().nullable(),
        lag: z.number().nullable(),
        event_time: instant.nullable(),
        offsets: z.unknown(),
        at: instant,
      })
      .nullable(),
    /** Since when its lag is above `max_lag`. */
    lagging_since: instant.nullable(),
    max_lag: z.number().nullable(),
    program: z.string(),
    reads: z.array(z.string()),
    emits: z.array(z.string()),
  })
  .meta({ id: "Service" });

export const serviceCollection = z
  .object({ services: z.array(service), total_entries: z.number() })
  .meta({ id: "ServiceCollection" });

export const serviceAttempt = z
  .object({
    number: z.number(),
    version: z.number(),
    state: z.enum(SERVICE_ATTEMPT_STATES),
    reason: z.string().nullable(),
    host: z.string(),
    pid: z.number().nullable(),
    started_at: instant,
    ready_at: instant.nullable(),
    ended_at: instant.nullable(),
    error: failure.nullable(),
    batches: z.number(),
    rows: z.number(),
  })
  .meta({ id: "ServiceAttempt" });

export const serviceAttemptCollection = z
  .object({ attempts: z.array(serviceAttempt) })
  .meta({ id: "ServiceAttemptCollection" });

export const serviceProgress = z
  .object({
    service_id: z.string(),
    minutes: z.number(),
    /** Length of a step; `at` of a point is its beginning. Steps without a batch are left out. */
    step_seconds: z.number(),
    points: z.array(
      z.object({
        at: instant,
        rows: z.number(),
        rows_per_second: z.number(),
        batches: z.number(),
        batch_ms: z.number().nullable(),
        longest_batch_ms: z.number().nullable(),
        lag: z.number().nullable(),
      }),
    ),
  })
  .meta({ id: "ServiceProgress" });

export const servicePatch = z.object({ is_paused: z.boolean() }).meta({ id: "ServicePatch" });

export type Service = z.infer<typeof service>;
export type ServiceCollection = z.infer<typeof serviceCollection>;
export type ServiceAttempt = z.infer<typeof serviceAttempt>;
export type ServiceAttemptCollection = z.infer<typeof serviceAttemptCollection>;
export type ServiceProgress = z.infer<typeof serviceProgress>;
