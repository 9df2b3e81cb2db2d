import { service } from "qflow";
import { program, sparkStream } from "qflow/operators";

export const events = service(
  "click_events",
  {
    doc: "Clicks from Kafka into the lake",
    owner: "data-platform",
    emits: ["stream.click_events"],
    maxLag: { records: 100_000, for: "5m" },
    notify: { on: ["serviceFailing", "serviceLagging", "serviceRecovered"], to: "slack_data" },
  },
  sparkStream({
    application: "jobs/click_events.py",
    args: ["--topic", "clicks"],
    kafka: "kafka_default",
    conf: { "spark.driver.memory": "1g" },
  }),
);

/** Any program will do: it says what it does on its standard output. */
export const relay = service(
  "relay",
  { queue: "edge", restart: { delay: "5s", max: "10m" }, healthTimeout: "30s" },
  program({ command: ["/usr/local/bin/relay", "--follow"], passwords: { RELAY_PASSWORD: "relay_default" } }),
);
