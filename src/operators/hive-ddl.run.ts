/** Runs `hiveDdl`: looks first, refuses as a whole what would lose data, then runs only what is missing. */
import { QflowError } from "../errors.ts";
import { type HiveSession, openHive } from "./clients/hive.ts";
import type { HiveDdlConfig, HiveDdlResult } from "./hive-ddl.ts";
import {
  type ActualTable,
  createDatabase,
  type DdlPlan,
  planTable,
  planView,
  quoted,
  readDescription,
} from "./hive-ddl-plan.ts";
import type { OperatorRun } from "./run.ts";

/** See docs/operators/hive-ddl.md. Throws DDL_REFUSED, HIVE_UNAVAILABLE, HIVE_QUERY_INVALID or HIVE_FAILED. */
export const run: OperatorRun<HiveDdlConfig, HiveDdlResult> = async (config, context) => {
  const session = await openHive(context.connection(config.connection));
  try {
    const ask = statementRunner(session, config, context.signal);
    const plan = await planAll(config, ask);
    if (plan.refusals.length > 0) {
      throw new QflowError("DDL_REFUSED", plan.refusals.join("; "), { details: { refusals: plan.refusals } });
    }
    for (const [index, statement] of plan.statements.entries()) {
      context.progress("statements", index, plan.statements.length);
      context.log.info(statement);
      await ask(statement);
    }
    context.log.info(
      plan.statements.length === 0 ? "everything is as it should be" : `${plan.statements.length} statements`,
    );
    return plan.statements;
  } finally {
    await session.close();
  }
};

type Ask = (statement: string) => Promise<readonly (readonly unknown[])[]>;

/** More rows than any DESCRIBE or SHOW gives here. */
const MANY = 100_000;

function statementRunner(session: HiveSession, config: HiveDdlConfig, signal: AbortSignal): Ask {
  const timeoutMs = config.statementSeconds * 1000;
  return async (statement) => (await session.query(statement, { timeoutMs, signal, maxRows: MANY })).rows;
}

async function planAll(config: HiveDdlConfig, ask: Ask): Promise<DdlPlan> {
  const known = new Set((await ask("SHOW DATABASES")).map((row) => String(row[0])));
  const plans: DdlPlan[] = config.databases
    .filter((database) => !known.has(database.name))
    .map((database) => ({ statements: [createDatabase(database)], refusals: [] }));
  const existing = await existingTables(config, known, ask);
  const describe = (name: string) => (existing.has(name) ? describeTable(name, ask) : null);
  for (const table of config.tables) plans.push(planTable(table, await describe(table.name)));
  for (const view of config.views) plans.push(planView(view, await describe(view.name)));
  return {
    statements: plans.flatMap((plan) => plan.statements),
    refusals: plans.flatMap((plan) => plan.refusals),
  };
}

async function existingTables(config: HiveDdlConfig, databases: ReadonlySet<string>, ask: Ask): Promise<Set<string>> {
  const wanted = [...config.tables, ...config.views].map((one) => one.name.split(".")[0] ?? "");
  const found = new Set<string>();
  for (const database of new Set(wanted)) {
    if (!databases.has(database)) continue;
    for (const row of await ask(`SHOW TABLES IN ${quoted(database)}`)) found.add(`${database}.${String(row[1])}`);
  }
  return found;
}

async function describeTable(name: string, ask: Ask): Promise<ActualTable> {
  return readDescription(await ask(`DESCRIBE TABLE EXTENDED ${quoted(name)}`));
}
