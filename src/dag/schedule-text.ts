/** How schedules read. */
import { datasetsIn } from "./datasets.ts";
import type { MessageSchedule, ScheduleSpec } from "./spec.ts";

/** A few words, as in a column: `30 2 * * *`, `every 15m`, `@once`, `Dataset`. Null = by hand. */
export function scheduleSummary(schedule: ScheduleSpec | null): string | null {
  if (schedule === null) return null;
  switch (schedule.kind) {
    case "datasets":
      return "Dataset";
    case "messages":
      return `topic ${schedule.topic}`;
    case "every":
      return `every ${periodText(schedule.milliseconds)}`;
    case "once":
    case "continuous":
      return `@${schedule.kind}`;
    default:
      return schedule.expression;
  }
}

/** A whole phrase: `30 2 * * * (Africa/Cairo), business days only`, `datasets (a, b)`. */
export function scheduleDescription(schedule: ScheduleSpec | null): string {
  if (schedule === null) return "by hand";
  switch (schedule.kind) {
    case "datasets":
      return `datasets (${datasetsIn(schedule.condition).join(", ")})${CONSUMED[schedule.consume]}`;
    case "messages":
      return `messages of topic ${schedule.topic} (${schedule.connection})${windowText(schedule.window)}`;
    case "every":
      return `every ${periodText(schedule.milliseconds)}`;
    case "once":
      return "once";
    case "continuous":
      return "again as soon as a run has ended";
    default:
      return `${schedule.expression} (${schedule.timezone})${CLOSED[schedule.calendar?.onClosedDay ?? "none"]}`;
  }
}

function windowText(window: MessageSchedule["window"]): string {
  return window === null
    ? ", a run a message"
    : `, a run for up to ${window.messages} of them or ${periodText(window.milliseconds)}`;
}

const CONSUMED = { pending: "", each: ", a run an event", partition: ", a run a partition" };
const CLOSED = { none: "", skip: ", business days only", nextBusinessDay: ", moved to business days" };

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const;

function periodText(milliseconds: number): string {
  let rest = milliseconds;
  const parts = UNITS.flatMap(([unit, length]) => {
    const whole = Math.floor(rest / length);
    rest -= whole * length;
    return whole === 0 ? [] : [`${whole}${unit}`];
  });
  return [...parts, ...(rest === 0 ? [] : [`${rest}ms`])].join(" ");
}
