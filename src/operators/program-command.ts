/** The contract between a worker and the programs of services: what to execute for a declared program. */
import type { Config } from "../config.ts";
import type { Connection } from "../dag/operator.ts";

/** What a program is prepared with. */
export interface ProgramContext {
  readonly config: Config;
  /** Name for outside systems: `<service>.<attempt>`. */
  readonly name: string;
  /** Private folder of the attempt, gone after it. */
  readonly folder: string;
  /** A connection by id, as it is now. Throws CONNECTION_UNKNOWN. */
  connection(id: string): Connection;
}

/** What to execute. */
export interface ProgramCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment but for what every service is told. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What asks it to end beside the drain file; null = it looks at the file alone. */
  readonly drainSignal: NodeJS.Signals | null;
  /** Files that are part of the program: when one changes, it is replaced. */
  readonly sources: readonly string[];
}

/** Prepares a program: `src/operators/<name>.run.ts` exports one as `prepare`. Throws what makes the start impossible. */
export type PrepareProgram<C> = (config: C, context: ProgramContext) => Promise<ProgramCommand>;
