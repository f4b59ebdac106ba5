"""gunicorn, set up from our own settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from pbxapi.config import Config
from pbxapi.http.serving import WAIT_MOST


class Log(Logger):  # type: ignore[misc]
    """gunicorn's own words go into the log of the process, in its format."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn at the start and at SIGHUP."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def gunicorn_settings(config: Config) -> dict[str, Any]:
    """gunicorn's settings by their names in its documentation, for the version that uv.lock names."""
    return {
        "proc_name": "pbxapi",
        "bind": config.bind,
        # A Unix socket is for nginx, by its group, and for nobody else.
        "umask": 0o007,
        # Threads keep connections alive and let a slow answer wait beside quick ones; sync workers do neither.
        "worker_class": "gthread",
        "workers": config.workers,
        "threads": config.threads,
        # Longer than nginx keeps an idle connection, or nginx sends a request into one that is closing: 502.
        "keepalive": 75,
        "graceful_timeout": int(WAIT_MOST) + 2,
        # The application connects nowhere before its first request, so its workers can be forked from it.
        "preload_app": True,
        "accesslog": None,
        "loglevel": "warning",
        "logger_class": Log,
        # By default gunicorn opens it in the home folder, where services of one user get in each other's way.
        "control_socket_disable": config.control_socket is None,
        **({"control_socket": str(config.control_socket)} if config.control_socket else {}),
    }


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn over one application; `run` returns by SystemExit.

    Args:
        load: makes the application, in the process that the workers are forked from.
    """

    def __init__(self, config: Config, load: Callable[[], Flask]) -> None:
        self._config = config
        self._load = load
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn at the start and at SIGHUP."""
        for name, value in gunicorn_settings(self._config).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn once."""
        return self._load()
