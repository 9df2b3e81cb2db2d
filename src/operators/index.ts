/** `qflow/operators`: what DAG authors declare tasks with. Importing it loads no client and no engine. */
export { type ApprovalAnswer, approval } from "./approval.ts";
export { type CsvReportConfig, csvReport, type ReportFile, type ReportResult } from "./csv-report.ts";
export { datasetSensor, type SeenEvent } from "./dataset-sensor.ts";
export { type FoundFile, fileSensor } from "./file-sensor.ts";
export { type ArrivalsResult, ftpArrivals } from "./ftp-arrivals.ts";
export { ftpIngest, type LandedFile } from "./ftp-ingest.ts";
export { type HiveDdlConfig, type HiveDdlResult, hiveDdl } from "./hive-ddl.ts";
export { type HiveQueryResult, hiveQuery } from "./hive-query.ts";
export { type HttpAnswer, http } from "./http.ts";
export { httpSensor } from "./http-sensor.ts";
export { type LoadCounts, type LoadTotals, loadRecord } from "./load-record.ts";
export { program } from "./program.ts";
export { shell } from "./shell.ts";
export { sparkStream } from "./spark-stream.ts";
export { type SparkSubmitConfig, sparkSubmit } from "./spark-submit.ts";
export { type SqlResult, sql } from "./sql.ts";
export { type OtherRun, taskSensor } from "./task-sensor.ts";
export { type TimeReached, timeSensor } from "./time-sensor.ts";
