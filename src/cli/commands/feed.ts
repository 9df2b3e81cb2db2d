/** `qflow feed generate | events`: feeds to try things with. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { loadConfig } from "../../config.ts";
import { progressOn, runningEnvironment } from "../../engines/index.ts";
import { QflowError } from "../../errors.ts";
import { type EventFeed, generateFeed, type SentEvents, sendEvents, writeEvents } from "../../feed/index.ts";
import { type KafkaAddress, openKafka } from "../../kafka/index.ts";
import { kafkaAddress } from "../../operators/clients/kafka.ts";
import { type OutputFormat, printFields, say } from "../output.ts";
import { type CommandContext, instantArgument, outputOption, wholeNumber } from "../program.ts";
import { untilSignal } from "../signals.ts";

/** Registers the commands. */
export function feedCommands(program: Command, context: () => CommandContext): void {
  const feed = program.command("feed").description("feeds to try things with");
  generateCommand(feed);
  eventsCommand(feed, context);
}

interface GenerateOptions {
  batches: number;
  rows: number;
  seed: number;
  first: number;
  out: string;
}

function generateCommand(feed: Command): void {
  feed
    .command("generate")
    .description("batches of Q Company's three files, with all the dirt of the real ones, the same for the same seed")
    .option("--batches <n>", "how many", wholeNumber("--batches"), 5)
    .option("--rows <n>", "transactions in each", wholeNumber("--rows"), 1_500)
    .option("--seed <n>", "which feed", wholeNumber("--seed"), 1)
    .option("--first <n>", "number of the first batch", wholeNumber("--first"), 1)
    .option("--out <folder>", "where", "feed")
    .action(async ({ batches, rows, seed, first, out }: GenerateOptions) => {
      const directory = resolve(out);
      const bar = progressOn(process.stderr).begin("Generating", batches * rows, inWords("rows"));
      const onProgress = (done: number) => bar.update(done);
      await generateFeed({ directory, batches, rows, seed, firstBatch: first, onProgress });
      bar.finish();
      say(`${batches} batches in ${directory}`);
    });
}

interface EventsOptions {
  rate: number;
  count: number;
  seed: number;
  topic: string;
  brokers?: string;
  connection: string;
  partitions: number;
  start: Date;
  spacing: number;
  patience: number;
  out?: string;
  output: OutputFormat;
}

const CONNECTION = "kafka_default";
const FIRST_DAY = "2026-01-01";

function eventsCommand(feed: Command, context: () => CommandContext): void {
  feed
    .command("events")
    .description(
      "events of Q Company's app into a Kafka topic, with all their dirt, the same for the same seed; said again it sends what is missing",
    )
    .option("--rate <n>", "messages a second; 0 = as fast as they are taken", wholeNumber("--rate"), 100)
    .option("--count <n>", "the topic is to hold the first so many; 0 = until Ctrl-C", wholeNumber("--count"), 10_000)
    .option("--seed <n>", "which feed", wholeNumber("--seed"), 1)
    .option("--topic <name>", "where to; made when missing", "app-events")
    .option("--brokers <list>", "host:port of brokers, separated by commas, in place of a connection")
    .option("--connection <id>", "connection to the brokers", CONNECTION)
    .option("--partitions <n>", "of the topic, when it is made", wholeNumber("--partitions"), 3)
    .addOption(
      new Option("--start <instant>", "time of the first event")
        .argParser(instantArgument("--start"))
        .default(new Date(`${FIRST_DAY}T00:00:00Z`), FIRST_DAY),
    )
    .option("--spacing <ms>", "milliseconds between the times of two events", wholeNumber("--spacing"), 20)
    .option("--patience <seconds>", "how long brokers that are away are waited for", wholeNumber("--patience"), 120)
    .addOption(new Option("--out <file>", "write a file, a line of JSON a message, in place of a topic"))
    .addOption(outputOption())
    .action((options: EventsOptions) => events(context(), options));
}

async function events(context: CommandContext, options: EventsOptions): Promise<void> {
  const { seed, start, spacing, rate, output } = options;
  const feed: EventFeed = { seed, start, spacingMs: spacing };
  const count = options.count === 0 ? null : options.count;
  if (options.out !== undefined) {
    if (count === null) throw new QflowError("USAGE", "--out needs a --count");
    const file = resolve(options.out);
    return printFields({ file, ...flat(await writeEvents(file, feed, count)) }, output);
  }
  const stopping = new AbortController();
  void untilSignal().then(() => stopping.abort());
  const kafka = openKafka(await addressFrom(context, options));
  const bar = progressOn(process.stderr).begin(`Sending to ${options.topic}`, count, inWords("messages"));
  try {
    const sent = await sendEvents({
      kafka,
      topic: options.topic,
      partitions: Math.max(1, options.partitions),
      feed,
      count,
      perSecond: rate === 0 ? null : rate,
      patienceMs: options.patience * 1000,
      signal: stopping.signal,
      onProgress: (messages) => bar.update(messages),
      warn: say,
    });
    printFields({ topic: options.topic, ...flat(sent) }, output);
  } finally {
    bar.finish();
    await kafka.close();
  }
}

/** Where the brokers are: as said, as the connection has it, or the broker that runs for this QFLOW_HOME. */
async function addressFrom(context: CommandContext, { brokers, connection: id }: EventsOptions): Promise<KafkaAddress> {
  if (brokers !== undefined) {
    return { brokers: brokers.split(","), clientId: "qflow-feed", tls: "off", login: null } as const;
  }
  const running = await runningEnvironment(context.config, ["kafka"]);
  const { connections } = running ? loadConfig({ ...context.env, ...running }) : context.config;
  const connection = connections[id];
  if (connection !== undefined) return kafkaAddress(connection, "qflow-feed");
  throw new QflowError("CONNECTION_UNKNOWN", `there is no connection ${id}`, {
    remedy: `Start a broker (qflow engines start kafka), name yours with --brokers, or set QFLOW_CONN_${id.toUpperCase()}.`,
  });
}

/** In one level, as a listing of fields shows it. */
function flat({ counts, sent, complete }: SentEvents): Record<string, unknown> {
  return { complete, sent, ...counts };
}

function inWords(unit: string): (amount: number) => string {
  return (amount) => `${amount.toLocaleString("en")} ${unit}`;
}
