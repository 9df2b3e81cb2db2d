import { dag, once, onDatasets, service } from "qflow";
import { hiveDdl, sparkStream, sparkSubmit } from "qflow/operators";
import { appEvents, appTopic, deadLetters } from "./qcompany/datasets.ts";
import { HIVE_CONNECTION, ON_SPARK, PATIENT } from "./qcompany/feed.ts";
import { STREAM_REPORTS, STREAM_TABLES } from "./qcompany/stream-tables.ts";
import { DATABASES } from "./qcompany/tables.ts";

const COMMON = { owner: "data-platform", tags: ["qcompany_stream"] } as const;

/** The app's events, from the topic to the lake. */
export const events = service(
  "app_events",
  {
    ...COMMON,
    doc: "Events of the app: Kafka topic app-events to standardized.app_events, each exactly once; what is none to standardized.dead_letters.",
    reads: [appTopic],
    emits: [appEvents, deadLetters],
    emitEvery: "1m",
    maxLag: { records: 500_000, for: "10m" },
    // A first start has Spark, the metastore and the topic to wait for, and the batch after a pause is a large one.
    startTimeout: "10m",
    healthTimeout: "10m",
    drain: "2m",
  },
  sparkStream({
    application: "jobs/stream_sink.py",
    args: ["--topic", "app-events"],
    kafka: "kafka_default",
    conf: { "spark.driver.memory": "1g" },
  }),
);

/** The tables that the service needs. */
export const tables = dag(
  "qcompany_stream_tables",
  { ...COMMON, schedule: once(), maxActiveRuns: 1, doc: "Creates what is missing of the stream's tables." },
  (t) => {
    const stream = [...STREAM_TABLES, ...STREAM_REPORTS];
    t.task("tables", hiveDdl({ connection: HIVE_CONNECTION, databases: DATABASES, tables: stream }), PATIENT);
  },
);

/** The reports on the stream, for the days whose events have changed. */
export const reports = dag(
  "qcompany_stream_reports",
  {
    ...COMMON,
    schedule: onDatasets(appEvents),
    maxActiveRuns: 1,
    doc: "Sales by payment method, events by category and hour, funnel, recommendations: the days that new events belong to.",
  },
  (t) => {
    const days = t.task(
      "days",
      { doc: "No day at all stands for every day: a run that a person asked for." },
      (_, ctx) => [...new Set(ctx.events.flatMap(({ partition }) => partition?.split("/")[0] ?? []))],
    );
    t.task(
      "reports",
      sparkSubmit<{ days: string[]; rows: Record<string, number> }>({
        application: "jobs/stream_reports.py",
        args: ["--days", days.output],
        session: "warm",
      }),
      {
        ...ON_SPARK,
        reads: [appEvents],
        emits: STREAM_REPORTS.map(({ name }) => name),
        doc: "A day is written whole; an event that was sent twice counts once.",
      },
    );
  },
);

/** Dead letters once more, after a fix of what reads events. */
export const replay = dag(
  "qcompany_stream_replay",
  {
    ...COMMON,
    maxActiveRuns: 1,
    doc: "Lands the dead letters that can be read by now, each once. Run it after a fix.",
  },
  (t) => {
    const landed = t.task(
      "replay",
      sparkSubmit<{ landed: number; hours: string[] }>({ application: "jobs/stream_replay.py", session: "warm" }),
      {
        ...ON_SPARK,
        reads: [deadLetters],
        doc: "What became an event is noted in standardized.dead_letters_replayed.",
      },
    );
    t.task("publish", { in: { landed }, emits: [appEvents], doc: "Tells who waits for events." }, ({ landed }, ctx) => {
      for (const hour of landed.hours) ctx.emit(appEvents.id, { partition: hour });
    });
  },
);
