"""Kafka topic → `standardized.app_events` and `standardized.dead_letters`, exactly once for whoever reads the files.

    spark-submit jobs/stream_sink.py --servers HOST:PORT --topic app-events [--root FOLDER] [--until-read]

Runs until it is told to end, as a service of qflow or by itself; see docs/stream.md for what it promises and how.
"""

import argparse
import json
import os
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pyspark.errors import StreamingQueryException
from pyspark.sql import Observation
from pyspark.sql import functions as F
from qcompany import runtime
from qcompany.stream import events, source
from qcompany.stream.files import Files, no_room
from qcompany.stream.ledger import ENTRY, Ledger
from qcompany.stream.reporting import Reporter
from qcompany.stream.tables import DEAD_LETTERS, EVENTS, Publisher, prepare_to_write, targets, with_origin

# Batches between two looks at how many entries the ledger has.
ROLL_EVERY = 250


def main():
    options = arguments()
    spark = runtime.session()
    prepare_to_write(spark, options.timezone)
    sink = Sink(spark, options, Reporter())
    try:
        sink.recover()
        while sink.run():
            pass
    except Exception as error:
        if no_room(error):
            raise SystemExit(f"LAKE_FULL: {no_room(error)}. Make room, or raise the quota; what was read is kept, and the rest waits in the topic.") from None
        raise
    runtime.write_result(sink.result)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    servers = os.environ.get("QFLOW_KAFKA_SERVERS")
    parser.add_argument("--servers", default=servers, help="host:port of brokers, with commas between them")
    config = os.environ.get("QFLOW_KAFKA_CONFIG")
    parser.add_argument("--kafka-config", default=config, help="file with settings of Kafka's Java client as JSON: login, certificates")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--root", default=os.environ.get("QFLOW_CHECKPOINT"), help="folder of the lake for checkpoint, ledger and staging")
    parser.add_argument("--most", type=int, default=100_000, help="most messages of a batch")
    parser.add_argument("--every", type=float, default=10, help="seconds between two batches, unless there is a whole one to read")
    parser.add_argument("--begin", choices=["earliest", "latest"], default="earliest", help="where to begin when nothing was ever read")
    parser.add_argument("--on-loss", choices=["stop", "record"], default="stop", help="what to do when messages are gone that were not read")
    parser.add_argument("--timezone", default="UTC", help="zone of times that name none, and of the hours of the table")
    parser.add_argument("--until-read", action="store_true", help="end when everything is read that was there at the start")
    options = parser.parse_args()
    if not options.root or not (options.servers or options.kafka_config):
        parser.error("--root and --servers are needed outside of a service")
    return options


class Sink:
    """One attempt to run the stream."""

    def __init__(self, spark, options, reporter):
        self._spark = spark
        self._options = options
        self._reporter = reporter
        self._root = options.root.rstrip("/")
        attempt = uuid.uuid4().hex[:12]
        token = os.environ.get("QFLOW_FENCING_TOKEN")
        self._files = Files(spark, self._root)
        self._ledger = Ledger(self._files, self._root, attempt, None if token is None else int(token))
        self._publisher = Publisher(self._files, self._root, targets(spark), attempt)
        self._cluster = source.cluster_of(options.servers, options.kafka_config)
        self._topic = source.Topic(spark, self._cluster, options.topic)
        self._done = None
        self._verdict = None
        self.result = {"batches": 0, "read": 0, "dead": 0}

    def recover(self):
        """Carries out what an attempt that was killed has committed."""
        self._ledger.take_over()
        self._done = self._ledger.last("g")
        if self._done is not None:
            self._publisher.carry_out(self._done)
            self._publisher.sweep("g", self._done["name"])
            self._ledger.roll_up("g")
            self._reporter.published(self._done)

    def run(self):
        """Runs one generation to its end. True when there is another one to run."""
        known = self._topic.describe()
        lost = [] if self._done is None else source.gaps(self._done, known)
        if lost and self._options.on_loss == "stop":
            raise SystemExit(
                f"STREAM_DATA_LOSS: messages of {self._options.topic} are gone before they were read: {source.described(lost)}. "
                "Run the job with --on-loss record to write that into the ledger and to go on with what is there."
            )
        # A checkpoint that somebody has removed must not begin at batch 0 of a generation that has one.
        if lost or self._lacks_checkpoint():
            return self._close_generation(lost, known)
        query = self._start(known)
        try:
            self._reporter.follow(query)
        except StreamingQueryException as error:
            return self._goes_on(error)
        return False

    def _next(self):
        """Generation and number of the batch after the last one."""
        if self._done is None:
            return 1, 0
        if self._done["closes"]:
            return self._done["generation"] + 1, 0
        return self._done["generation"], self._done["batch"] + 1

    def _lacks_checkpoint(self):
        generation, batch = self._next()
        return batch > 0 and not self._files.names(f"{self._checkpoint(generation)}/offsets")

    def _checkpoint(self, generation):
        return f"{self._root}/checkpoint/g{generation:04d}"

    def _close_generation(self, lost, known):
        """Takes the next name of the generation, so that nobody can add to it any more. True: there is a next generation to run."""
        generation, batch = self._next()
        begin = {str(partition): offset for partition, offset in source.resume(self._done, known, self._options.begin).items()}
        now = time.time()
        counts = {"read": 0, "dead": 0, "oldest": None, "began": now, "committed": now, "gaps": lost, "fields": [], "moves": []}
        self._commit(generation, batch, known["id"], {"from": self._done["until"], "until": begin, "closes": True, **counts})
        return True

    def _commit(self, generation, batch, topic_id, facts):
        """Commits a batch, or finds that another attempt has, and carries out the entry that holds."""
        origin = {"generation": generation, "batch": batch, "topic": self._options.topic, "topicId": topic_id}
        self._finish(self._ledger.commit(ENTRY.format(generation=generation, batch=batch), {**origin, **facts}))

    def _finish(self, entry):
        self._publisher.carry_out(entry)
        self._done = entry
        self._reporter.published(entry)
        if entry["batch"] % ROLL_EVERY == ROLL_EVERY - 1:
            self._ledger.roll_up("g")
        counted = {what: self.result[what] + entry[what] for what in ("read", "dead")}
        self.result = {"batches": self.result["batches"] + 1, **counted}

    def _start(self, known):
        generation, _ = self._next()
        begin = source.resume(self._done, known, self._options.begin)
        every = None if self._options.until_read else self._options.every
        frame = source.messages(self._spark, self._cluster, self._options.topic, begin, self._options.most, every)
        writer = frame.writeStream.queryName("app_events").option("checkpointLocation", self._checkpoint(generation))
        begin = {str(partition): offset for partition, offset in begin.items()}

        def publish(rows, batch):
            try:
                self._publish(rows, generation, batch, known["id"], begin)
            except SystemExit as verdict:
                # Spark would wait for the answer for ever: it hears of errors only.
                self._verdict = verdict
                raise RuntimeError(str(verdict)) from None

        return writer.trigger(**source.trigger(every)).foreachBatch(publish).start()

    def _publish(self, rows, generation, batch, topic_id, begin):
        """One batch. What has an entry is never computed again."""
        name = ENTRY.format(generation=generation, batch=batch)
        committed = self._ledger.entry(name)
        if committed is None:
            self._compute(name, rows, generation, batch, topic_id, begin)
        else:
            self._finish(committed)
        if self._done["closes"]:
            raise SystemExit(f"STREAM_FENCED: another attempt has closed generation {generation}. Nothing is to be done.")

    def _compute(self, name, rows, generation, batch, topic_id, begin):
        """Stages a batch and commits it."""
        began = time.time()
        counts, moves = self._stage(name, rows, generation, batch)
        if self._topic.describe()["id"] != topic_id:
            raise source.TopicChanged
        until = self._planned(generation, batch)
        before = begin if batch == 0 or self._done is None else self._done["until"]
        times = {"began": began, "committed": time.time()}
        offsets = {"from": {partition: before.get(partition, 0) for partition in until}, "until": until, "closes": False, "gaps": []}
        self._commit(generation, batch, topic_id, {**offsets, **counts, **times, "moves": moves})

    def _stage(self, name, rows, generation, batch):
        """Writes what a batch holds beside the tables. Returns counts, and the moves that publish it."""
        observed = Observation()
        metrics = [F.count("*").alias("read"), F.count_if(F.col("reason").isNotNull()).alias("dead"), F.min("kafka_time").alias("oldest")]
        metrics.append(F.expr(events.unknown_fields()).alias("fields"))
        parsed = with_origin(events.parsed(rows), generation, batch).withColumn("arrival_date", F.to_date("kafka_time"))
        moves = self._publisher.stage(name, {EVENTS: parsed.observe(observed, *metrics).where("reason is null")})
        seen = observed.get
        if seen["dead"]:
            moves += self._publisher.stage(name, {DEAD_LETTERS: parsed.where("reason is not null")})
        oldest = seen["oldest"].timestamp() if seen["oldest"] else None
        return {"read": seen["read"], "dead": seen["dead"], "oldest": oldest, "fields": events.named(seen["fields"])}, moves

    def _planned(self, generation, batch):
        """Where the batch ends, by partition, as Spark has written down before it began: no other attempt can plan it differently."""
        text = self._files.read(f"{self._checkpoint(generation)}/offsets/{batch}")
        return json.loads(text.splitlines()[-1])[self._options.topic]

    def _goes_on(self, error):
        """True when the query failed because the broker lacks what it should have: the next look at it says what is lost."""
        if self._verdict is not None:
            raise self._verdict from None
        if not any(sign in str(error) for sign in source.SIGNS_OF_LOSS):
            raise error
        if self._done is None or not source.gaps(self._done, self._topic.describe()):
            raise error
        return True


if __name__ == "__main__":
    main()
