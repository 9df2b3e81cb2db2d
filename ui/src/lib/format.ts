/** Times, durations, sizes and counts as people read them. */
import { COUNTED } from "../../../src/api/contract/counted.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Which zone absolute times are shown in. */
export type ZoneChoice = "utc" | "local";

/** `1m 23s` for a duration in milliseconds; `–` where there is none. */
export function duration(ms: number | null): string {
  if (ms === null || Number.isNaN(ms)) return "–";
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(ms < 10 * SECOND ? 1 : 0)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m ${pad(Math.floor((ms % MINUTE) / SECOND))}s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h ${pad(Math.floor((ms % HOUR) / MINUTE))}m`;
  return `${Math.floor(ms / DAY)}d ${Math.floor((ms % DAY) / HOUR)}h`;
}

/** Milliseconds between two ISO instants; up to `now` where the end is open. */
export function elapsed(start: string | null, end: string | null, now: number): number | null {
  if (start === null) return null;
  return Math.max(0, (end === null ? now : Date.parse(end)) - Date.parse(start));
}

/** `3 min ago`, `in 2 h`. */
export function relative(iso: string, now: number): string {
  const difference = Date.parse(iso) - now;
  const size = Math.abs(difference);
  if (size < 5 * SECOND) return "now";
  const words = sizeInWords(size);
  return difference < 0 ? `${words} ago` : `in ${words}`;
}

function sizeInWords(size: number): string {
  if (size < MINUTE) return `${Math.round(size / SECOND)} s`;
  if (size < HOUR) return `${Math.round(size / MINUTE)} min`;
  if (size < 2 * DAY) return `${Math.round(size / HOUR)} h`;
  return `${Math.round(size / DAY)} days`;
}

/** `2026-11-22 23:10:05 UTC` in the chosen zone. */
export function absolute(iso: string, zone: ZoneChoice): string {
  const parts = dateParts(iso, zone);
  return `${parts.date} ${parts.time}:${parts.second} ${zone === "utc" ? "UTC" : localZoneName(iso)}`;
}

/** `11-22 23:10`: where the year goes without saying. */
export function shortTime(iso: string, zone: ZoneChoice): string {
  const parts = dateParts(iso, zone);
  return `${parts.date.slice(5)} ${parts.time}`;
}

function dateParts(iso: string, zone: ZoneChoice): { date: string; time: string; second: string } {
  const date = new Date(iso);
  const shifted = zone === "utc" ? date : new Date(date.getTime() - date.getTimezoneOffset() * MINUTE);
  const text = shifted.toISOString();
  return { date: text.slice(0, 10), time: text.slice(11, 16), second: text.slice(17, 19) };
}

function localZoneName(iso: string): string {
  const offset = -new Date(iso).getTimezoneOffset();
  const sign = offset < 0 ? "-" : "+";
  return `${sign}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** `1.2 GB` for a number of bytes. */
export function bytes(size: number | null): string {
  if (size === null) return "–";
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit]}`;
}

const grouped = new Intl.NumberFormat("en-US");

/** `12,345`. Decimals that come as text keep every digit. */
export function count(value: number | string | null): string {
  if (value === null) return "–";
  if (typeof value === "number") return grouped.format(value);
  const match = /^(-?)(\d+)(\.\d+)?$/.exec(value);
  if (!match) return value;
  return `${match[1]}${(match[2] ?? "").replace(/\B(?=(\d{3})+$)/g, ",")}${match[3] ?? ""}`;
}

/** `1 run`, `2 runs`. */
export function plural(amount: number, noun: string): string {
  return `${grouped.format(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

/** As {@link plural} for a total of the server: `more than 10,000 runs` where that is an estimate. */
export function atLeast(total: number, noun: string): string {
  return total > COUNTED ? `more than ${plural(COUNTED, noun)}` : plural(total, noun);
}

/** A long id cut in its middle, where both ends tell it from others. */
export function middleCut(text: string, length: number): string {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`;
}
