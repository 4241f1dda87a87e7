"""`/metrics`: the daemon's figures in Prometheus' text format."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Response

from dogid import __version__
from dogid.ledger import queries
from dogid.pipeline.counters import BUCKETS, Histogram
from dogid.web.api.endpoint import Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.daemon_view import DaemonView

if TYPE_CHECKING:
    from prometheus_client.registry import Collector, CollectorRegistry

METRICS = Endpoint(
    "GET",
    "/metrics",
    "Figures for Prometheus",
    {200: ResponseSpec("Prometheus' text format", {"text/plain": {"type": "string"}})},
)


def add_metrics_endpoint(registry: EndpointRegistry, daemon: DaemonView) -> None:
    """Add the endpoint. The library that writes the format is loaded when it is first asked for."""
    registries: list[CollectorRegistry] = []

    def metrics(params: QueryParams) -> Response:  # noqa: ARG001
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        if not registries:
            registries.append(_registry(daemon))
        return Response(generate_latest(registries[0]), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    registry.add(METRICS, metrics)


def _registry(daemon: DaemonView) -> "CollectorRegistry":
    from prometheus_client.platform_collector import PlatformCollector
    from prometheus_client.process_collector import ProcessCollector
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_collector(daemon))
    return registry


def _collector(daemon: DaemonView) -> "Collector":
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
    )
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

    class DaemonCollector(Collector):
        """Reads the figures when they are asked for."""

        def collect(self) -> Iterator[Metric]:
            yield from self._photos()
            yield self._durations()
            yield from self._state()

        def _photos(self) -> Iterator[Metric]:
            gauge = GaugeMetricFamily("dogid_photos", "Photos by their present state", labels=["status"])
            for status, number in queries.counts(daemon.reader()).items():
                gauge.add_metric([status], number)
            yield gauge
            counter = CounterMetricFamily(
                "dogid_results", "Results since the start, by label or by error code", labels=["status", "label"]
            )
            for (status, label), number in sorted(daemon.counters.outcome_counts().items()):
                counter.add_metric([status, label], number)
            yield counter

        def _durations(self) -> Metric:
            family = HistogramMetricFamily(
                "dogid_photo_seconds", "Time that photos took since the start", labels=["stage"]
            )
            for stage, histogram in daemon.counters.stage_durations().items():
                family.add_metric([stage], _buckets(histogram), histogram.total)
            return family

        def _state(self) -> Iterator[Metric]:
            yield GaugeMetricFamily("dogid_in_flight", "Photos that are being worked on", value=daemon.in_flight)
            yield GaugeMetricFamily(
                "dogid_healthy", "1 while the known photo is answered rightly", int(daemon.health.ok)
            )
            watch = daemon.watch_status
            watching = GaugeMetricFamily("dogid_watching", "1 for how the inbox is watched", labels=["mode"])
            watching.add_metric([watch.mode], 1)
            yield watching
            trouble = 0 if watch.problem is None else 1
            yield GaugeMetricFamily("dogid_watch_trouble", "1 while the inbox cannot be seen", value=trouble)
            about = InfoMetricFamily("dogid_model", "The model at work")
            about.add_metric([], {"name": daemon.model.file.name, "sha256": daemon.model.file.sha256})
            yield about
            build = InfoMetricFamily("dogid_build", "The daemon at work")
            build.add_metric([], {"version": __version__, "backend": daemon.model.backend.module})
            yield build

    return DaemonCollector()


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Upper bounds and how many took no longer, as Prometheus counts them."""
    bounds = [str(bound) for bound in BUCKETS] + ["+Inf"]
    found, sofar = list[tuple[str, float]](), 0
    for bound, count in zip(bounds, histogram.counts, strict=True):
        sofar += count
        found.append((bound, sofar))
    return found
