/** Metrics as text that Prometheus reads: those of the database, and those of this process. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Sql } from "../metadata/database.ts";
import { type Metric, readMetrics } from "../metadata/views/metrics-view.ts";

/** Delay of this process's event loop since the last time it was asked for. */
const loopDelay = monitorEventLoopDelay({ resolution: 20 });
loopDelay.enable();

/** The text of /metrics. */
export async function metricsText(sql: Sql): Promise<string> {
  return [...(await readMetrics(sql)), ...processMetrics()].map(textOf).join("");
}

function processMetrics(): Metric[] {
  const p99 = loopDelay.percentile(99) / 1e9;
  loopDelay.reset();
  const gauge = (name: string, help: string, value: number): Metric => ({
    name,
    type: "gauge",
    help,
    samples: [{ labels: {}, value }],
  });
  return [
    gauge("process_resident_memory_bytes", "Memory of the API process.", process.memoryUsage.rss()),
    gauge("qflow_api_event_loop_p99_seconds", "Delay of the API's event loop since it was asked last.", p99),
  ];
}

function textOf({ name, type, help, samples }: Metric): string {
  const lines = samples.map(({ labels, value }) => `${name}${labelsOf(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
