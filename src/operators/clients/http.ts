/** HTTP requests with limits: of time, of size, of redirects. The only place that calls `fetch`. */
import type { Connection } from "../../dag/operator.ts";
import { messageOf, QflowError } from "../../errors.ts";
import { isSecretName } from "../../metadata/secrets/names.ts";
import type { HttpMethod } from "../http-methods.ts";

/** What is asked. */
export interface HttpRequest {
  readonly url: URL;
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Of the whole exchange, redirects and body included. */
  readonly timeoutMs: number;
  /** Of the body, once decompressed. */
  readonly maxBytes: number;
  readonly maxRedirects: number;
  readonly signal: AbortSignal;
}

/** What was answered. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/**
 * Makes a request and reads its answer, whatever its status. Throws HTTP_UNREACHABLE, HTTP_TIMEOUT, HTTP_TOO_LARGE, HTTP_REDIRECT,
 * and the signal's reason when it is aborted.
 */
export async function httpRequest(request: HttpRequest): Promise<HttpResponse> {
  const deadline = AbortSignal.timeout(request.timeoutMs);
  const signal = AbortSignal.any([request.signal, deadline]);
  try {
    const response = await follow(request, signal);
    return { status: response.status, headers: response.headers, body: await readBody(response, request) };
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (error instanceof QflowError) throw error;
    const name = nameOf(request.url);
    if (deadline.aborted)
      throw new QflowError("HTTP_TIMEOUT", `${name} did not answer within ${request.timeoutMs / 1000} s`);
    throw new QflowError("HTTP_UNREACHABLE", `${name} cannot be reached: ${causeOf(error)}`);
  }
}

/** Address without what may hold secrets: no user, no query. */
export function nameOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** The address of a path at a connection, and the headers that its credentials make. */
export function requestOf(connection: Connection, path: string): { url: URL; headers: Record<string, string> } {
  const scheme = connection.kind === "https" || connection.options.tls === "true" ? "https" : "http";
  const port = connection.port > 0 ? `:${connection.port}` : "";
  const base = `${scheme}://${connection.host}${port}`;
  const text = `${base}${connection.path.replace(/\/+$/, "")}/${path.replace(/^\/+/, "")}`;
  if (connection.host === "" || !URL.canParse(text))
    throw new QflowError("OPERATOR_CONFIG", `connection ${connection.id} and path ${path} make no address`);
  return { url: new URL(text), headers: credentials(connection) };
}

function credentials({ user, password, options }: Connection): Record<string, string> {
  if (options.token) return { authorization: `Bearer ${options.token}` };
  if (user === "" && password === "") return {};
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

async function follow(request: HttpRequest, signal: AbortSignal): Promise<Response> {
  let { url, method, headers, body } = request;
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { method, headers, body, signal, redirect: "manual" });
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    if (redirects >= request.maxRedirects)
      throw redirectError(request, `redirects more than ${request.maxRedirects} times`);
    const next = nextUrl(location, url, request);
    // Credentials are for the server that they were given for.
    if (next.origin !== url.origin) headers = withoutSecrets(headers);
    if (response.status === 303 || (response.status < 303 && method === "POST")) {
      if (method !== "HEAD") method = "GET";
      body = null;
    }
    url = next;
  }
}

function nextUrl(location: string, from: URL, request: HttpRequest): URL {
  if (!URL.canParse(location, from.href)) throw redirectError(request, "redirects to what is no address");
  const next = new URL(location, from);
  if (next.protocol !== "http:" && next.protocol !== "https:")
    throw redirectError(request, `redirects to ${next.protocol}`);
  if (from.protocol === "https:" && next.protocol === "http:")
    throw redirectError(request, `redirects from https to ${nameOf(next)}, which is not encrypted`);
  return next;
}

function redirectError({ url }: HttpRequest, what: string): QflowError {
  return new QflowError("HTTP_REDIRECT", `${nameOf(url)} ${what}`);
}

function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => !isSecretName(name) && !/^cookie$/i.test(name));
  return Object.fromEntries(kept);
}

async function readBody(response: Response, { url, maxBytes }: HttpRequest): Promise<Buffer> {
  const portions: Uint8Array[] = [];
  let bytes = 0;
  for await (const portion of response.body ?? []) {
    bytes += portion.byteLength;
    if (bytes > maxBytes)
      throw new QflowError("HTTP_TOO_LARGE", `${nameOf(url)} answered with more than ${maxBytes} bytes`);
    portions.push(portion);
  }
  return Buffer.concat(portions);
}

/** fetch says "fetch failed" and hides why. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const { code } = (cause ?? {}) as { code?: unknown };
  const text = cause === undefined ? messageOf(error) : messageOf(cause);
  return text === "" || typeof code !== "string" || text.includes(code) ? text || String(code) : `${code} ${text}`;
}

/** Milliseconds a server asks to wait before the next request; null where it does not say. `now` = milliseconds since 1970. */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** The JSON of an answer. Throws HTTP_NOT_JSON. */
export function jsonOf(url: URL, { body, status }: HttpResponse): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    const start = body.toString("utf8", 0, 80).replaceAll(/\s+/g, " ");
    throw new QflowError("HTTP_NOT_JSON", `${nameOf(url)} answered ${status} with what is not JSON: ${start}`);
  }
}
