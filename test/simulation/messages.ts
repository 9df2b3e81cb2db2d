/** A DAG that messages start, the topic they come from, and whether each of them has started what it should. */
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageSchedule } from "../../src/dag/spec.ts";
import { QflowError } from "../../src/errors.ts";
import type { Kafka } from "../../src/kafka/index.ts";
import type { Database } from "../../src/metadata/database.ts";
import { dagSpec } from "../metadata/fixtures.ts";
import { type FakeKafka, fakeKafka } from "../support/fake-kafka.ts";
import type { Random } from "./random.ts";
import type { Piece } from "./workload.ts";

const TOPIC = "orders";
const PARTITIONS = 2;

/** The DAG that messages start. */
export function listenerPiece(random: Random): Piece {
  const schedule: MessageSchedule = {
    kind: "messages",
    connection: "kafka_default",
    topic: TOPIC,
    dedupe: random.pick(["offset", { pointer: "/id" }] as const),
    from: "earliest",
    window: random.chance(0.4) ? { messages: 2 + random.int(3), milliseconds: 4_000 } : null,
  };
  const limits = { schedule, maxActiveRuns: 1 + random.int(3) };
  return { spec: dagSpec("listener", [{ id: "hear" }], limits), behaviours: new Map() };
}

/** A topic into which somebody puts a few messages, some twice, some that cannot be told from others. */
export class Topic {
  readonly #broker: FakeKafka;
  readonly #random: Random;
  #left: number;

  constructor(random: Random) {
    this.#random = random;
    this.#broker = fakeKafka();
    this.#left = 4 + random.int(12);
  }

  /** Makes the topic, and then a message now and then until all have been sent. */
  async publish(): Promise<void> {
    await sleep(this.#random.int(3_000));
    await this.#broker.createTopic(TOPIC, { partitions: PARTITIONS });
    for (; this.#left > 0; this.#left--) {
      await sleep(this.#random.int(5_000));
      const value = this.#random.chance(0.15) ? "no id" : JSON.stringify({ id: this.#random.int(9) });
      this.#broker.put(TOPIC, this.#random.int(PARTITIONS), [value]);
    }
  }

  /** A client of the broker: it takes its time, now and then longer than its reader's lease is, and now and then does not answer. */
  client(random: Random): Kafka {
    const answering = async () => {
      await sleep(random.int(random.chance(0.05) ? 60_000 : 500));
      if (random.chance(0.1)) throw new QflowError("KAFKA_UNAVAILABLE", "as told");
    };
    return {
      ...this.#broker,
      spans: async (topic) => {
        await answering();
        return this.#broker.spans(topic);
      },
      read: async (...given) => {
        await answering();
        return this.#broker.read(...given);
      },
    };
  }

  /** Whether all messages have been sent and read, and none waits for a run. */
  async isQuiet(database: Database): Promise<boolean> {
    if (this.#left > 0) return false;
    const found = await database.query<{ read: number; waiting: number }>(
      `select (select coalesce(sum(next_offset), 0) from message_cursor)::integer as read,
         (select count(*) from message_inbox where taken_at is null)::integer as waiting`,
    );
    return found.rows[0]?.waiting === 0 && found.rows[0].read === this.#broker.messages(TOPIC).length;
  }

  /** Messages that started no run, or two, or were out of order; and dead ones that are missing. */
  async findWrongRuns(database: Database, { spec }: Piece): Promise<string[]> {
    const schedule = spec.schedule as MessageSchedule;
    const runs = await database.query<{ place: string; value: unknown }>(
      `select format('%s/%s', m -> 'partition', m -> 'offset') as place, m -> 'value' as value from dag_run r
       cross join lateral jsonb_array_elements(r.conf -> 'messages') with ordinality m (m, position)
       where r.dag_id = $1 and r.kind = 'message' order by r.id, position`,
      [spec.dagId],
    );
    const buried = await database.query<{ place: string }>(
      "select format('%s/%s', partition, message_offset) as place from dead_message where dag_id = $1",
      [spec.dagId],
    );
    const sent = this.#broker.messages(TOPIC).map(({ partition, offset, value }) => ({
      place: `${partition}/${offset}`,
      partition,
      value: String(value),
    }));
    const problems: string[] = [];
    const expect = (what: string, have: readonly string[], want: readonly string[]) => {
      if (have.join() !== want.join()) problems.push(`${what} are ${have.join(" ")}, not ${want.join(" ")}`);
    };
    const places = runs.rows.map(({ place }) => place);
    if (schedule.dedupe === "offset") {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const from = (place: string) => place.startsWith(`${partition}/`);
        const wanted = sent.map(({ place }) => place).filter(from);
        expect(`messages of partition ${partition} with a run`, places.filter(from), wanted);
      }
      return problems;
    }
    const hopeless = sent.filter(({ value }) => value === "no id").map(({ place }) => place);
    expect("dead messages", buried.rows.map(({ place }) => place).sort(), hopeless.sort());
    const ids = [...new Set(sent.map(({ value }) => value).filter((value) => value !== "no id"))].sort();
    expect("values with a run", runs.rows.map(({ value }) => JSON.stringify(value)).sort(), ids);
    return problems;
  }
}
