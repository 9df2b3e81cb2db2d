/** Requests to the API. Every failure is an {@link ApiError}: code, sentence, what to do. */
import type { ApiError as ApiErrorBody } from "../../../src/api/contract.ts";

/** A failed request, or a thrown thing made presentable. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: string;
  readonly remedy: string;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly details: Record<string, unknown>;

  constructor(content: {
    status: number;
    code: string;
    message: string;
    remedy: string;
    details?: Record<string, unknown>;
  }) {
    super(content.message);
    this.status = content.status;
    this.code = content.code;
    this.remedy = content.remedy;
    this.details = content.details ?? {};
  }

  /** The error itself, or what can be said about anything else that was thrown. */
  static from(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new ApiError({ status: 0, code: "UI_ERROR", message, remedy: "Reload the page." });
  }
}

/** Values of a query string; absent ones are left out, each of several is said. */
export type Params = Record<string, string | number | boolean | readonly string[] | null | undefined>;

/** `/api/v2/dags/etl?limit=5` from encoded path segments and parameters. */
export function url(segments: readonly string[], params: Params = {}): string {
  const path = `/api/${segments.map(encodeURIComponent).join("/")}`;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) for (const one of value) query.append(name, one);
    else if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

/** GET. `T` is the contract's type of that address. Throws {@link ApiError}. */
export function get<T>(address: string, signal?: AbortSignal): Promise<T> {
  return request<T>(address, signal ? { signal } : {});
}

/** POST, PATCH or PUT of a JSON body. Throws {@link ApiError}. */
export function send<T>(
  method: "POST" | "PATCH" | "PUT",
  address: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const init: RequestInit = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return request<T>(address, signal ? { ...init, signal } : init);
}

async function request<T>(address: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError({
      status: 0,
      code: "SERVER_UNREACHABLE",
      message: "qflow's API does not answer.",
      remedy: "Check that `npm start` (or `qflow api`) is running; this page goes on by itself when it is back.",
    });
  }
  if (response.ok) return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
  throw await failure(response);
}

async function failure(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as Partial<ApiErrorBody> | null;
  return new ApiError({
    status: response.status,
    code: body?.code ?? `HTTP_${response.status}`,
    message: typeof body?.detail === "string" ? body.detail : `The API answered ${response.status}.`,
    remedy: body?.remedy ?? "",
    ...(body?.details ? { details: body.details } : {}),
  });
}
