"""Services of plugins: work that goes on all the time, in one process at a time over all hosts.

Whose turn it is, is a lock of PostgreSQL's, held by the connection that also hears of events: whoever loses that
connection loses the turn, and PostgreSQL gives the lock of a dead process to the next one at once.
"""

from __future__ import annotations

import logging
import threading

from pbxapi.data.database import Connection, Database, DatabaseError
from pbxapi.data.events import EVENT_CHANNEL
from pbxapi.plugin.declaration import Service, ServiceRun
from pbxapi.plugin.loader import LoadedPlugin

log = logging.getLogger(__name__)

STOP = 15.0
"""Seconds that a service has to return in when its turn is over."""

_RETRY = 1.0
_LISTEN = 0.5
_TAKE = "select pg_try_advisory_lock(hashtextextended(%s, 7065)) as mine"


class ServiceThread(threading.Thread):
    """Waits for its turn, runs the service, and begins again."""

    def __init__(
        self, database: Database, plugin: LoadedPlugin, name: str, service: Service, stopping: threading.Event
    ) -> None:
        super().__init__(name=f"{plugin.name}/{name}", daemon=True)
        self._database = database
        self._plugin = plugin
        self._service = service
        self._stopping = stopping

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.dedicated() as connection:
                    if self._wait_for_turn(connection):
                        self._have_turn(connection)
            except (DatabaseError, OSError) as error:
                log.warning("service %s waits for PostgreSQL (%s)", self.name, type(error).__name__)
            self._stopping.wait(_RETRY)

    def _wait_for_turn(self, connection: Connection) -> bool:
        while not self._stopping.is_set():
            row = connection.execute(_TAKE, [self.name]).fetchone()
            if row and row["mine"]:
                return True
            self._stopping.wait(_RETRY)
        return False

    def _have_turn(self, connection: Connection) -> None:
        connection.execute(f"listen {EVENT_CHANNEL}")
        run = service_run(self._database, self._plugin)
        working = threading.Thread(target=self._work, args=(run,), name=f"{self.name} at work", daemon=True)
        working.start()
        log.info("service %s has its turn", self.name)
        try:
            while working.is_alive() and not self._stopping.is_set():
                if list(connection.notifies(timeout=_LISTEN, stop_after=1)):
                    run.wake()
        finally:
            run.end()
            working.join(STOP)

    def _work(self, run: ServiceRun) -> None:
        try:
            self._service.run(run)
        except Exception:
            # A plugin's service may raise anything: it is started again, and the jobs beside it go on.
            log.exception("service %s fell; it is started again", self.name)


def service_run(database: Database, plugin: LoadedPlugin) -> ServiceRun:
    """What a plugin's service works with."""
    return ServiceRun(
        database,
        {
            f"{resource.declaration.name}/{name}": statement
            for resource in plugin.resources
            for name, statement in resource.statements.items()
        },
        plugin.options,
        logging.getLogger(f"pbxapi.plugin.{plugin.name}"),
        frozenset(event.name for event in plugin.events),
    )


def start_services(database: Database, plugin: LoadedPlugin, stopping: threading.Event) -> list[ServiceThread]:
    """Run a plugin's services in threads until told to stop."""
    assert plugin.plugin is not None
    threads = [
        ServiceThread(database, plugin, name, service, stopping)
        for name, service in plugin.plugin.services.items()
    ]
    for thread in threads:
        thread.start()
    return threads
