"""The registry of one process's metrics: never the library's global one, and without its `_created` series."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class PlainRegistry(CollectorRegistry):
    """A registry whose counters and histograms are only what they count.

    The library adds a gauge `…_created` to each series, which doubles them and which a server that reads the
    text format cannot use; its own switch for that is one for the whole process.
    """

    def collect(self) -> Iterable[Metric]:
        """Every metric, without the times at which its series were made."""
        for metric in super().collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric

    def text(self) -> bytes:
        """Everything, in Prometheus' text format 0.0.4; its type is `CONTENT_TYPE`."""
        return generate_latest(self)
