/** The guards of services and of messages. */
import type { Guard } from "./guard.ts";

/** By the room of what they guard. */
export const STREAM_GUARDS: readonly Guard[] = [
  {
    name: "service-live-session",
    file: "migrations/functions/services.sql",
    text: " and state = 'active' and lease_expires_at > now()",
    without: "",
    tests: ["test/metadata/services.test.ts"],
  },
  {
    name: "service-fence",
    file: "migrations/functions/services.sql",
    text: "and (coalesce(s.fenced_until, '-infinity') <= now() or s.fenced_host = w.host_id)",
    without: "",
    tests: ["test/metadata/services.test.ts"],
  },
  {
    name: "service-token",
    file: "migrations/functions/services.sql",
    text: " and t.token = p_token",
    without: "",
    tests: ["test/metadata/services.test.ts"],
  },
  {
    name: "service-report-once",
    file: "migrations/functions/services.sql",
    text: "(p_report ->> 'number')::integer <= a.report",
    without: "false",
    tests: ["test/metadata/services.test.ts"],
  },
  {
    name: "catalog-fields-bounded",
    file: "migrations/functions/services.sql",
    text: "(select count(*) from catalog_field k where k.dataset = f.dataset) < 1000",
    without: "true",
    tests: ["test/metadata/catalog-services.test.ts"],
  },
  {
    name: "service-rescue",
    file: "migrations/functions/services.sql",
    text: " and w.state in ('ended', 'lost')",
    without: "",
    tests: ["test/metadata/services.test.ts"],
  },
  {
    name: "service-gone-first",
    file: "src/worker/services/service-run.ts",
    text: "while (!(await program.kill())) await new Promise((next) => setTimeout(next, KILL_AGAIN_MS));",
    without: "",
    tests: ["test/worker/service-run.test.ts"],
  },
  {
    name: "message-replay-once",
    file: "src/metadata/dead-messages.ts",
    text: "and (i.topic, i.partition, i.message_offset) = (excluded.topic, excluded.partition, excluded.message_offset)",
    without: "",
    tests: ["test/scheduler/message-replay.test.ts"],
  },
  {
    name: "message-lease",
    file: "src/metadata/message-sources.ts",
    text: " and (lease = $2 or leased_until < now())",
    without: "",
    tests: ["test/scheduler/messages.test.ts"],
  },
  {
    name: "message-fence",
    file: "src/metadata/message-inbox.ts",
    text: " and lease = $2 and leased_until > now()",
    without: " and $2::uuid is not null",
    tests: ["test/scheduler/messages.test.ts"],
  },
  {
    name: "message-once",
    file: "src/metadata/message-inbox.ts",
    text: "on conflict (dag_id, dedupe_key) do nothing",
    without: "",
    tests: ["test/scheduler/messages.test.ts"],
  },
  {
    name: "consume-offsets",
    file: "src/metadata/consumers.ts",
    text: "where o.next_offset = (",
    without: "where 0 <> (",
    tests: ["test/metadata/consumers.test.ts"],
  },
];
