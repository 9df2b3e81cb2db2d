/** The work of `hiveQuery`. */
import type { z } from "zod";
import { openHive } from "./clients/hive.ts";
import type { HiveQueryResult, hiveQuerySchema } from "./hive-query.ts";
import type { OperatorRun } from "./run.ts";

type Result = { [K in keyof HiveQueryResult]: HiveQueryResult[K] };

/** Throws HIVE_UNAVAILABLE, HIVE_QUERY_INVALID, HIVE_FAILED, HIVE_TIMEOUT. */
export const run: OperatorRun<z.output<typeof hiveQuerySchema>, Result> = async (config, context) => {
  const session = await openHive(context.connection(config.connection));
  try {
    const { columns, rows, truncated } = await session.query(config.query, {
      timeoutMs: config.statementSeconds * 1000,
      maxRows: config.maxRows,
      signal: context.signal,
    });
    context.log.info(`${rows.length} rows${truncated ? " of more" : ""}`);
    return {
      columns: columns.map(({ name, type }) => ({ name, type })),
      rows: rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i] ?? null]))),
      truncated,
    };
  } finally {
    await session.close();
  }
};
