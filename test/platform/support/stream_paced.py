"""Reads a topic as the sink does, until there is nothing that may be read at once: `--servers S --topic T --most N --every SECONDS`.

Result: how many messages each batch had.
"""

import argparse
import os
import sys
import tempfile
import threading

JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../jobs")
sys.path.insert(0, JOBS)

from pyspark.sql.streaming import StreamingQueryListener
from qcompany import runtime
from qcompany.stream import source


class Idle(StreamingQueryListener):
    """Hears when a look at the topic makes no batch."""

    def __init__(self):
        self.heard = threading.Event()

    def onQueryStarted(self, event):
        pass

    def onQueryProgress(self, event):
        pass

    def onQueryIdle(self, event):
        self.heard.set()

    def onQueryTerminated(self, event):
        self.heard.set()


def main():
    parser = argparse.ArgumentParser()
    for name, kind in {"servers": str, "topic": str, "most": int, "every": float}.items():
        parser.add_argument(f"--{name}", type=kind)
    options = parser.parse_args()
    spark = runtime.session()
    spark.conf.set("spark.sql.streaming.noDataProgressEventInterval", "0")
    cluster = source.cluster_of(options.servers, None)
    begin = source.Topic(spark, cluster, options.topic).describe()["earliest"]
    rows = source.messages(spark, cluster, options.topic, begin, options.most, options.every)
    counts = []
    idle = Idle()
    spark.streams.addListener(idle)
    with tempfile.TemporaryDirectory() as folder:
        writer = rows.writeStream.option("checkpointLocation", folder).trigger(**source.trigger(options.every))
        query = writer.foreachBatch(lambda batch, _: counts.append(batch.count())).start()
        idle.heard.wait(120)
        query.stop()
    spark.streams.removeListener(idle)
    runtime.write_result({"batches": counts})


if __name__ == "__main__":
    main()
