/** Where one is, and the switches that every page has. */
import { Icon } from "../components/icon.tsx";
import { useLiveState } from "../lib/live.ts";
import { type Preferences, setPreference, usePreferences } from "../lib/preferences.ts";
import { Crumbs } from "./crumbs.tsx";

const LIVE_WORDS = { off: "", connecting: "Connecting", live: "Live", reconnecting: "Reconnecting…" } as const;
const NEXT_THEME = { system: "light", light: "dark", dark: "system" } as const;
const THEME_ICONS = { system: "system", light: "sun", dark: "moon" } as const;

export function TopBar({ onSearch, onHelp }: { onSearch: () => void; onHelp: () => void }) {
  return (
    <header className="top-bar">
      <Crumbs />
      <button type="button" className="button search-button" aria-label="Search" onClick={onSearch}>
        <Icon name="search" size={14} />
        <span>Search</span>
        <kbd>Ctrl K</kbd>
      </button>
      <ZoneSwitch />
      <LiveBadge />
      <ThemeSwitch />
      <button
        type="button"
        className="button quiet icon only-wide"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={onHelp}
      >
        <Icon name="help" />
      </button>
    </header>
  );
}

function ZoneSwitch() {
  const { zone } = usePreferences();
  return (
    <button
      type="button"
      className="button quiet"
      title="Zone of the times shown"
      aria-label={`Times are in ${zone === "utc" ? "UTC" : "local time"}; switch`}
      onClick={() => setPreference("zone", zone === "utc" ? "local" : "utc")}
    >
      {zone === "utc" ? "UTC" : "Local"}
    </button>
  );
}

function ThemeSwitch() {
  const { theme } = usePreferences();
  const next: Preferences["theme"] = NEXT_THEME[theme];
  const label = `Theme: ${theme}; switch to ${next}`;
  return (
    <button
      type="button"
      className="button quiet icon"
      aria-label={label}
      title={label}
      onClick={() => setPreference("theme", next)}
    >
      <Icon name={THEME_ICONS[theme]} />
    </button>
  );
}

function LiveBadge() {
  const live = useLiveState();
  return (
    <span className="live" data-live={live} role="status" title="Whether changes arrive by themselves">
      {LIVE_WORDS[live]}
    </span>
  );
}
