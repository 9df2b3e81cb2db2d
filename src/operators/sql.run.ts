/** The work of `sql`. */
import type { z } from "zod";
import { inPostgres } from "./clients/postgres.ts";
import type { OperatorRun } from "./run.ts";
import type { SqlResult, sqlSchema } from "./sql.ts";

type Result = { [K in keyof SqlResult]: SqlResult[K] };

/** Throws SQL_UNAVAILABLE, SQL_INVALID, SQL_FAILED, SQL_TIMEOUT, FENCED. */
export const run: OperatorRun<z.output<typeof sqlSchema>, Result> = async (config, context) => {
  const results = await inPostgres(context.connection(config.connection), config.statements, {
    mode: config.mode,
    maxRows: config.maxRows,
    timeoutMs: config.statementSeconds * 1000,
    signal: context.signal,
    notice: (text) => context.log.info(text),
    // Somebody else may have this task by now: then nothing of ours is kept.
    beforeCommit: () => context.publishPermit(),
  });
  const affected = results.map((result) => result.affected);
  const last = results.at(-1);
  const truncated = last?.truncated ?? false;
  context.log.info(`${results.length} statements`, { affected, ...(truncated ? { truncated } : {}) });
  return { rows: last?.rows ?? [], truncated, affected };
};
