/** `/api/dead-messages`: what could not be used of topics, and another try for it. */
import { z } from "zod";
import { QflowError } from "../errors.ts";
import {
  DEAD_MESSAGE_STATES,
  type DeadMessageRow,
  getDeadMessage,
  listDeadMessages,
} from "../metadata/dead-messages.ts";
import { textOf } from "../operators/clients/json-text.ts";
import { replayDeadMessages } from "../scheduler/message-replay.ts";
import { iso, isoOrNull } from "./airflow/shape.ts";
import { type DeadMessage, deadMessageCollection, deadMessageContent, replayAnswer, replayBody } from "./contract.ts";
import { route } from "./route.ts";

function shape(row: DeadMessageRow): DeadMessage {
  const { sent_at: sentAt, at, replayed_at: replayedAt, ...rest } = row;
  return { ...rest, sent_at: iso(sentAt), at: iso(at), replayed_at: isoOrNull(replayedAt) };
}

const list = route({
  method: "get",
  path: "/api/dead-messages",
  guard: "viewer",
  summary: "Messages that could not be used, newest first, without what they hold.",
  query: z.object({
    dag_id: z.string().optional(),
    state: z.enum(DEAD_MESSAGE_STATES).optional(),
    limit: z.coerce.number().int().min(0).max(1_000).default(100),
    offset: z.coerce.number().int().min(0).default(0),
  }),
  response: deadMessageCollection,
  handle: async ({ api, query }) => {
    const page = await listDeadMessages(api.database, { dagId: query.dag_id, state: query.state }, query);
    return { dead_messages: page.rows.map(shape), total_entries: page.total };
  },
});

const getOne = route({
  method: "get",
  path: "/api/dead-messages/:message_id",
  guard: "user",
  summary: "One dead message with its key and value.",
  response: deadMessageContent,
  handle: async ({ api, params }) => {
    if (!/^\d{1,15}$/.test(params.message_id)) throw new QflowError("NOT_FOUND", "a dead message is a number");
    const { key, value, ...row } = await getDeadMessage(api.database, Number(params.message_id));
    const base64 = (bytes: Buffer | null) => bytes?.toString("base64") ?? null;
    return {
      ...shape(row),
      key: textOf(key),
      value: textOf(value),
      key_base64: base64(key),
      value_base64: base64(value),
    };
  },
});

const replay = route({
  method: "post",
  path: "/api/dead-messages/replay",
  guard: "user",
  summary: "Gives dead messages another try: those named, or all of a DAG that were to start a run.",
  body: replayBody,
  response: replayAnswer,
  handle: ({ body, mutate }) =>
    mutate({ action: "dead_messages.replay", details: { ...body } }, (db) =>
      db.transaction((sql) => replayDeadMessages(sql, "ids" in body ? body : { dagId: body.dag_id })),
    ),
});

/** Dead messages. */
export const deadMessageRoutes = [list, getOne, replay];
