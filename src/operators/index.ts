/** `qflow/operators`: what DAG authors declare tasks with. Importing it loads no client and no engine. */
export { type CsvReportConfig, csvReport, type ReportFile, type ReportResult } from "./csv-report.ts";
export { type ArrivalsResult, ftpArrivals } from "./ftp-arrivals.ts";
export { ftpIngest, type LandedFile } from "./ftp-ingest.ts";
export { type HiveDdlConfig, type HiveDdlResult, hiveDdl } from "./hive-ddl.ts";
export { type LoadCounts, type LoadTotals, loadRecord } from "./load-record.ts";
export { type SparkSubmitConfig, sparkSubmit } from "./spark-submit.ts";
