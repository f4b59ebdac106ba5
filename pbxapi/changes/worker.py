"""The worker of one switch node: an RQ worker with one queue, beside it threads of their own.

They are the heartbeat, the relay, live answers, and the listener to what the switch tells.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested

from pbxapi.changes import drain
from pbxapi.changes.listener import Listener
from pbxapi.changes.live import Answerer
from pbxapi.changes.nodes import Heartbeat, register
from pbxapi.changes.queues import connect, drain_queue
from pbxapi.changes.relay import Relay
from pbxapi.config import Config
from pbxapi.data.database import UNAVAILABLE, Database
from pbxapi.errors import SwitchError
from pbxapi.plugin.loader import Registry
from pbxapi.switch.commands import host_name
from pbxapi.switch.connection import Place
from pbxapi.switch.event_socket import EventSocket

log = logging.getLogger(__name__)

_RETRY = 1.0
_STOP = 2.0
"""Seconds that the threads have for the question at hand when the worker ends; a mute switch may take longer."""


class ThreadEnded(Exception):
    """A part of the worker that runs beside the drains fell over something unforeseen; the log says over what."""


class DrainWorker(SimpleWorker):
    """Runs drains in its own process: forking for each would cost more than the drain."""

    max_connection_wait_time = 2.0  # by default it looks for a lost Redis once a minute in the end

    def __init__(self, queue: Queue, stopping: threading.Event, redis: Redis) -> None:
        super().__init__(
            [queue],
            connection=redis,
            serializer=queue.serializer,
            maintenance_interval=30,
            worker_ttl=60,
            log_job_description=False,
        )
        self._stopping = stopping

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        # One that came before these handlers did went to the process's own, and nobody would look again.
        self._stop_requested = self._stop_requested or self._stopping.is_set()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """End after the drain at hand."""
        self._stopping.set()
        self._stop_requested = True  # also where what is raised below is caught on its way
        # In the middle of a drain it also tells Redis, and a fault there must not break into the drain.
        with suppress(RedisError):
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def run_worker(config: Config, database: Database, registry: Registry, *, relay: bool = True) -> None:
    """Serve one node until SIGTERM or SIGINT; finishes the drain at hand.

    Redis, PostgreSQL and the switch may come and go.

    Args:
        relay: whether this process also relays changes to the queues of all nodes.

    Raises:
        ThreadEnded: part of it fell; whoever started it should start it again.
    """
    stopping = stop_signals()
    with _ended_with_its_threads():
        _serve_node(config, database, registry, stopping, relay=relay)


def _serve_node(
    config: Config, database: Database, registry: Registry, stopping: threading.Event, *, relay: bool
) -> None:
    place = Place(config.esl_host, config.esl_port, config.esl_password)
    commands_socket = EventSocket.to(place)
    name = config.node or _ask_name(commands_socket, stopping)
    if not name or not _register(database, name, stopping):
        return
    drain.serve(name, drain.NodeDrain(config, database, registry, name, commands_socket))
    beside: list[Heartbeat | Answerer | Listener | Relay] = [
        Heartbeat(database, name, EventSocket.to(place)),
        Answerer(config.redis_url, name, EventSocket.to(place)),
        Listener(database, name, place, EventSocket.to(place)),
    ]
    if relay:
        beside.append(Relay(database, config.redis_url, config.changes_keep_days))
    for thread in beside:
        thread.start()
    log.info("node %s is served", name)
    serve_queue(config.redis_url, lambda redis: drain_queue(redis, name), stopping)
    for thread in beside:
        thread.stop()
    end = time.monotonic() + _STOP
    for thread in beside:
        thread.join(timeout=max(end - time.monotonic(), 0.0))
    commands_socket.close()


def run_relay(config: Config, database: Database) -> None:
    """Relay changes to the queues of all nodes until SIGTERM or SIGINT.

    Raises:
        ThreadEnded: it fell; whoever started it should start it again.
    """
    stopping = stop_signals()
    with _ended_with_its_threads():
        relay = Relay(database, config.redis_url, config.changes_keep_days)
        relay.start()
        stopping.wait()
        relay.stop()
        relay.join(timeout=5.0)


@contextmanager
def _ended_with_its_threads() -> Iterator[None]:
    """A relay or a heartbeat that fell over something unforeseen ends the process, which then is started again."""
    fallen: list[str] = []

    def end(fall: threading.ExceptHookArgs) -> None:
        name = fall.thread.name if fall.thread else "a thread"
        log.critical("%s fell", name, exc_info=fall.exc_value)
        fallen.append(name)
        os.kill(os.getpid(), signal.SIGTERM)

    before, threading.excepthook = threading.excepthook, end
    try:
        yield
    finally:
        threading.excepthook = before
    if fallen:
        raise ThreadEnded(f"{', '.join(fallen)} fell")


def stop_signals() -> threading.Event:
    """Set at the first SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def serve_queue(redis_url: str, queue_of: Callable[[Redis], Queue], stopping: threading.Event) -> None:
    """Do the jobs of one queue in this process until told to stop; Redis may come and go."""
    # The handler of signals raises it wherever we are, unless a job is at hand.
    with suppress(StopRequested):
        while not stopping.is_set():
            redis = connect(redis_url, timeout=10.0)
            try:
                DrainWorker(queue_of(redis), stopping, redis).work(logging_level="WARNING")
            except (RedisError, OSError) as error:
                log.warning("Redis is away (%s); trying again", type(error).__name__)
            stopping.wait(_RETRY)


def _ask_name(switch: EventSocket, stopping: threading.Event) -> str:
    while not stopping.is_set():
        try:
            return host_name(switch)
        except SwitchError as error:
            log.warning("PBXAPI_NODE is not set and the switch does not say its name: %s; trying again", error)
            stopping.wait(_RETRY * 2)
    return ""


def _register(database: Database, name: str, stopping: threading.Event) -> bool:
    while not stopping.is_set():
        try:
            with database.writing() as session:
                register(session, name)
            return True
        except UNAVAILABLE as error:
            log.warning("PostgreSQL is away (%s); trying again", type(error).__name__)
            time.sleep(_RETRY)
    return False
