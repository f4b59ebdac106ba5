"""The relay: sees committed changes and wakes the worker of each node that has something to do."""

from __future__ import annotations

import logging
import threading
import time

from redis.exceptions import RedisError
from rq import Queue

from pbxapi.changes.queues import connect, drain_queue, jobs_queue
from pbxapi.data.answers import prune_answers
from pbxapi.data.change import CHANNEL, prune_changes
from pbxapi.data.database import Database, DatabaseError, Session
from pbxapi.data.events import number_events, prune_events
from pbxapi.data.imports import prune_imports
from pbxapi.data.jobs import plugins_with_jobs

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between looks when nothing calls: notifications are lost while a connection is."""

_PAUSE = 0.005
_NUMBERED = 1000
_PRUNE_EVERY = 600.0
_PRUNED = 1000
"""Rows of a table that one round forgets: so few that no node waits for it."""

_IMPORTS = 10  # each with its lines

_NODES_WITH_WORK = """
select node.name
  from pbxapi.node
 where (node.retry_at is null or node.retry_at <= clock_timestamp())
   and (exists (select from pbxapi.change_node as c
                 where c.node = node.name and c.state = 'pending' and c.due_at <= clock_timestamp())
     or exists (select from pbxapi.change_node as c
                 where c.node = node.name and c.settle_at <= clock_timestamp()))
 order by node.name
"""


class Relay(threading.Thread):
    """Runs until stopped. Any number may run: a node's queue never holds more than one wake-up."""

    def __init__(self, database: Database, redis_url: str, keep_days: int) -> None:
        super().__init__(name="relay", daemon=True)
        self._database = database
        self._keep_days = keep_days
        self._redis = connect(redis_url)
        self._stop_wanted = threading.Event()

    def stop(self) -> None:
        """End soon."""
        self._stop_wanted.set()

    def run(self) -> None:
        """Listen, poll, hand over."""
        while not self._stop_wanted.is_set():
            try:
                self._listen()
            except (DatabaseError, OSError) as error:
                log.warning("the relay lost PostgreSQL: %s; trying again", type(error).__name__)
                self._stop_wanted.wait(POLL)

    def _listen(self) -> None:
        with self._database.dedicated() as connection:
            connection.execute(f"listen {CHANNEL}")
            prune_at = 0.0
            while not self._stop_wanted.is_set():
                with self._database.reading() as session:
                    self._hand_over(session)
                    if time.monotonic() >= prune_at and not self._prune(session):
                        prune_at = time.monotonic() + _PRUNE_EVERY
                self._number()
                # Whatever came while we were handing over is one wake-up; a burst is a few, a single one waits for
                # nothing.
                self._stop_wanted.wait(_PAUSE)
                for _ in connection.notifies(timeout=POLL, stop_after=1):
                    pass

    def _prune(self, session: Session) -> bool:
        """Forget some of what is old; whether there may be more, for the next round."""
        some = (
            prune_changes(session, self._keep_days, _PRUNED),
            prune_events(session, self._keep_days, _PRUNED),
            prune_answers(session, _PRUNED),
        )
        return max(some) == _PRUNED or prune_imports(session, self._keep_days, _IMPORTS) == _IMPORTS

    def _number(self) -> None:
        """Give fresh events their positions; listeners are called.

        Those that come meanwhile wait for the next round, which they have called for: under a steady stream of
        them this would never end, and no node would be woken.
        """
        numbered = _NUMBERED
        while numbered == _NUMBERED:
            with self._database.writing() as session:
                numbered = number_events(session, _NUMBERED)

    def _hand_over(self, session: Session) -> None:
        nodes = [row["name"] for row in session.rows(_NODES_WITH_WORK)]
        plugins = plugins_with_jobs(session)
        try:
            for node in nodes:
                _wake(drain_queue(self._redis, node), "pbxapi.changes.drain.drain", node)
            for plugin in plugins:
                _wake(jobs_queue(self._redis, plugin), "pbxapi.changes.jobs.work", plugin)
        except RedisError as error:
            log.warning("the relay cannot reach Redis: %s; the changes wait", type(error).__name__)
            self._stop_wanted.wait(POLL)


def _wake(queue: Queue, job: str, what: str) -> None:
    """One wake-up may wait while one is being worked on; more would do nothing."""
    if queue.count == 0:
        queue.enqueue(job, what, result_ttl=0, failure_ttl=3600, job_timeout=300)
