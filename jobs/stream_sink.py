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
from qcompany.stream.files import Files
from qcompany.stream.ledger import ENTRY, Fenced, Ledger
from qcompany.stream.reporting import Reporter
from qcompany.stream.tables import Publisher, Target, with_origin

EVENTS = "standardized.app_events"
DEAD_LETTERS = "standardized.dead_letters"
# How Spark's Kafka source says that offsets are not there any more.
LOSS = ("KAFKA_DATA_LOSS", "Some data may have been lost", "OffsetOutOfRange", "UnknownTopicOrPartition")


def main():
    options = arguments()
    spark = runtime.session()
    spark.conf.set("spark.sql.session.timeZone", options.timezone)
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    sink = Sink(spark, options, Reporter())
    sink.recover()
    while sink.run():
        pass
    runtime.write_result(sink.result)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", required=True, help="host:port of brokers, with commas between them")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--root", default=os.environ.get("QFLOW_CHECKPOINT"), help="folder of the lake for checkpoint, ledger and staging")
    parser.add_argument("--most", type=int, default=100_000, help="most messages of a batch")
    parser.add_argument("--every", type=float, default=10, help="seconds between the starts of two batches")
    parser.add_argument("--begin", choices=["earliest", "latest"], default="earliest", help="where to begin when nothing was ever read")
    parser.add_argument("--on-loss", choices=["stop", "record"], default="stop", help="what to do when messages are gone that were not read")
    parser.add_argument("--timezone", default="UTC", help="zone of times that name none, and of the hours of the table")
    parser.add_argument("--until-read", action="store_true", help="end when everything is read that was there at the start")
    options = parser.parse_args()
    if not options.root:
        parser.error("--root is needed outside of a service")
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
        targets = [Target(spark, EVENTS, ["event_date", "event_hour"]), Target(spark, DEAD_LETTERS, ["arrival_date"])]
        self._publisher = Publisher(self._files, self._root, targets, attempt)
        self._topic = source.Topic(spark, options.servers, options.topic)
        self._done = None
        self.result = {"batches": 0, "read": 0, "dead": 0}

    def recover(self):
        """Carries out what an attempt that was killed has committed, and removes what it has not."""
        self._ledger.take_over()
        last = self._ledger.last("g")
        if last is not None:
            self._publisher.carry_out(last)
            self._reporter.published(last)
        self._publisher.sweep()
        self._done = last

    def run(self):
        """Runs one generation to its end. True when there is another one to run."""
        known = self._topic.describe()
        lost = [] if self._done is None else source.gaps(self._done, known)
        if lost:
            self._lose(lost, known)
        generation = 1 if self._done is None else self._done["generation"]
        # A checkpoint that a person has removed must not begin at batch 0 of a generation that has one.
        if self._done is not None and not lost and self._done["batch"] is not None and not self._has_checkpoint(generation):
            generation += 1
        begin = source.resume(self._done, known, self._options.begin)
        query = self._start(generation, known, begin)
        try:
            self._reporter.follow(query)
        except StreamingQueryException as error:
            return self._ended(error)
        return False

    def _start(self, generation, known, begin):
        frame = source.messages(self._spark, self._options.servers, self._options.topic, begin, self._options.most)
        checkpoint = f"{self._root}/checkpoint/g{generation:04d}"
        writer = frame.writeStream.queryName("app_events").option("checkpointLocation", checkpoint)
        trigger = {"availableNow": True} if self._options.until_read else {"processingTime": f"{self._options.every} seconds"}
        start = {str(partition): offset for partition, offset in begin.items()}

        def publish(rows, batch):
            self._publish(rows, generation=generation, batch=batch, topic=known["id"], start=start, checkpoint=checkpoint)

        return writer.trigger(**trigger).foreachBatch(publish).start()

    def _publish(self, rows, *, generation, batch, topic, start, checkpoint):
        name = ENTRY.format(generation=generation, batch=batch)
        entry = self._ledger.entry(name) or self._compute(name, rows, generation, batch, topic, start, checkpoint)
        self._publisher.carry_out(entry)
        self._done = entry
        self._reporter.published(entry)
        self.result = {"batches": self.result["batches"] + 1, **{what: self.result[what] + entry[what] for what in ("read", "dead")}}

    def _compute(self, name, rows, generation, batch, topic, start, checkpoint):
        """Stages a batch that has no entry yet and commits it; what another attempt has committed meanwhile holds instead."""
        began = time.time()
        observed = Observation()
        counts = [F.count("*").alias("read"), F.count_if(F.col("reason").isNotNull()).alias("dead"), F.min("kafka_time").alias("oldest")]
        parsed = with_origin(events.parsed(rows), generation, batch).withColumn("arrival_date", F.to_date("kafka_time"))
        alive = parsed.observe(observed, *counts).where("reason is null")
        moves = self._publisher.stage(name, {EVENTS: alive})
        seen = observed.get
        if seen["dead"]:
            moves += self._publisher.stage(name, {DEAD_LETTERS: parsed.where("reason is not null")})
        if self._topic.describe()["id"] != topic:
            raise source.Gap([])
        before = self._done["until"] if self._done is not None and self._done["generation"] == generation else start
        until = self._planned(checkpoint, batch)
        entry = self._ledger.commit(
            name,
            {
                "generation": generation,
                "batch": batch,
                "topic": self._options.topic,
                "topicId": topic,
                "from": {partition: before.get(partition, 0) for partition in until},
                "until": until,
                "read": seen["read"],
                "dead": seen["dead"],
                "oldest": seen["oldest"].timestamp() if seen["oldest"] else None,
                "began": began,
                "committed": time.time(),
                "gaps": [],
                "moves": moves,
            },
        )
        if entry["moves"] != moves:
            self._publisher.discard(name)
        return entry

    def _planned(self, checkpoint, batch):
        """Where the batch ends, by partition, as Spark has written down before it began: no other attempt can plan it differently."""
        text = self._files.read(f"{checkpoint}/offsets/{batch}")
        return json.loads(text.splitlines()[-1])[self._options.topic]

    def _has_checkpoint(self, generation):
        return bool(self._files.names(f"{self._root}/checkpoint/g{generation:04d}/offsets"))

    def _lose(self, lost, known):
        """Stops, or writes the gap down as an entry of its own and goes on in a new generation."""
        gap = source.Gap(lost)
        if self._options.on_loss == "stop":
            raise SystemExit(
                f"STREAM_DATA_LOSS: messages of {self._options.topic} are gone before they were read ({gap}). "
                "Run the job with --on-loss record to write the gap into the ledger and to go on with what is there."
            )
        generation = self._done["generation"] + 1
        begin = {str(partition): offset for partition, offset in source.resume(self._done, known, self._options.begin).items()}
        name = ENTRY.format(generation=generation, batch=0).replace("-b", "-a")
        entry = {"generation": generation, "batch": None, "topic": self._options.topic, "topicId": known["id"], "from": begin, "until": begin}
        now = time.time()
        nothing = {"read": 0, "dead": 0, "oldest": None, "began": now, "committed": now, "moves": []}
        self._done = self._ledger.commit(name, {**entry, **nothing, "gaps": lost})
        print(f"STREAM_DATA_LOSS: {gap}; written down, going on in generation {generation}", file=sys.stderr, flush=True)

    def _ended(self, error):
        """Whether the query that failed is to be started again, after a look at what the broker has."""
        text = str(error)
        if "STREAM_FENCED" in text:
            raise Fenced(0, 0) from None
        if not any(sign in text for sign in (*LOSS, "Gap")):
            raise error
        known = self._topic.describe()
        if self._done is None or not source.gaps(self._done, known):
            raise error
        return True


if __name__ == "__main__":
    main()
