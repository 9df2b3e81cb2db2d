/** What to execute for `program`. */

import type { ProgramConfig } from "./program.ts";
import type { PrepareProgram } from "./program-command.ts";

/** Nothing needs to be made ready. */
export const prepare: PrepareProgram<ProgramConfig> = async (config, context) => {
  const [file = "", ...args] = config.command;
  const secrets = Object.entries(config.passwords).map(([name, id]) => [name, context.connection(id).password]);
  return {
    file,
    args,
    env: { ...context.config.environment, ...config.env, ...(Object.fromEntries(secrets) as Record<string, string>) },
    cwd: config.cwd ?? context.folder,
    drainSignal: "SIGTERM",
    sources: [],
  };
};
