"""Dead letters that can be read by now → `standardized.app_events`, each once.

    spark-submit jobs/stream_replay.py [--service app_events | --root FOLDER] [--timezone ZONE]

For after a fix of what reads events. What became an event is noted in `standardized.dead_letters_replayed`, by the same entry of the ledger
that lands it; the rest waits for the next replay.
Result (QFLOW_RESULT): {"replay", "landed", "hours": ["2026-11-22/10"], "open", "reasons": {reason: still open}}.
"""

import argparse
import os
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pyspark.sql import functions as F
from qcompany import runtime
from qcompany.stream import events
from qcompany.stream.files import Files
from qcompany.stream.ledger import Ledger
from qcompany.stream.tables import DEAD_LETTERS, EVENTS, REPLAYED, Publisher, partitions_of, prepare_to_write, targets

ENTRY = "replay-{number:06d}"
PLACE = ["topic", "generation", "partition", "offset"]


def main():
    options = arguments()
    spark = runtime.session()
    prepare_to_write(spark, options.timezone)
    root = (options.root or root_of(spark, options.service)).rstrip("/")
    attempt = uuid.uuid4().hex[:12]
    files = Files(spark, root)
    ledger = Ledger(files, root, attempt, None)
    publisher = Publisher(files, root, targets(spark), attempt)
    last = ledger.last("replay-")
    if last is not None:
        publisher.carry_out(last)
        publisher.sweep("replay-", last["name"])
    runtime.write_result(replay(spark, ledger, publisher, attempt, 1 if last is None else last["replay"] + 1))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--service", default="app_events", help="the service that runs the sink")
    parser.add_argument("--root", help="the folder that the sink keeps its ledger in, where it is no service")
    parser.add_argument("--timezone", default="UTC", help="zone of times that name none, as for the sink")
    return parser.parse_args()


def root_of(spark, service):
    """Where qflow keeps the state of a service: beside the warehouse."""
    return f"{spark.conf.get('spark.sql.warehouse.dir').rstrip('/').rpartition('/')[0]}/checkpoints/{service}"


def replay(spark, ledger, publisher, attempt, number):
    """One replay. Of two at the same time one commits, and the other one carries that out."""
    again = events.parsed(open_letters(spark)).persist()
    hours = []
    counts = dict(again.groupBy(F.coalesce("reason", F.lit(""))).count().collect())
    landed = counts.pop("", 0)
    if landed:
        name = ENTRY.format(number=number)
        readable = again.where("reason is null")
        noted = readable.withColumns({"replay": F.lit(number), "arrival_date": F.to_date("kafka_time")})
        moves = publisher.stage(name, {EVENTS: readable, REPLAYED: noted})
        entry = ledger.commit(name, {"replay": number, "read": landed, "committed": time.time(), "moves": moves})
        publisher.carry_out(entry)
        if entry["attempt"] != attempt:
            raise SystemExit(f"STREAM_REPLAY_BUSY: another replay has taken number {number}. Run this one again.")
        hours = partitions_of(entry, EVENTS)
    again.unpersist()
    return {"replay": number if landed else None, "landed": landed, "hours": hours, "open": sum(counts.values()), "reasons": counts}


def open_letters(spark):
    """Dead letters that have not become events, as messages."""
    return spark.table(DEAD_LETTERS).join(spark.table(REPLAYED), PLACE, "left_anti").drop("reason", "arrival_date")


if __name__ == "__main__":
    main()
