"""What the sink says to the worker that runs it as a service; by itself it only waits."""

import os
import time

from qcompany.stream.tables import DEAD_LETTERS, EVENTS, partitions_of

try:
    from qflow_service import Service
except ImportError:
    Service = None

# Spark tells of as many batches afterwards.
REMEMBERED = 100
# Fields are told again after that long: the catalog knows to the hour when one was last seen.
AGAIN_SECONDS = 1800


class Reporter:
    """Says progress and events where there is a worker to hear them."""

    def __init__(self):
        self._service = Service() if Service and "QFLOW_SERVICE_ID" in os.environ else None
        self._read = {}
        self._fields = set()
        self._told_at = time.monotonic()

    def follow(self, query):
        """Waits until the query ends, or ends it after the batch in hand when the service is to end. Raises what made it fail."""
        if self._service is None:
            query.awaitTermination()
        else:
            self._service.follow(query, rows_of=self._rows_of)

    def _rows_of(self, batch):
        return self._read.get(batch)

    def published(self, entry):
        """Announces what a batch has brought: hours with events, days with dead letters, fields that no column holds."""
        # A batch with dead letters is read twice, and Spark counts that.
        self._read[entry["batch"]] = entry["read"]
        while len(self._read) > REMEMBERED:
            del self._read[next(iter(self._read))]
        if self._service is None:
            return
        for table in (EVENTS, DEAD_LETTERS):
            for partition in partitions_of(entry, table):
                self._service.emit(table, partition=partition)
        self._tell_fields({tuple(field) for field in entry.get("fields", [])})

    def _tell_fields(self, fields):
        now = time.monotonic()
        if now - self._told_at > AGAIN_SECONDS:
            self._fields.clear()
            self._told_at = now
        if fields - self._fields:
            self._service.fields(EVENTS, sorted(fields - self._fields))
        self._fields |= fields
