/** `/api/dead-messages…`: messages of topics that could not be used. */
import { z } from "zod";
import { DEAD_MESSAGE_STATES } from "../../metadata/dead-messages.ts";
import { instant } from "./shared.ts";

const deadMessage = z
  .object({
    id: z.string(),
    dag_id: z.string(),
    /** Null = it was to start a run of the DAG. */
    task_id: z.string().nullable(),
    topic: z.string(),
    partition: z.number(),
    offset: z.string(),
    sent_at: instant,
    bytes: z.number(),
    reason: z.string(),
    at: instant,
    state: z.enum(DEAD_MESSAGE_STATES),
    replayed_at: instant.nullable(),
  })
  .meta({ id: "DeadMessage" });

/** `GET /api/dead-messages?dag_id=&state=&limit=&offset=`, newest first. */
export const deadMessageCollection = z
  .object({ dead_messages: z.array(deadMessage), total_entries: z.number() })
  .meta({ id: "DeadMessageCollection" });

/** `GET /api/dead-messages/:message_id`: with what it holds, as text where it is one. */
export const deadMessageContent = deadMessage
  .extend({
    key: z.string().nullable(),
    value: z.string().nullable(),
    key_base64: z.string().nullable(),
    /** Null where there is none, or it was too large to be kept; `bytes` tells them apart. */
    value_base64: z.string().nullable(),
  })
  .meta({ id: "DeadMessageContent" });

/** `POST /api/dead-messages/replay`: these, or all of a DAG that were to start a run. */
export const replayBody = z
  .union([
    z.strictObject({ ids: z.array(z.number().int()).min(1).max(1_000) }),
    z.strictObject({ dag_id: z.string().min(1) }),
  ])
  .meta({ id: "ReplayDeadMessages" });

/** What became of them. */
export const replayAnswer = z
  .object({
    /** They wait for a run now. */
    replayed: z.number(),
    /** Another message of the same dedupe key was used: nothing is left to be done. */
    duplicates: z.number(),
    /** They stay open. */
    refused: z.array(z.object({ id: z.number(), reason: z.string() })),
    /** Open ones of the DAG that there was no room for: ask again. */
    left: z.number(),
  })
  .meta({ id: "ReplayedDeadMessages" });

export type DeadMessage = z.infer<typeof deadMessage>;
