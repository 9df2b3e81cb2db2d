/** Logs of tries: pages by line, continued with a token while the try runs. */
import { z } from "zod";
import { QflowError } from "../errors.ts";
import { findAttempt } from "../metadata/views/task-views.ts";
import { readLog, type LogLine as StoredLine } from "../metadata/work.ts";
import { instanceKey } from "./airflow/task-routes.ts";
import { type LogLine, type LogPage, logPage } from "./contract.ts";
import { route } from "./route.ts";

const LINES_A_PAGE = 1000;

/** A stored line as it is answered. */
export function lineShape(stored: StoredLine & { line: number }): LogLine {
  const stream = stored.level === "stdout" || stored.level === "stderr" ? stored.level : null;
  const level = stored.level === "warn" ? "warning" : stream ? "info" : (stored.level as LogLine["level"]);
  return { line: stored.line, timestamp: stored.at, level, event: stored.text, logger: stream ?? "task" };
}

const getLog = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/dagRuns/:run_id/taskInstances/:task_id/logs/:try_number",
  guard: "viewer",
  summary: "Lines of a try's log. Ask again with `token` for what came after; as plain text with `Accept: text/plain`.",
  query: z.object({
    map_index: z.coerce.number().int().min(-1).default(-1),
    token: z
      .string()
      .regex(/^\d{1,9}$/, "a token comes from an answer before")
      .optional(),
    from_line: z.coerce.number().int().min(1).default(1),
    limit: z.coerce.number().int().min(1).max(10_000).default(LINES_A_PAGE),
    full_content: z.string().optional(),
  }),
  response: logPage,
  handle: async ({ api, params, query, raw }): Promise<LogPage | undefined> => {
    const tryNumber = Number(params.try_number);
    if (!Number.isSafeInteger(tryNumber)) throw new QflowError("NOT_FOUND", "a try is a number");
    const attemptId = await findAttempt(api.database, instanceKey(params, query.map_index), tryNumber);
    const from = query.token === undefined ? query.from_line : Number(query.token);
    const page = await readLog(api.database, attemptId, from, query.limit);
    if (raw.request.accepts(["json", "text/plain"]) === "text/plain") {
      raw.response
        .type("text/plain")
        .send(page.lines.map((line) => `${line.at} ${line.level} ${line.text}\n`).join(""));
      return undefined;
    }
    const atEnd = page.complete && page.lines.length < query.limit;
    return {
      content: page.lines.map(lineShape),
      continuation_token: atEnd ? null : String(page.nextLine),
      complete: atEnd,
      total_lines: page.nextLine - 1,
    };
  },
});

/** Logs. */
export const logRoutes = [getLog];
