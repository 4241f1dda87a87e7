"""`/metrics` in Prometheus' text format. Source: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Response

from dogid import __version__
from dogid.ledger import queries
from dogid.ledger.drift import Figures
from dogid.ledger.reviews import count_reviews
from dogid.pipeline.counters import BUCKETS, Histogram
from dogid.web.api.endpoint import Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.daemon_view import DaemonView
from dogid.web.recent_drift import RecentDrift

if TYPE_CHECKING:
    from prometheus_client.registry import Collector, CollectorRegistry

METRICS = Endpoint(
    "GET",
    "/metrics",
    "Metrics for Prometheus",
    {200: ResponseSpec("Prometheus' text format", {"text/plain": {"type": "string"}})},
)


_DRIFT_GAUGES: tuple[tuple[str, str, Callable[[Figures], float | None]], ...] = (
    ("mean_score", "Mean score of the newest photos", lambda figures: figures.mean_score),
    ("other_share", "Share of the newest photos with the label other", lambda figures: figures.other_share),
    ("unsure_share", "Share of the newest photos below their label's threshold", lambda figures: figures.unsure_share),
    ("reviewed", "Contents that people reviewed", lambda figures: figures.reviewed),
    ("corrected", "Contents that people gave another label", lambda figures: figures.corrected),
)


_OUTPUT_METRICS: tuple[tuple[str, str, Callable[[dict[str, Any]], float]], ...] = (
    ("ok", "1 while the last attempt of an output was right and nothing is parked", lambda state: int(state["ok"])),
    ("backlog", "Deliveries that wait for an output", lambda state: state["backlog"]),
    ("sent", "Deliveries that have arrived", lambda state: state["sent"]),
    ("failed", "Attempts that failed", lambda state: state["failed"]),
    ("parked", "Deliveries that are parked as the other side refused them", lambda state: state["parked"]),
    ("missed", "Events whose results the ledger had no more when they were due", lambda state: state["missed"]),
)
_OUTPUT_COUNTERS = frozenset({"sent", "failed", "missed"})


def add_metrics_endpoint(registry: EndpointRegistry, daemon: DaemonView, drift: RecentDrift) -> None:
    """Add `/metrics`. The Prometheus client is imported at the first request, since many daemons never get one."""
    registries: list[CollectorRegistry] = []

    def metrics(params: QueryParams) -> Response:  # noqa: ARG001
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        if not registries:
            registries.append(_make_registry(daemon, drift))
        return Response(generate_latest(registries[0]), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    registry.add(METRICS, metrics)


def _make_registry(daemon: DaemonView, drift: RecentDrift) -> "CollectorRegistry":
    from prometheus_client.platform_collector import PlatformCollector
    from prometheus_client.process_collector import ProcessCollector
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_make_collector(daemon, drift))
    return registry


def _make_collector(daemon: DaemonView, drift: RecentDrift) -> "Collector":
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
    )
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

    class DaemonCollector(Collector):
        """Reads the daemon's figures at each request."""

        def collect(self) -> Iterator[Metric]:
            yield from self._photos()
            yield self._durations()
            yield from self._state()
            yield from self._drift()
            yield from self._outputs()

        def _photos(self) -> Iterator[Metric]:
            gauge = GaugeMetricFamily("dogid_photos", "Photos by their present status", labels=["status"])
            for status, number in queries.count_by_status(daemon.reader()).items():
                gauge.add_metric([status], number)
            yield gauge
            counter = CounterMetricFamily(
                "dogid_results", "Results since the start, by label or by error code", labels=["status", "label"]
            )
            for (status, label), number in sorted(daemon.counters.outcome_counts().items()):
                counter.add_metric([status, label], number)
            yield counter
            about = "Contents on which a person's word stands; corrected: with another label"
            reviews = GaugeMetricFamily("dogid_reviews", about, labels=["verdict"])
            for verdict, number in count_reviews(daemon.reader()).items():
                reviews.add_metric([verdict], number)
            yield reviews

        def _drift(self) -> Iterator[Metric]:
            """Yield figures of the last seven days by folder: of as many folders as there are lines on the page."""
            folders = drift.read(daemon.reader(), daemon.settings.thresholds).list_folders()
            for name, about, value in _DRIFT_GAUGES:
                gauge = GaugeMetricFamily(f"dogid_week_{name}", f"{about}, of the last seven days", labels=["folder"])
                for folder, recent, _ in folders:
                    known = value(recent)
                    if known is not None:
                        gauge.add_metric([folder], known)
                yield gauge

        def _outputs(self) -> Iterator[Metric]:
            states = daemon.outputs.states()
            for name, about, read in _OUTPUT_METRICS:
                kind = CounterMetricFamily if name in _OUTPUT_COUNTERS else GaugeMetricFamily
                family = kind(f"dogid_output_{name}", about, labels=["output", "type"])
                for state in states:
                    family.add_metric([state["name"], state["type"]], read(state))
                yield family

        def _durations(self) -> Metric:
            family = HistogramMetricFamily(
                "dogid_photo_seconds", "Time that photos took since the start", labels=["stage"]
            )
            for stage, histogram in daemon.counters.stage_durations().items():
                family.add_metric([stage], _format_buckets(histogram), histogram.total)
            return family

        def _state(self) -> Iterator[Metric]:
            yield GaugeMetricFamily("dogid_in_flight", "Photos that are being classified", value=daemon.in_flight)
            yield GaugeMetricFamily("dogid_healthy", "1 while the health check passes", int(daemon.health.ok))
            watch = daemon.watch_status
            watching = GaugeMetricFamily("dogid_watching", "1 for how the inbox is watched", labels=["mode"])
            watching.add_metric([watch.mode], 1)
            yield watching
            trouble = 0 if watch.problem is None else 1
            yield GaugeMetricFamily("dogid_watch_trouble", "1 while inbox or ledger cannot be used", value=trouble)
            about = InfoMetricFamily("dogid_model", "The model in use")
            about.add_metric([], {"name": daemon.model.file.name, "sha256": daemon.model.file.sha256})
            yield about
            named = InfoMetricFamily("dogid", "The daemon's name among others")
            named.add_metric([], {"name": daemon.settings.daemon_name})
            yield named
            build = InfoMetricFamily("dogid_build", "The running version")
            build.add_metric([], {"version": __version__, "backend": daemon.model.backend.module})
            yield build

    return DaemonCollector()


def _format_buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return (upper bound, observations up to it) for each bucket: Prometheus counts cumulatively."""
    bounds = [str(bound) for bound in BUCKETS] + ["+Inf"]
    buckets, cumulative = list[tuple[str, float]](), 0
    for bound, count in zip(bounds, histogram.counts, strict=True):
        cumulative += count
        buckets.append((bound, cumulative))
    return buckets
