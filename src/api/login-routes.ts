/** Logging in by one-time link, out, and who am I. */
import { z } from "zod";
import { endSession, redeemLoginLink } from "../metadata/access.ts";
import { me } from "./contract.ts";
import { SESSION_COOKIE, sessionCookie } from "./guard.ts";
import { route } from "./route.ts";

const login = route({
  method: "get",
  path: "/login",
  guard: "public",
  summary: "Turns a one-time login link into a session cookie.",
  query: z.object({ token: z.string().max(200).default("") }),
  handle: async ({ api, query, raw }) => {
    raw.response.setHeader("Cache-Control", "no-store");
    const redeemed = await redeemLoginLink(api.database, query.token).catch((error: unknown) => {
      // A person is better served by the page that says how to get another link than by a line of JSON.
      if (raw.request.accepts(["json", "html"]) !== "html") throw error;
      return null;
    });
    if (redeemed === null) return raw.response.redirect(303, "/");
    const { session, maxAgeSeconds } = redeemed;
    raw.response.setHeader(
      "Set-Cookie",
      `${SESSION_COOKIE}=${session}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAgeSeconds}`,
    );
    raw.response.redirect(303, "/");
  },
});

const logout = route({
  method: "post",
  path: "/api/logout",
  guard: "viewer",
  summary: "Ends the session.",
  handle: async ({ api, raw }) => {
    const secret = sessionCookie(raw.request);
    if (secret) await endSession(api.database, secret);
    raw.response.setHeader("Set-Cookie", `${SESSION_COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0`);
    raw.response.status(204).end();
  },
});

const whoAmI = route({
  method: "get",
  path: "/api/me",
  guard: "viewer",
  summary: "Who is logged in.",
  response: me,
  handle: async ({ principal }) => ({ name: principal.name, role: principal.role }),
});

/** Login. */
export const loginRoutes = [login, logout, whoAmI];
