/** What a long-running process of the platform is made from. */
import type { Config } from "../../config.ts";
import type { Database } from "../../metadata/database.ts";

/** Its database, checked and watched, and its settings. */
export interface ProcessParts {
  readonly database: Database;
  readonly config: Config;
  /** Resolves when the database has become too new for this process: then it ends as if it were told to. */
  readonly outdated: Promise<void>;
}
