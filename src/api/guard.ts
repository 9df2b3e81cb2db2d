/** Who calls, and may they: sessions, tokens, roles, and the checks that keep other web pages out. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Request, RequestHandler } from "express";
import { QflowError } from "../errors.ts";
import { ACCESS_ROLES, findSession, findToken, type Principal } from "../metadata/access.ts";
import type { ApiContext, Guard } from "./route.ts";

export const SESSION_COOKIE = "qflow_session";

const NOBODY: Principal = { name: "anonymous", role: "viewer", via: "session" };

/** The caller, allowed by `guard`. Throws UNAUTHENTICATED or FORBIDDEN. */
export async function admit(api: ApiContext, request: Request, guard: Guard): Promise<Principal> {
  if (guard === "public") return NOBODY;
  const principal = await identify(api, request);
  if (!principal) throw new QflowError("UNAUTHENTICATED", "nobody is logged in here");
  if (principal.via === "machine" && guard !== "machine") {
    throw new QflowError("FORBIDDEN", "the lineage token only sends lineage");
  }
  if (principal.via === "session") refuseForeignOrigin(request);
  const needed = guard === "machine" ? "user" : guard;
  if (principal.via !== "machine" && ACCESS_ROLES.indexOf(principal.role) < ACCESS_ROLES.indexOf(needed)) {
    throw new QflowError("FORBIDDEN", `this needs role ${needed}; you are ${principal.name} (${principal.role})`);
  }
  return principal;
}

async function identify(api: ApiContext, request: Request): Promise<Principal | null> {
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) {
    const machine = api.config.lineage?.token;
    if (machine && sameSecret(bearer, machine)) return { name: "lineage", role: "viewer", via: "machine" };
    return findToken(api.database, bearer);
  }
  const cookie = sessionCookie(request);
  return cookie === null ? null : findSession(api.database, cookie);
}

/** The secret in the session cookie, or null. */
export function sessionCookie(request: Request): string | null {
  for (const part of (request.headers.cookie ?? "").split(";")) {
    const [name, value] = part.trim().split("=", 2);
    if (name === SESSION_COOKIE && value) return value;
  }
  return null;
}

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** A cookie travels with requests that other pages make; only qflow's own page may change anything with it. */
function refuseForeignOrigin(request: Request): void {
  if (SAFE_METHODS.has(request.method)) return;
  const { origin, host } = request.headers;
  if (origin !== undefined && URL.canParse(origin) && new URL(origin).host === host) return;
  throw new QflowError("FORBIDDEN", "changes with a session cookie are taken from qflow's own pages only", {
    remedy: "Send a token as Bearer from programs.",
  });
}

function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** Refuses requests for a name that is not this machine's: a page that points its own name at 127.0.0.1 gets nothing. */
export function refuseForeignHost(bindHost: string): RequestHandler {
  const names = new Set(["localhost", "127.0.0.1", "[::1]", bindHost]);
  const open = bindHost === "0.0.0.0" || bindHost === "::";
  return (request, _response, next) => {
    const name = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (open || names.has(name)) return next();
    next(new QflowError("FORBIDDEN", `this server is not called "${name.slice(0, 100)}"`));
  };
}

/** Headers of every answer. The web client needs no inline script and nothing from elsewhere. */
export const securityHeaders: RequestHandler = (_request, response, next) => {
  response.setHeader(
    "Content-Security-Policy",
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  );
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("X-Frame-Options", "DENY");
  response.setHeader("Referrer-Policy", "no-referrer");
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  next();
};
