/** What the addresses carry after the `?`: checked once here, so that a hand-written address never breaks a page. */
import { FILE_STATES } from "../../../src/api/contract/file-states.ts";

type Raw = Record<string, unknown>;

function text(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function whole(value: unknown): number | undefined {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) ? number : undefined;
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown): T | undefined {
  return allowed.find((entry) => entry === value);
}

/** Drops what is absent, so that addresses stay short. */
function compact<T extends Raw>(search: T): T {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as T;
}

/** Parts of the side panel of a task instance. */
export const PANEL_VIEWS = ["logs", "xcom", "details"] as const;
/** One of {@link PANEL_VIEWS}. */
export type PanelView = (typeof PANEL_VIEWS)[number];

/** The side panel of a task instance. `run` alone marks a run; with `task` the panel is open. */
export interface PanelSearch {
  run?: string | undefined;
  task?: string | undefined;
  map?: number | undefined;
  try?: number | undefined;
  view?: PanelView | undefined;
  /** Line of the log to show, 1-based. */
  line?: number | undefined;
}

export function panelSearch(raw: Raw): PanelSearch {
  return compact({
    run: text(raw.run),
    task: text(raw.task),
    map: whole(raw.map),
    try: whole(raw.try),
    view: oneOf(PANEL_VIEWS, raw.view),
    line: whole(raw.line),
  });
}

export function dagsSearch(raw: Raw): { q?: string | undefined } {
  return compact({ q: text(raw.q) });
}

/** States a run can have. */
const RUN_STATES = ["queued", "running", "success", "failed"] as const;

export function runsSearch(raw: Raw): { state?: (typeof RUN_STATES)[number] | undefined } {
  return compact({ state: oneOf(RUN_STATES, raw.state) });
}

/** Layers of the lake, from where data comes to where it goes. */
export const LAYERS = ["source", "staging", "standardized", "conformed", "enriched", "report", "other"] as const;
/** One of {@link LAYERS}. */
export type LayerName = (typeof LAYERS)[number];

export function datasetsSearch(raw: Raw): { q?: string | undefined; layer?: LayerName | undefined } {
  return compact({ q: text(raw.q), layer: oneOf(LAYERS, raw.layer) });
}

/** Tabs of a dataset's page; the first is the default. */
export const DATASET_VIEWS = ["overview", "lineage", "schema", "partitions", "sample"] as const;
/** One of {@link DATASET_VIEWS}. */
export type DatasetView = (typeof DATASET_VIEWS)[number];

export function datasetSearch(raw: Raw): { view?: DatasetView | undefined } {
  return compact({ view: oneOf(DATASET_VIEWS, raw.view) });
}

/** One of {@link FILE_STATES}. */
export type FileState = (typeof FILE_STATES)[number];

export function filesSearch(raw: Raw): { state?: FileState | undefined; batch?: string | undefined } {
  return compact({ state: oneOf(FILE_STATES, raw.state), batch: text(raw.batch) });
}

/** Range of the charts in minutes, and the attempt whose log is shown. */
export function serviceSearch(raw: Raw): { minutes?: number | undefined; attempt?: number | undefined } {
  const minutes = whole(raw.minutes);
  const attempt = whole(raw.attempt);
  return compact({
    minutes: minutes !== undefined && minutes >= 1 && minutes <= 20_160 ? minutes : undefined,
    attempt: attempt !== undefined && attempt >= 1 ? attempt : undefined,
  });
}

export function sqlSearch(raw: Raw): { q?: string | undefined } {
  return compact({ q: text(raw.q) });
}
