/** The few line icons of the UI, 16 px, drawn with the text's colour. */
const PATHS = {
  home: "M2.5 7.5 8 3l5.5 4.5M4 6.5V13h8V6.5",
  dags: "M3 8h4m0 0 3-4h3M7 8l3 4h3M3 8h0",
  services: "M2.5 5c2-2 4-2 5.5 0s3.5 2 5.5 0M2.5 11c2-2 4-2 5.5 0s3.5 2 5.5 0",
  datasets:
    "M3 4.5C3 3.4 5.2 2.5 8 2.5s5 .9 5 2-2.2 2-5 2-5-.9-5-2zm0 0v7c0 1.1 2.2 2 5 2s5-.9 5-2v-7M3 8c0 1.1 2.2 2 5 2s5-.9 5-2",
  dashboards: "M2.5 13.5h11M4.5 11V7.5M8 11V3M11.5 11V5.5",
  sql: "M3 4l3.5 4L3 12M8 12.5h5",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zm3.6-1.4L14 14",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  play: "M5 3.5v9l7-4.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  clear: "M12.5 6A5 5 0 1 0 13 9M13 3v3h-3",
  stop: "M4.5 4.5h7v7h-7z",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  system: "M2.5 3.5h11v7h-11zM6 13.5h4",
  chevron: "M6 3.5 10.5 8 6 12.5",
  down: "M3.5 6 8 10.5 12.5 6",
  link: "M6.5 9.5l3-3M7 5l1.5-1.5a2.5 2.5 0 0 1 4 3.5L11 8.5M9 11l-1.5 1.5a2.5 2.5 0 0 1-4-3.5L5 7.5",
  wrap: "M2.5 4h11M2.5 8h8.5a2 2 0 0 1 0 4H8m0 0 1.5-1.5M8 12l1.5 1.5M2.5 12h2.5",
  follow: "M8 2.5v9m0 0 3.5-3.5M8 11.5 4.5 8M3 14h10",
  download: "M8 2.5v7m0 0 3-3m-3 3-3-3M3 13h10",
  help: "M6 6a2 2 0 1 1 2.8 1.8c-.6.3-.8.6-.8 1.2v.4M8 12v.2",
  menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
  plus: "M8 3v10M3 8h10",
} as const;

/** A name of the set. */
export type IconName = keyof typeof PATHS;

/** Decorative: what it means is said by the button around it. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
