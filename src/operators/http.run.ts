/** The work of `http`. */
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import type { Connection } from "../dag/operator.ts";
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import {
  type HttpRequest,
  type HttpResponse,
  httpRequest,
  jsonOf,
  nameOf,
  requestOf,
  retryAfterMs,
} from "./clients/http.ts";
import type { httpSchema, httpTargetSchema } from "./http.ts";
import type { OperatorContext } from "./run.ts";

type HttpConfig = z.output<typeof httpSchema>;

/** A body that is shown when a request fails is cut here, in characters. */
const SHOWN = 500;

/** Asks until there is an answer that is not "later". */
export async function run(config: HttpConfig, context: OperatorContext): Promise<{ status: number; body: Json }> {
  const request = requestFrom(config, context);
  const patience = { leftMs: config.rateLimitSeconds * 1000 };
  for (;;) {
    const startedAt = performance.now();
    const response = await httpRequest(request);
    const { status, body } = response;
    const facts = { status, bytes: body.length, ms: Math.round(performance.now() - startedAt) };
    context.log.info(`${request.method} ${nameOf(request.url)}`, facts);
    if (isExpected(config, status)) return { status, body: bodyOf(config, request, response) };
    if (!isRateLimited(response)) throw refused(request, response);
    await waitAsTold(request, response, { context, patience });
  }
}

/** The address and headers of a target. */
export function targetOf(
  { url, path, query, headers }: z.output<typeof httpTargetSchema>,
  connection: Connection | null,
): { url: URL; headers: Record<string, string> } {
  const target = connection === null ? { url: new URL(url ?? ""), headers: {} } : requestOf(connection, path);
  for (const [name, value] of Object.entries(query)) target.url.searchParams.append(name, value);
  return { url: target.url, headers: { "user-agent": "qflow", ...target.headers, ...headers } };
}

function requestFrom(config: HttpConfig, context: OperatorContext): HttpRequest {
  const connection = config.connection === undefined ? null : context.connection(config.connection);
  const target = targetOf(config, connection);
  const isText = typeof config.body === "string";
  const named = Object.keys(target.headers).some((name) => name.toLowerCase() === "content-type");
  const type: Record<string, string> =
    config.body === undefined || isText || named ? {} : { "content-type": "application/json" };
  return {
    url: target.url,
    method: config.method,
    headers: { ...type, ...target.headers },
    body: config.body === undefined ? null : isText ? (config.body as string) : JSON.stringify(config.body),
    timeoutMs: config.timeoutSeconds * 1000,
    maxBytes: config.maxBytes,
    maxRedirects: config.redirects,
    signal: context.signal,
  };
}

function isExpected({ expect }: HttpConfig, status: number): boolean {
  return expect === undefined ? status >= 200 && status < 300 : expect.includes(status);
}

function bodyOf({ response: wanted }: HttpConfig, request: HttpRequest, response: HttpResponse): Json {
  if (wanted === "none" || response.body.length === 0) return null;
  return wanted === "text" ? response.body.toString("utf8") : (jsonOf(request.url, response) as Json);
}

/** 503 alone is a server in trouble; one that says when to come back is only busy. */
function isRateLimited({ status, headers }: HttpResponse): boolean {
  return status === 429 || (status === 503 && headers.has("retry-after"));
}

/** Without a time of the server's own. */
const PAUSE_MS = 1_000;

interface Wait {
  context: OperatorContext;
  patience: { leftMs: number };
}

async function waitAsTold(request: HttpRequest, response: HttpResponse, { context, patience }: Wait): Promise<void> {
  const toldMs = Math.max(PAUSE_MS, retryAfterMs(response.headers, Date.now()) ?? PAUSE_MS);
  if (toldMs > patience.leftMs) {
    throw new QflowError(
      "HTTP_RATE_LIMITED",
      `${nameOf(request.url)} answered ${response.status}: come back in ${Math.ceil(toldMs / 1000)} s, which is longer than may be waited`,
      // The next try, where there is one, does not come before that.
      { details: { retryAfterMs: toldMs } },
    );
  }
  patience.leftMs -= toldMs;
  context.log.info(`rate limited (${response.status}): asking again in ${Math.ceil(toldMs / 1000)} s`);
  await sleep(toldMs, undefined, { signal: context.signal });
}

/** What passes by itself is tried again; what the request itself is to blame for is not. */
function refused(request: HttpRequest, response: HttpResponse): QflowError {
  const { status, body } = response;
  const passes = status >= 500 || status === 408 || status === 425;
  const text = body.toString("utf8", 0, SHOWN * 4).slice(0, SHOWN);
  return new QflowError(
    passes ? "HTTP_UNAVAILABLE" : "HTTP_REFUSED",
    `${request.method} ${nameOf(request.url)} answered ${status}${text === "" ? "" : `: ${text}`}`,
    { details: { status } },
  );
}
