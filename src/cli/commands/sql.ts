/** `qflow sql`: ad-hoc SQL over every layer, through HiveServer2. */
import type { Command } from "commander";
import { openHive } from "../../operators/clients/hive.ts";
import { type Column, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { withHive } from "../with-engines.ts";

interface SqlOptions extends ListOptions {
  limit: number;
  timeout: number;
}

/** Registers the command. */
export function sqlCommand(program: Command, context: () => CommandContext): void {
  program
    .command("sql <statement>")
    .description("run a statement and print its rows; decimals and 64-bit integers are exact")
    .option("--limit <n>", "at most so many rows", wholeNumber("--limit"), 10_000)
    .option("--timeout <seconds>", "cancel after", wholeNumber("--timeout"), 300)
    .addOption(outputOption())
    .action((statement: string, options: SqlOptions) => runSql(context(), statement, options));
}

type Row = Record<string, unknown>;

async function runSql(context: CommandContext, statement: string, options: SqlOptions): Promise<void> {
  await withHive(context, async (connection) => {
    const session = await openHive(connection);
    const stop = new AbortController();
    const interrupt = () => stop.abort(new Error("interrupted"));
    process.once("SIGINT", interrupt);
    try {
      const result = await session.query(statement, {
        maxRows: options.limit,
        timeoutMs: options.timeout * 1000,
        signal: stop.signal,
      });
      const names = uniqueNames(result.columns.map((column) => column.name));
      const rows = result.rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]])) as Row);
      printRows(rows, columnsFor(names), { format: options.output, empty: "No rows." });
      if (result.truncated) say(`Only the first ${options.limit} rows are shown; --limit shows more.`);
    } finally {
      process.off("SIGINT", interrupt);
      await session.close();
    }
  });
}

function columnsFor(names: readonly string[]): Column<Row>[] {
  return names.map((name) => ({ heading: name, cell: (row) => cellOf(row[name]) }));
}

function cellOf(value: unknown): string | number | boolean | null {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "string" ? value : null;
}

/** Two columns of one name (a join) would hide each other in an object. */
function uniqueNames(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name}_${count}`;
  });
}
