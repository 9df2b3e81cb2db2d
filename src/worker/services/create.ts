/** The services of a real worker: programs as processes, logs in the database. */
import { join } from "node:path";
import type { Config } from "../../config.ts";
import type { Database } from "../../metadata/database.ts";
import type { Masker } from "../../metadata/secrets/mask.ts";
import { appendServiceLog } from "../../metadata/services/logs.ts";
import { WORKER_MARKER } from "../../processes/markers.ts";
import { LogBacklog } from "../log-backlog.ts";
import { LogSink } from "../log-sink.ts";
import type { SecretStore } from "../secret-store.ts";
import { connectionOf } from "../task-context.ts";
import { ProcessLauncher } from "./launcher.ts";
import { Services } from "./services.ts";

/** What they are made from. */
export interface CreateParts {
  readonly database: Database;
  readonly config: Config;
  /** Value of the worker's marker. */
  readonly marker: string;
  /** Private folder of the worker. */
  readonly folder: string;
  readonly masker: Masker;
  readonly secrets: SecretStore;
  workerId(): string;
  warn(message: string): void;
}

/** Of an attempt that runs for months the database keeps what is young. */
const LIMITS = { logBytes: Number.POSITIVE_INFINITY, tailLines: 0 };

/** Makes the services of a worker; nothing starts before they are told to. */
export function createServices(parts: CreateParts): Services {
  const { database, config, folder, masker, secrets, warn } = parts;
  return new Services({
    database,
    launcher: new ProcessLauncher({
      config,
      folder,
      environment: { ...config.environment, [WORKER_MARKER]: parts.marker },
      connection: (id) => connectionOf(secrets.current, id),
    }),
    sink: new LogSink({
      masker,
      backlog: new LogBacklog(join(folder, "service-logs.jsonl")),
      limits: LIMITS,
      append: (batches) => appendServiceLog(database, batches),
      warn,
    }),
    mask: (text) => masker.mask(text),
    workerId: parts.workerId,
    refreshSecrets: (version) => secrets.refresh(version),
    warn,
  });
}
