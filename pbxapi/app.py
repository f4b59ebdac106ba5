"""The factory of the web application: settings, pool, plugins, routes."""

from __future__ import annotations

import logging

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from pbxapi.changes.live import LiveQuestions
from pbxapi.changes.queues import connect
from pbxapi.config import Config, load_config
from pbxapi.data.database import Database
from pbxapi.http.faults import Faults
from pbxapi.http.gateway import Gateway
from pbxapi.http.routes import register_routes
from pbxapi.http.serving import Services
from pbxapi.plugin.call import Ask
from pbxapi.plugin.loader import load_registry
from pbxapi.probes import add_probes

log = logging.getLogger(__name__)

RATE_SECONDS = 0.2
"""How long a request waits for Redis to count it."""


def create_app(config: Config | None = None, ask: Ask | None = None) -> Flask:
    """The web application of one process; connections are made at the first use, so that it can be forked.

    Args:
        config: the settings; read from the environment when left out.
        ask: how live questions reach the switch nodes; through Redis when left out.

    Raises:
        ConfigError: a setting cannot be used.
        PluginError: a built-in plugin cannot be used with this database.
    """
    config = config or load_config()
    # One connection for each thread that serves requests, and one for the event streams.
    database = Database(config.database_url, max_size=config.threads + 1, name="pbxapi-api")
    registry = load_registry(config, database)
    app = Gateway(Faults(config.url_prefix, registry))
    if config.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.trusted_proxies, x_proto=0)  # type: ignore[method-assign]
    services = Services(
        config,
        database,
        ask or LiveQuestions(config.redis_url, database).ask,
        connect(config.redis_url, timeout=RATE_SECONDS).connection_pool,
        registry,
    )
    register_routes(app, services, registry)
    add_probes(app, services)
    app.extensions["pbxapi"] = services
    return app
