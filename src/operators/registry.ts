/** Which run module does the work of which operator. Only workers load them. */
import type { z } from "zod";
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import { csvReportSchema } from "./csv-report.ts";
import { ftpArrivalsSchema } from "./ftp-arrivals.ts";
import { ftpIngestSchema } from "./ftp-ingest.ts";
import { hiveDdlSchema } from "./hive-ddl.ts";
import { hiveQuerySchema } from "./hive-query.ts";
import { httpSchema } from "./http.ts";
import { kafkaConsumeSchema } from "./kafka-consume.ts";
import { kafkaProduceSchema } from "./kafka-produce.ts";
import { loadRecordSchema } from "./load-record.ts";
import type { OperatorContext, OperatorRun } from "./run.ts";
import { shellSchema } from "./shell.ts";
import { sparkSubmitSchema } from "./spark-submit.ts";
import { sqlSchema } from "./sql.ts";

/** An operator ready to run: checks the config, whose tokens have been resolved, then does the work. */
export type ReadyOperator = (config: Json, context: OperatorContext) => Promise<Json>;

const OPERATORS = new Map<string, () => Promise<ReadyOperator>>([
  ["csv_report", async () => checked(csvReportSchema, (await import("./csv-report.run.ts")).run)],
  ["ftp_arrivals", async () => checked(ftpArrivalsSchema, (await import("./ftp-arrivals.run.ts")).run)],
  ["ftp_ingest", async () => checked(ftpIngestSchema, (await import("./ftp-ingest.run.ts")).run)],
  ["hive_ddl", async () => checked(hiveDdlSchema, (await import("./hive-ddl.run.ts")).run)],
  ["hive_query", async () => checked(hiveQuerySchema, (await import("./hive-query.run.ts")).run)],
  ["http", async () => checked(httpSchema, (await import("./http.run.ts")).run)],
  ["kafka_consume", async () => checked(kafkaConsumeSchema, (await import("./kafka-consume.run.ts")).run)],
  ["kafka_produce", async () => checked(kafkaProduceSchema, (await import("./kafka-produce.run.ts")).run)],
  ["load_record", async () => checked(loadRecordSchema, (await import("./load-record.run.ts")).run)],
  ["shell", async () => checked(shellSchema, (await import("./shell.run.ts")).run)],
  ["sql", async () => checked(sqlSchema, (await import("./sql.run.ts")).run)],
  ["spark_submit", async () => checked(sparkSubmitSchema, (await import("./spark-submit.run.ts")).run)],
]);

/** Loads an operator's run module by its registered name. Throws OPERATOR_UNKNOWN. */
export async function loadOperator(name: string): Promise<ReadyOperator> {
  const load = OPERATORS.get(name);
  if (load === undefined) throw new QflowError("OPERATOR_UNKNOWN", `there is no operator ${name}`);
  return load();
}

/** Operators that announce the datasets they declare only when there is something to announce. */
const SELF_ANNOUNCING = new Set(["ftp_arrivals", "kafka_consume"]);

/** Whether an operator that succeeds without an event of a declared dataset means that there is none. */
export function announcesItself(name: string): boolean {
  return SELF_ANNOUNCING.has(name);
}

function checked<S extends z.ZodType, R extends Json>(schema: S, run: OperatorRun<z.output<S>, R>): ReadyOperator {
  return (config, context) => {
    const parsed = schema.safeParse(config);
    if (parsed.success) return run(parsed.data, context);
    const issue = parsed.error.issues[0];
    throw new QflowError("OPERATOR_CONFIG", `config ${issue?.path.join(".")}: ${issue?.message}`);
  };
}
