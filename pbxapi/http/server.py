"""gunicorn, set up from our own settings."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from flask import Flask
from gunicorn import systemd
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from pbxapi.config import Config
from pbxapi.http.serving import WAIT_MOST


class Log(Logger):  # type: ignore[misc]
    """gunicorn's own words go into the log of the process, in its format."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn at the start and at SIGHUP."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's, which leaves a new connection to a process that has fewer.

    The process that wakes first takes it, and that is the same one again and again: with two, one had 18 of 20
    connections that stay open, and did all the work.
    """

    PAUSE = 0.00005
    """Seconds to let others go first, for each connection of our own."""

    MOST = 8
    """Connections that are counted."""

    def accept(self, listener: Any) -> None:
        """Called by gunicorn in all processes when somebody connects; does nothing where another was quicker."""
        if self.nr_conns:
            time.sleep(min(self.nr_conns, self.MOST) * self.PAUSE)
        super().accept(listener)


def gunicorn_settings(config: Config) -> dict[str, Any]:
    """gunicorn's settings by their names in its documentation, for the version that uv.lock names."""
    return {
        "proc_name": "pbxapi",
        "bind": config.bind,
        # A Unix socket is for nginx, by its group, and for nobody else.
        "umask": 0o007,
        # Threads keep connections alive and let a slow answer wait beside quick ones; sync workers do neither.
        "worker_class": Worker,
        "workers": config.workers,
        "threads": config.threads,
        # Longer than nginx keeps an idle connection, or nginx sends a request into one that is closing: 502.
        "keepalive": 75,
        "graceful_timeout": int(WAIT_MOST) + 2,
        # The application connects nowhere before its first request, so its workers can be forked from it.
        "preload_app": True,
        "pre_exec": _put_back_sockets,
        "post_fork": _end_at_once,
        "accesslog": None,
        "loglevel": "warning",
        "logger_class": Log,
        "worker_exit": _end_streams,
        # By default gunicorn opens it in the home folder, where services of one user get in each other's way.
        "control_socket_disable": config.control_socket is None,
        **({"control_socket": str(config.control_socket)} if config.control_socket else {}),
    }


def _leashed() -> bool:
    """Whether this process is to end with the one that started it (prctl(2), PR_GET_PDEATHSIG)."""
    end_with = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(end_with))
    return end_with.value != 0


def _put_back_sockets(master: Arbiter) -> None:
    """Called by gunicorn in the process that becomes the next master.

    That looks for systemd's sockets at their numbers, from which gunicorn has moved them.
    """
    if master.systemd:
        for number, listener in enumerate(master.LISTENERS, systemd.SD_LISTEN_FDS_START):
            if listener.fileno() != number:
                os.dup2(listener.fileno(), number)
                os.set_inheritable(listener.fileno(), False)


def _end_at_once(master: Arbiter, worker: object) -> None:
    """Called by gunicorn in a new worker, which has the master's handlers until it is ready.

    A SIGTERM would only be noted then, and the master would wait as long as the longest request may take.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class ReadToTheEnd:
    """Takes what the application left of a body before its answer is sent.

    gunicorn takes 64 KiB of it and closes the connection; nginx, which is still sending, then answers 502 instead.
    """

    MOST = 9 * 1024 * 1024
    """More than nginx hands on (ops/nginx/snippet.conf)."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """As WSGI has it."""
        answer = self._application(environ, start_response)
        if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
            left = self.MOST
            with suppress(OSError):  # the client has gone: whether it can be answered shows soon
                while left > 0 and (part := environ["wsgi.input"].read(65536)):
                    left -= len(part)
        return answer


class Master(Arbiter):  # type: ignore[misc]
    """gunicorn's master, to whom SIGHUP means: serve by the code and the settings that are there now.

    gunicorn's own reload would fork workers from what the master loaded at its start. This one starts a second
    master beside it, which takes over once it could load everything; a second one that could not ends, and the
    first goes on. No request is refused meanwhile, and those that run are finished.
    """

    def __init__(self, app: BaseApplication) -> None:
        super().__init__(app)
        self._reload_wanted = False
        # A script is started by its name, which an upgrade gives to another one, not by the Python of this one.
        script = os.access(sys.argv[0], os.X_OK)
        self.START_CTX |= {"args": sys.argv[:], 0: sys.argv[0]} if script else {"args": sys.orig_argv[:]}

    def handle_hup(self) -> None:
        """Called by gunicorn at SIGHUP."""
        if _leashed():
            # A second master would outlive the one to whom this process is tied, who starts it again.
            os.kill(self.pid, signal.SIGTERM)
        else:
            self._reload_wanted = True

    def maybe_promote_master(self) -> None:
        """Called by gunicorn at least once a second."""
        super().maybe_promote_master()
        # gunicorn knows two masters at most: a further reload waits until the last one is over.
        if self._reload_wanted and not self.master_pid and not self.reexec_pid:
            self._reload_wanted = False
            self.reexec()

    def start(self) -> None:
        """Called by gunicorn when everything is loaded; where another master serves, take over from it."""
        super().start()
        if self.master_pid and self.master_pid == os.getppid():
            systemd.sd_notify(f"MAINPID={self.pid}", self.log)
            os.kill(self.master_pid, signal.SIGTERM)


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
        """Called by gunicorn at the start."""
        for name, value in gunicorn_settings(self._config).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn once."""
        app = self._load()
        app.wsgi_app = ReadToTheEnd(app.wsgi_app)  # type: ignore[method-assign]
        return app

    def run(self) -> None:
        """Serve until SIGTERM."""
        Master(self).run()


def _end_streams(_: Any, worker: Any) -> None:
    """Called by gunicorn in a worker that is about to end."""
    app = getattr(worker, "wsgi", None)  # absent where it could not be loaded
    if app is not None:
        app.extensions["pbxapi"].streams.close()
