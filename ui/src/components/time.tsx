/** Times and durations that stay current by themselves. */
import { useNow } from "../lib/clock.ts";
import { absolute, duration, elapsed, relative, shortTime } from "../lib/format.ts";
import { usePreferences } from "../lib/preferences.ts";

/** Relative in text, absolute in the tooltip. */
export function Ago({ at }: { at: string | null }) {
  const now = useNow();
  const { zone } = usePreferences();
  if (at === null) return <span className="faint">–</span>;
  return (
    <time dateTime={at} title={absolute(at, zone)}>
      {relative(at, now)}
    </time>
  );
}

/** The instant itself, in the chosen zone. */
export function At({ at, format = "long" }: { at: string | null; format?: "long" | "short" }) {
  const { zone } = usePreferences();
  if (at === null) return <span className="faint">–</span>;
  return (
    <time dateTime={at} title={absolute(at, zone)}>
      {format === "long" ? absolute(at, zone) : shortTime(at, zone)}
    </time>
  );
}

/** How long something took, counting while it runs. */
export function Took({ start, end }: { start: string | null; end: string | null }) {
  const now = useNow();
  return <span>{duration(elapsed(start, end, now))}</span>;
}
