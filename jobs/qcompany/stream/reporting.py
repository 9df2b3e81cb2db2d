"""What the sink says to the worker that runs it as a service; by itself it only waits."""

import os

from qcompany.stream.tables import EVENTS, hours_of

try:
    from qflow_service import Service
except ImportError:
    Service = None

class Reporter:
    """Says progress and events where there is a worker to hear them."""

    def __init__(self):
        self._service = Service() if Service and "QFLOW_SERVICE_ID" in os.environ else None

    def follow(self, query):
        """Waits until the query ends, or ends it after the batch in hand when the service is to end. Raises what made it fail."""
        if self._service is None:
            query.awaitTermination()
        else:
            self._service.follow(query)

    def published(self, entry):
        """Announces the hours that a batch has brought rows for."""
        for hour in hours_of(entry) if self._service else []:
            self._service.emit(EVENTS, partition=hour)
