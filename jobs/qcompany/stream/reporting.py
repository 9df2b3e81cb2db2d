"""What the sink says to the worker that runs it as a service; by itself it only waits."""

import os

from qcompany.stream.tables import EVENTS, hours_of

try:
    from qflow_service import Service
except ImportError:
    Service = None

# Spark tells of as many batches afterwards.
REMEMBERED = 100


class Reporter:
    """Says progress and events where there is a worker to hear them."""

    def __init__(self):
        self._service = Service() if Service and "QFLOW_SERVICE_ID" in os.environ else None
        self._read = {}

    def follow(self, query):
        """Waits until the query ends, or ends it after the batch in hand when the service is to end. Raises what made it fail."""
        if self._service is None:
            query.awaitTermination()
        else:
            self._service.follow(query, rows_of=self._rows_of)

    def _rows_of(self, batch):
        return self._read.get(batch)

    def published(self, entry):
        """Announces the hours that a batch has brought rows for."""
        # A batch with dead letters is read twice, and Spark counts that.
        self._read[entry["batch"]] = entry["read"]
        while len(self._read) > REMEMBERED:
            del self._read[next(iter(self._read))]
        for hour in hours_of(entry) if self._service else []:
            self._service.emit(EVENTS, partition=hour)
