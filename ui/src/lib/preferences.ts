/** What a person chose in this browser: theme, time zone, wrapping of logs. Kept in local storage, shared by all components. */
import { useSyncExternalStore } from "react";
import type { ZoneChoice } from "./format.ts";

/** The settings and their defaults. */
export interface Preferences {
  theme: "system" | "light" | "dark";
  zone: ZoneChoice;
  wrapLogs: boolean;
}

const DEFAULTS: Preferences = { theme: "system", zone: "utc", wrapLogs: true };
const listeners = new Set<() => void>();
let current = read();

function read(): Preferences {
  const values: Record<string, unknown> = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) {
    try {
      const text = localStorage.getItem(`qflow.${key}`);
      if (text !== null) values[key] = JSON.parse(text);
    } catch {
      // Storage switched off or a value from elsewhere: the default stands.
    }
  }
  return values as unknown as Preferences;
}

/** Changes one setting for every component and for the next visit. */
export function setPreference<K extends keyof Preferences>(key: K, value: Preferences[K]): void {
  current = { ...current, [key]: value };
  try {
    localStorage.setItem(`qflow.${key}`, JSON.stringify(value));
  } catch {
    // Kept for this visit only.
  }
  if (key === "theme") applyTheme(current.theme);
  for (const listener of listeners) listener();
}

function applyTheme(theme: Preferences["theme"]): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** The current settings; re-renders when one changes. */
export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, () => current);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
