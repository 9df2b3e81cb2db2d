/** From what was thrown to what is answered. */
import type { ErrorRequestHandler, Response } from "express";
import type { z } from "zod";
import { type ErrorCode, messageOf, QflowError } from "../errors.ts";
import type { ApiError } from "./contract.ts";

/** Codes whose HTTP status is not 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  USAGE: 400,
  PARAMS_INVALID: 400,
  SQL_NOT_READ_ONLY: 400,
  UNAUTHENTICATED: 401,
  LOGIN_LINK_INVALID: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  REQUEST_TOO_LARGE: 413,
  REQUEST_INVALID: 422,
  NOT_SUPPORTED: 501,
  DATABASE_UNAVAILABLE: 503,
  ENGINE_FAILED: 503,
  HIVE_UNAVAILABLE: 503,
  HIVE_QUERY_INVALID: 400,
  HIVE_FAILED: 400,
  HIVE_TIMEOUT: 504,
};

/** Answers with an error as Airflow shapes it, plus code and remedy. */
export function answerError(response: Response, error: QflowError, status = STATUS[error.code] ?? 500): void {
  const body: ApiError = { detail: error.message, code: error.code, remedy: error.remedy };
  if (Object.keys(error.details).length > 0) body.details = { ...error.details };
  if (status === 401) response.setHeader("WWW-Authenticate", 'Bearer realm="qflow"');
  response.status(status).json(body);
}

/** A request whose query or body does not fit; names the first place and lists all. */
export function invalidRequest(where: "query" | "body", error: z.ZodError): QflowError {
  const issues = error.issues.map((issue) => ({ at: [where, ...issue.path].join("."), message: issue.message }));
  const [first] = issues;
  return new QflowError("REQUEST_INVALID", `${first?.at}: ${first?.message}`, { details: { issues } });
}

/** The last middleware: whatever was thrown becomes an answer; defects are told to `report` and not to the reader. */
export function errorHandler(report: (error: unknown) => void): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const known = asQflowError(error);
    if (known) {
      answerError(response, known.error, known.status);
      return;
    }
    report(error);
    answerError(
      response,
      new QflowError("INTERNAL", "qflow failed while answering", { remedy: "Read the log of the api process." }),
    );
  };
}

/** Connection-level failures of PostgreSQL: it is down, starting, or ended the session. */
const DATABASE_GONE = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "57P01", "57P02", "57P03", "08006", "08001"]);

function asQflowError(error: unknown): { error: QflowError; status?: number } | null {
  if (error instanceof QflowError) return { error };
  if (!(error instanceof Error)) return null;
  const { code, status, type } = error as Error & { code?: unknown; status?: unknown; type?: unknown };
  if (type === "entity.too.large") return { error: new QflowError("REQUEST_TOO_LARGE", "the body is too large") };
  if (typeof status === "number" && status >= 400 && status < 500) {
    return { error: new QflowError("REQUEST_INVALID", messageOf(error)), status };
  }
  if (typeof code === "string" && DATABASE_GONE.has(code)) {
    return { error: new QflowError("DATABASE_UNAVAILABLE", "the database does not answer", { cause: error }) };
  }
  return null;
}
