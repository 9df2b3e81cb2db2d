/** Request bodies: size, compression and depth limits before anything looks inside. */
import express, { type RequestHandler } from "express";
import { QflowError } from "../errors.ts";

const DEFAULT_LIMIT = "1mb";
const LINEAGE_LIMIT = "32mb";
const MAX_DEPTH = 64;
const MAX_VALUES = 500_000;

/** JSON bodies of ordinary requests; gzip is inflated and counted as inflated. */
export const jsonBody: RequestHandler[] = [express.json({ limit: DEFAULT_LIMIT, strict: false }), refuseDeep];

/** JSON bodies of lineage events, which can hold plans of hundreds of kilobytes each. */
export const lineageBody: RequestHandler[] = [express.json({ limit: LINEAGE_LIMIT, strict: false }), refuseDeep];

function refuseDeep(request: { body?: unknown }, _response: unknown, next: (error?: unknown) => void): void {
  next(depthProblem(request.body));
}

/** Walks without recursion: the depth of what was sent must not become the depth of our stack. */
function depthProblem(body: unknown): QflowError | undefined {
  const waiting: { value: unknown; depth: number }[] = [{ value: body, depth: 0 }];
  let seen = 0;
  for (let item = waiting.pop(); item; item = waiting.pop()) {
    seen += 1;
    if (item.depth > MAX_DEPTH || seen > MAX_VALUES) {
      return new QflowError(
        "REQUEST_TOO_LARGE",
        `the body nests deeper than ${MAX_DEPTH} or holds more than ${MAX_VALUES} values`,
      );
    }
    if (typeof item.value !== "object" || item.value === null) continue;
    for (const value of Object.values(item.value)) waiting.push({ value, depth: item.depth + 1 });
  }
  return undefined;
}
