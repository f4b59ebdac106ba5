"""``/metrics``, for Prometheus: what this host's web processes count, and what the database knows of the rest."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from pbxapi import __version__
from pbxapi.changes.figures import change_figures, connection_figures, job_figures
from pbxapi.data.database import UNAVAILABLE, Database, Session
from pbxapi.http.figures import BUCKETS, CLASSES, Figures
from pbxapi.plugin import CheckRun
from pbxapi.plugin.loader import LoadedPlugin, Registry

log = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = 1.0
"""How long a statement for the metrics may take, and how long its figures are believed."""

Values = float | Mapping[Any, float]
"""A figure, or one for each tuple of its labels' values."""

SERIES_MOST = 500
"""How many label values a figure of a plugin's may have."""


class Metrics:
    """Reads all figures when somebody looks.

    What the database says is remembered for a second, and asked for by one thread at a time: however often they
    look, it costs a few statements a second, each with a deadline.
    """

    def __init__(self, figures: Figures, database: Database, registry: Registry) -> None:
        self._figures = figures
        self._database = database
        self._registry = registry
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._known: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """All figures, as prometheus-client asks for them."""
        own = list(self._of_processes())
        yield from own
        with self._lock:
            if time.monotonic() - self._read_at > SECONDS:
                self._known = list(self._of_database({metric.name for metric in own}))
                self._read_at = time.monotonic()
            known = self._known
        yield from known

    def text(self) -> bytes:
        """All figures, in Prometheus' text format."""
        return generate_latest(self)

    def _of_processes(self) -> Iterator[Metric]:
        totals, routes = self._figures.read()
        yield _gauge("info", "The version that serves.", {(__version__,): 1}, "version")
        yield _gauge("web_processes", "Processes of this host that have served a request.", totals["processes"])
        requests = _counter("http_requests", "Requests by route.", "route", "method", "status")
        times = HistogramMetricFamily(
            "pbxapi_http_request_seconds", "Time until an answer began.", labels=("route", "method")
        )
        for figures in routes:
            for kind, count in zip(CLASSES, figures.answers, strict=True):
                if count:
                    requests.add_metric((figures.route, figures.method, kind), count)
            sums, below = [], 0
            for bound, count in zip((*BUCKETS, "+Inf"), figures.buckets, strict=True):
                below += count
                sums.append((str(bound), below))
            times.add_metric((figures.route, figures.method), sums, figures.seconds)
        yield requests
        yield times
        for name, help, key in _TOTALS:
            metric = _counter(name, help)
            metric.add_metric((), totals[key] / 1000 if key.endswith("_ms") else totals[key])
            yield metric
        for name, help, key in _NOW:
            yield _gauge(name, help, totals[key])

    def _of_database(self, names: set[str]) -> Iterator[Metric]:
        readable: dict[tuple[str, ...], float] = {}
        away = False
        for source, read in self._sources():
            readable[source,] = 0
            if away:
                continue
            try:
                with self._database.writing() as session:
                    session.do(f"set local statement_timeout = '{int(SECONDS * 1000)}ms'")
                    session.do("set transaction read only")
                    found = list(read(session))
                if taken := names & {metric.name for metric in found}:
                    raise ValueError(f"{', '.join(sorted(taken))} is taken")
            except Exception as error:
                # Whatever a plugin may raise: its figures are missing, and that is told.
                log.warning("the figures of %s cannot be read: %s: %s", source, type(error).__name__, error)
                away = isinstance(error, UNAVAILABLE) and source == "postgresql"
                continue
            readable[source,] = 1
            names |= {metric.name for metric in found}
            yield from found
        yield _gauge("figures_read", "1 where the figures of a source could be read, else 0.", readable, "source")
        left_out = sum(bool(plugin.error) for plugin in self._registry.plugins)
        yield _gauge("plugins_left_out", "Plugins that do not serve.", left_out)

    def _sources(self) -> Iterator[tuple[str, Callable[[Session], Iterable[Metric]]]]:
        yield "postgresql", _of_changes
        for loaded in self._registry.plugins:
            if loaded.plugin is not None and not loaded.error and loaded.plugin.metrics:
                yield loaded.name, _reader(loaded)


_TOTALS = (
    ("rate_limit_unchecked", "Requests whose rate was not looked at, because Redis was away.", "unchecked"),
    ("pool_requests", "Connections that were asked for.", "requests_num"),
    ("pool_waits", "Times that none was free at once.", "requests_queued"),
    ("pool_wait_seconds", "Time spent waiting for one.", "requests_wait_ms"),
    ("pool_timeouts", "Times that none came free in time.", "requests_errors"),
)

_NOW = (
    ("pool_connections", "Connections to PostgreSQL that the web processes hold.", "pool_size"),
    ("pool_idle", "Those of them that are free.", "pool_available"),
    ("pool_waiting", "Requests that wait for one.", "requests_waiting"),
    ("event_stream_clients", "Open event streams.", "stream_clients"),
)


def _of_changes(session: Session) -> Iterator[Metric]:
    rows, homeless = change_figures(session)
    nodes = {(row.pop("name"),): row for row in rows}
    yield _gauge("changes_homeless", "Changes that wait for the first node of all.", homeless)
    for name, help, key in (
        ("changes_waiting", "Changes that wait to be applied.", "waiting"),
        ("changes_failed", "Changes that were set aside after their last attempt.", "failed"),
        ("changes_oldest_seconds", "How long the oldest of the waiting ones has waited.", "oldest_seconds"),
        ("node_up", "1 where the worker of a node gives signs of life, else 0.", "up"),
        ("event_socket_up", "1 where the event socket answered that worker last, else 0.", "socket_up"),
    ):
        yield _gauge(name, help, {node: row[key] for node, row in nodes.items()}, "node")
    for name, help, key in (
        ("changes_applied", "Changes applied on a node.", "applied"),
        ("change_failures", "Attempts to apply a change that failed.", "failures"),
        ("reloads", "Times that a switch read its XML again for us.", "reloads"),
    ):
        metric = _counter(name, help, "node")
        for node, row in nodes.items():
            metric.add_metric(node, row[key])
        yield metric
    jobs = {(row["plugin"], row["state"]): row["jobs"] for row in job_figures(session)}
    yield _gauge("jobs", "Background jobs that wait, or have failed for good.", jobs, "plugin", "state")
    held = {(row["process"], row["state"]): row["connections"] for row in connection_figures(session)}
    yield _gauge("database_connections", "Connections, as PostgreSQL sees them.", held, "process", "state")


def _reader(loaded: LoadedPlugin) -> Callable[[Session], Iterable[Metric]]:
    def read(session: Session) -> Iterator[Metric]:
        assert loaded.plugin is not None
        for name, metric in loaded.plugin.metrics.items():
            values = _by_labels(metric.read(CheckRun(session, loaded.options)))
            if len(values) > SERIES_MOST:
                raise ValueError(f"{name} has {len(values)} values of its labels")
            full = f"{loaded.name.replace('-', '_')}_{name}"
            if metric.kind == "counter":
                counter = _counter(full.removesuffix("_total"), metric.help, *metric.labels)
                for labels, value in values.items():
                    counter.add_metric(labels, value)
                yield counter
            else:
                yield _gauge(full, metric.help, values, *metric.labels)

    return read


def _by_labels(values: Values) -> Mapping[Any, float]:
    return {(): values} if isinstance(values, (int, float)) else values


def _counter(name: str, help: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"pbxapi_{name}", help, labels=labels)


def _gauge(name: str, help: str, values: Values, *labels: str) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(f"pbxapi_{name}", help, labels=labels)
    for label_values, value in _by_labels(values).items():
        metric.add_metric(label_values, float(value))
    return metric
