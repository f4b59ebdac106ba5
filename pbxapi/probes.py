"""For whoever watches this host: outside the prefix, and without a key for those whom the operator names."""

from __future__ import annotations

from functools import partial

from flask import Response

from pbxapi.changes.health import health, timed
from pbxapi.config import Config
from pbxapi.data.keys import SYSTEM, within
from pbxapi.errors import forbidden
from pbxapi.http.envelope import json_response
from pbxapi.http.figures import Figures
from pbxapi.http.gateway import Gateway, Request
from pbxapi.http.serving import Services
from pbxapi.metrics import CONTENT_TYPE, Metrics
from pbxapi.plugin.checks import plugins_health


def add_probes(app: Gateway, services: Services) -> None:
    """Serve ``/healthz``, ``/readyz`` and ``/metrics``, and count all requests. To be called after all routes."""

    def healthz(_: Request) -> Response:
        """This process answers. It asks nothing else, so that no fault elsewhere has it started again."""
        return json_response({"state": "ok"})

    def readyz(request: Request) -> Response:
        """Whether requests can be served: 200 or 503, and ``state``. All else is for those who may watch."""
        serves, parts = health(services.database, services.config.redis_url)
        if serves:
            parts["plugins"] = timed(lambda: plugins_health(services.registry, services.database))
        state = "ok" if all(part["state"] == "ok" for part in parts.values()) else "degraded"
        shown = parts if may_watch(request, services) else {}
        return json_response({"state": state, **shown}, 200 if serves else 503)

    def figures(request: Request) -> Response:
        """What is counted, for those who may watch."""
        if not may_watch(request, services):
            raise forbidden("Figures are for this host, for PBXAPI_METRICS_ALLOW, and for the system's key")
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    app.add_url_rule("/healthz", view_func=healthz)
    for place, name in ((services.config.url_prefix, "-below"), ("", "")):
        # Below the prefix, where nginx leads, for the system's key: what the console shows.
        app.add_url_rule(f"{place}/readyz", f"readyz{name}", readyz)
        app.add_url_rule(f"{place}/metrics", f"metrics{name}", figures)
    # Workers that end and those that take their place overlap while gunicorn reloads.
    services.figures = Figures(app, services.database, 2 * services.config.workers + 4)
    services.streams.counted = partial(services.figures.shift, "stream_clients")
    metrics = Metrics(services.figures, services.database, services.registry)


def may_watch(request: Request, services: Services) -> bool:
    """Whether a request may see host names, reasons and figures: by where it comes from, or by the system's key.

    Raises:
        ApiError: it has a key, and that is wrong.
    """
    if "X-API-Key" in request.headers:
        return services.callers.check_key(request) is SYSTEM
    return is_near(request, services.config)


def is_near(request: Request, config: Config) -> bool:
    """Whether a request comes from a network of `Config.metrics_allow`, or over the Unix socket past nginx.

    Whoever says that it was forwarded, and not by the proxies that are trusted, comes from nowhere in particular.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    hops = len(forwarded.split(",")) if forwarded else 0
    if (hops and hops < config.trusted_proxies) or (hops and not config.trusted_proxies):
        return False
    if "Forwarded" in request.headers or ("X-Real-IP" in request.headers and not config.trusted_proxies):
        return False
    address = request.remote_addr or ""
    return within(address, config.metrics_allow) if address else not hops
