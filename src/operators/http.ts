/** `http`: one request to a server. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import type { Json } from "../dag/spec.ts";
import { HTTP_METHODS } from "./http-methods.ts";

/** Where a request goes: an address, or a path at a connection. */
export const httpTargetSchema = z.strictObject({
  /** Address with http or https. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** Connection id, in place of `url`: `http://user:password@host:port/prefix`; `?token=…` is sent as a Bearer token. */
  connection: z.string().min(1).optional(),
  /** At the connection. */
  path: z.string().default("/"),
  /** Appended to the address. */
  query: z.record(z.string(), z.string()).default({}),
  /** Sent with the request. Secrets belong into the connection. */
  headers: z.record(z.string(), z.string()).default({}),
});

const exactlyOne = (config: { url?: string | undefined; connection?: string | undefined }) =>
  (config.url === undefined) !== (config.connection === undefined);

/** Config of {@link http}. */
export const httpSchema = httpTargetSchema
  .extend({
    method: z.enum(HTTP_METHODS).default("GET"),
    /** A string is sent as it is, anything else as JSON. */
    body: z.unknown().optional(),
    /** Statuses that are a success; 200 to 299 unless set. */
    expect: z.array(z.number().int().min(200).max(599)).min(1).optional(),
    /** What becomes of the body: parsed, kept as text, or dropped. */
    response: z.enum(["json", "text", "none"]).default("json"),
    /** Larger bodies fail the task. */
    maxBytes: z.number().int().min(1).max(67_108_864).default(1_048_576),
    /** Of one request. */
    timeoutSeconds: z.number().positive().max(3600).default(60),
    redirects: z.number().int().min(0).max(20).default(5),
    /** Longest time, in all, that a server may make it wait with 429 or 503 and Retry-After before the task fails. */
    rateLimitSeconds: z.number().min(0).max(3600).default(60),
  })
  .refine(exactlyOne, "set either url or connection");

/** What was answered: the XCom of {@link http}. */
export interface HttpAnswer {
  status: number;
  /** Parsed JSON, text, or null. */
  body: Json;
}

/** Makes a request. See docs/operators/http.md for what it fails with, and which failures are tried again. */
export const http = defineOperator<HttpAnswer, typeof httpSchema>("http", httpSchema);
