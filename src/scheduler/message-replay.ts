/** Gives dead messages another try: they go back to the inbox, from which runs are made. */
import { QflowError } from "../errors.ts";
import type { Sql } from "../metadata/database.ts";
import {
  countOpen,
  type DeadMessageChoice,
  type OpenDeadMessage,
  putBack,
  takeOpen,
} from "../metadata/dead-messages.ts";
import { READ_AHEAD } from "../metadata/message-sources.ts";
import { keyOf, whatLacks } from "./message-identity.ts";

/** What became of a replay. */
export interface MessageReplay {
  /** They wait for a run now. */
  readonly replayed: number;
  /** Another message of the same key has been used: nothing is left to be done. */
  readonly duplicates: number;
  /** They stay open. */
  readonly refused: { readonly id: number; readonly reason: string }[];
  /** Open ones of the DAG that there was no room for. */
  readonly left: number;
}

/** Replays open dead messages, at most as many as may wait in an inbox, in the transaction of `sql`. Throws NOT_FOUND where an id is of none that is open. */
export async function replayDeadMessages(sql: Sql, choice: DeadMessageChoice): Promise<MessageReplay> {
  const open = await takeOpen(sql, choice, READ_AHEAD);
  if ("ids" in choice) {
    const absent = choice.ids.filter((id) => !open.some((one) => one.id === id));
    if (absent.length > 0) throw new QflowError("NOT_FOUND", `there is no open dead message ${absent.join(", ")}`);
  }
  const sorted = open.map((message) => ({ id: message.id, ...placeOf(message) }));
  const good = sorted.flatMap((one) => ("dedupeKey" in one ? [one] : []));
  const replayed = await putBack(sql, good);
  const refused = sorted.flatMap((one) => ("reason" in one ? [one] : []));
  const left = "dagId" in choice ? (await countOpen(sql, choice.dagId)) - refused.length : 0;
  return { replayed, duplicates: good.length - replayed, refused, left: Math.max(0, left) };
}

/** By which key a message goes back, or why it cannot. */
function placeOf({
  id,
  taskId,
  key,
  value,
  dedupeKey,
  schedule,
}: OpenDeadMessage): { dedupeKey: string } | { reason: string } {
  if (taskId !== null) return { reason: `task ${taskId} consumed it: only messages that start runs can be replayed` };
  if (schedule === null) return { reason: "messages do not start its DAG any more" };
  if (dedupeKey !== null) return { dedupeKey };
  // Of the place in its topic nothing more than this number is known.
  if (schedule.dedupe === "offset") return { dedupeKey: `replay/${id}` };
  const found = keyOf({ key, value }, schedule.dedupe);
  return found === null ? { reason: whatLacks(schedule.dedupe) } : { dedupeKey: found };
}
