/** Receives OpenLineage events: stored, acknowledged, processed after. */
import { z } from "zod";
import { QflowError } from "../errors.ts";
import { processLineage, storeLineageEvents } from "../metadata/lineage.ts";
import type { ApiContext } from "./route.ts";
import { route } from "./route.ts";

const MAX_BATCH = 1000;
const event = z.record(z.string(), z.unknown());

/** Processing goes on after the answer; what fails here is taken up by the next event or by upkeep. */
function processSoon(api: ApiContext): void {
  processLineage(api.database).catch(() => {});
}

async function receive(api: ApiContext, events: readonly unknown[]): Promise<{ received: number; stored: number }> {
  if (events.length > MAX_BATCH) throw new QflowError("REQUEST_TOO_LARGE", `at most ${MAX_BATCH} events at once`);
  const stored = await storeLineageEvents(api.database, events);
  if (stored > 0) processSoon(api);
  return { received: events.length, stored };
}

const post = route({
  method: "post",
  path: "/api/v1/lineage",
  guard: "machine",
  summary: "Takes one OpenLineage 2-0-2 event, or an array of them; gzip welcome. Repeated events change nothing.",
  body: z.union([event, z.array(event)]),
  status: 201,
  handle: ({ api, body }) => receive(api, Array.isArray(body) ? body : [body]),
});

const batch = route({
  method: "post",
  path: "/api/v1/lineage/batch",
  guard: "machine",
  summary: "Takes an array of OpenLineage events; one that is no object fails alone.",
  body: z.array(z.unknown()),
  handle: async ({ api, body }) => {
    const good = body.filter((one) => event.safeParse(one).success);
    await receive(api, good);
    const failed = body.flatMap((one, index) =>
      event.safeParse(one).success ? [] : [{ index, reason: "not an object", retriable: false }],
    );
    return {
      status: failed.length === 0 ? "success" : "partial_success",
      summary: {
        received: body.length,
        successful: good.length,
        failed: failed.length,
        retriable: 0,
        non_retriable: failed.length,
      },
      failed_events: failed,
    };
  },
});

/** OpenLineage. */
export const lineageRoutes = [post, batch];
