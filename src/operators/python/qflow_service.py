"""What a program of a qflow service says to its worker, and hears from it. Needs nothing but Python.

    from qflow_service import Service

    service = Service()
    query = frame.writeStream.option("checkpointLocation", service.checkpoint).foreachBatch(write).start()
    service.follow(query)

Everything said is one line on standard output: `::qflow:: ` and a JSON object. See docs/services.md.
"""
import json
import os
import sys
import threading
import time

PREFIX = "::qflow:: "


class Service:
    """The service that this program is, as its worker started it."""

    def __init__(self, environ=os.environ, out=None):
        self.id = environ["QFLOW_SERVICE_ID"]
        # Grows with every start: whoever holds a greater one may refuse what a smaller one writes.
        self.fencing_token = int(environ["QFLOW_FENCING_TOKEN"])
        # The same for every attempt and every version.
        self.checkpoint = environ["QFLOW_CHECKPOINT"]
        # Options of Spark's Kafka source and sink for the connection that the service names: brokers, login, certificates.
        self.kafka_options = {f"kafka.{name}": value for name, value in kafka_settings(environ).items()}
        self._drain_file = environ["QFLOW_DRAIN"]
        self._out = out
        self._lock = threading.Lock()

    @property
    def draining(self):
        """Whether the program is to finish what it has in hand, and end."""
        return os.path.exists(self._drain_file)

    def ready(self):
        """The program has started and works."""
        self._say({"type": "ready"})

    def heartbeat(self):
        """It lives, and has nothing else to tell."""
        self._say({"type": "heartbeat"})

    def progress(self, batch, rows, **facts):
        """A batch is done. `facts`: batchMs, inputRowsPerSecond, processedRowsPerSecond, lag (records), eventTime, offsets."""
        self._say({"type": "progress", "batch": batch, "rows": rows, **facts})

    def emit(self, dataset, partition=None, rows=None):
        """Something new can be read in a dataset. To be said when it can, and before the batch is committed."""
        event = {"type": "event", "dataset": dataset, "partition": partition, "rows": rows}
        self._say({key: value for key, value in event.items() if value is not None})

    def fields(self, dataset, fields):
        """Documents that were landed in a dataset have fields that no column holds. `fields`: pairs of path and type."""
        named = [{"name": str(name)[:250], "type": str(kind)[:250]} for name, kind in fields]
        self._say({"type": "fields", "dataset": dataset, "fields": named[:1000]})

    def follow(self, query, every=0.25, rows_of=None):
        """Tells the progress of a Spark streaming query until it ends; ends it after the batch in hand when that is wanted.

        `rows_of(batch)` = how many rows a batch really has, or None. Spark counts them as often as they are read: a `foreachBatch` that
        uses its frame twice has twice as many. Raises what made the query fail. A heartbeat is said only between batches: one that hangs
        is noticed.
        """
        self.ready()
        told, spoke, last = -1, time.monotonic(), None
        while query.isActive:
            for progress in query.recentProgress:
                progress = as_dict(progress)
                if progress["batchId"] > told and progress["numInputRows"] > 0:
                    told = progress["batchId"]
                    self.progress(**of_spark(progress, rows_of(told) if rows_of else None))
                    spoke = time.monotonic()
            idle = not query.status["isTriggerActive"] or not query.status["isDataAvailable"]
            if idle and time.monotonic() - spoke >= 5:
                self.heartbeat()
                spoke = time.monotonic()
            if self.draining:
                last = told if last is None else last
                # A query that is never idle is ended right after a batch. One that was begun meanwhile is done again.
                if idle or told > last:
                    query.stop()
                    break
            time.sleep(every)
        failure = query.exception()
        if failure is not None:
            raise failure

    def _say(self, message):
        line = PREFIX + json.dumps(message, separators=(",", ":"), default=str) + "\n"
        with self._lock:
            out = self._out or sys.stdout
            out.write(line)
            out.flush()


def kafka_settings(environ=os.environ):
    """Settings of Kafka's Java client for the connection that the service names; none where it names none."""
    path = environ.get("QFLOW_KAFKA_CONFIG")
    if not path:
        return {}
    with open(path) as file:
        return json.load(file)


def as_dict(progress):
    """Spark's progress as a plain dictionary: newer versions give an object."""
    return progress if isinstance(progress, dict) else json.loads(progress.json)


def of_spark(progress, rows=None):
    """The facts of a batch, from the progress of a Spark streaming query. `rows` = how many it really has."""
    sources = [source for source in progress.get("sources", []) if source]
    counted = progress["numInputRows"]
    share = 1 if rows is None or counted == 0 else rows / counted
    facts = {
        "batch": progress["batchId"],
        "rows": counted if rows is None else rows,
        "batchMs": progress.get("batchDuration", progress.get("durationMs", {}).get("triggerExecution")),
        "inputRowsPerSecond": scaled(progress.get("inputRowsPerSecond"), share),
        "processedRowsPerSecond": scaled(progress.get("processedRowsPerSecond"), share),
        "eventTime": progress.get("eventTime", {}).get("max"),
        "lag": lag_of(sources),
        "offsets": {source["description"]: parsed(source.get("endOffset")) for source in sources},
    }
    return {key: value for key, value in facts.items() if value is not None and value == value}


def scaled(rate, share):
    return None if rate is None else rate * share


def lag_of(sources):
    """Records that the sources have and the query has not read, over all partitions; None where no source tells."""
    lags = [behind(parsed(one.get("latestOffset")), parsed(one.get("endOffset"))) for one in sources]
    known = [lag for lag in lags if lag is not None]
    return sum(known) if known else None


def behind(latest, end):
    if isinstance(latest, dict) and isinstance(end, dict):
        lags = [behind(value, end.get(key)) for key, value in latest.items()]
        return None if None in lags else sum(lags)
    if isinstance(latest, (int, float)):
        return max(0, latest - (end if isinstance(end, (int, float)) else 0))
    return None


def parsed(offset):
    """Spark gives offsets as objects, or as JSON inside text."""
    if not isinstance(offset, str):
        return offset
    try:
        return json.loads(offset)
    except ValueError:
        return offset
