"""How the way from a change row to the switch nodes is: for `GET /readyz`, for dashboards, for whoever asks.

Each part is a dictionary with a ``state``, ``ok`` or ``degraded``, and what there is to say about it: host names
and the reasons of failures among it, nothing secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from pbxapi.changes.nodes import HEARTBEAT
from pbxapi.changes.queues import connect
from pbxapi.data.database import Database, DatabaseError, Session

Part = dict[str, Any]

AWAY_AFTER = 3 * HEARTBEAT
"""Seconds without a sign of life after which a node's worker counts as away."""

# Two selects, because each state has an index of its own and most rows are of neither.
_CHANGES = """
select node,
       count(*) filter (where waits) as waiting,
       count(*) filter (where waits and attempts > 0) as retrying,
       count(*) filter (where not waits) as failed,
       round(coalesce(extract(epoch from clock_timestamp() - min(created_at) filter (where waits)), 0))::int
         as oldest_seconds
  from (select node, attempts, created_at, true as waits from pbxapi.change_node where state = 'pending'
        union all
        select node, attempts, created_at, false from pbxapi.change_node where state = 'failed') as open
 group by node
 order by node
"""

_HOMELESS = """
select case when exists (select from pbxapi.node) then 0 else (select count(*) from pbxapi.change) end
"""

_NODES = """
select name, coalesce(hostname, '') as hostname, coalesce(switchname, '') as switchname,
       coalesce(node.seen_at > clock_timestamp() - make_interval(secs => %(away)s), false) as up,
       round(extract(epoch from clock_timestamp() - node.seen_at))::int as seen_seconds_ago,
       round(extract(epoch from clock_timestamp() - listener.told_until))::int as events_seconds_ago,
       reload_wanted, coalesce(error, '') as error, coalesce(socket_error, '') as socket_error
  from pbxapi.node
  left join pbxapi.listener on listener.node = node.name
 order by name
"""

_SLOW = 60
"""Seconds that a change may wait before that is worth a word; a retry after a failure takes longer."""


def changes_health(session: Session) -> Part:
    """How many changes wait and have failed, per node; ``homeless`` ones wait for the first node of all."""
    nodes = {row.pop("node"): row for row in session.rows(_CHANGES)}
    homeless = int(session.value(_HOMELESS))
    late = any(row["failed"] or row["retrying"] or row["oldest_seconds"] > _SLOW for row in nodes.values())
    return {"state": "degraded" if late or homeless else "ok", "homeless": homeless, "nodes": nodes}


def nodes_health(session: Session) -> Part:
    """Which nodes' workers are up, and what their switches call themselves.

    ``error`` says why a worker cannot go on, ``socket_error`` why the event socket does not answer it,
    ``events_seconds_ago`` until when what the switch tells has been told (null: never).
    """
    nodes = {row.pop("name"): row for row in session.rows(_NODES, away=AWAY_AFTER)}
    bad = not nodes or any(not row["up"] or row["error"] or row["socket_error"] for row in nodes.values())
    return {"state": "degraded" if bad else "ok", "nodes": nodes}


def health(database: Database, redis_url: str) -> tuple[bool, Part]:
    """Whether requests can be served, and how the parts are: ``postgresql``, ``redis``, ``switch``, ``backlog``.

    Only PostgreSQL is needed for requests: without Redis, a worker or the switch, changes wait.
    """
    parts = {"postgresql": timed(lambda: _postgresql(database))}
    if serves := parts["postgresql"]["state"] == "ok":
        parts["switch"] = timed(lambda: _asked(database, nodes_health))
        parts["backlog"] = timed(lambda: _asked(database, changes_health))
    parts["redis"] = timed(lambda: _redis(redis_url))
    return serves, parts


def timed(look: Callable[[], Part]) -> Part:
    """A part with ``ms``, what it took to look at it."""
    started = time.perf_counter()
    part = look()
    return {"state": part.pop("state"), "ms": round((time.perf_counter() - started) * 1000, 1), **part}


def _postgresql(database: Database) -> Part:
    return _asked(database, lambda session: {"state": "ok" if session.value("select 1") == 1 else "degraded"})


def _asked(database: Database, look: Callable[[Session], Part]) -> Part:
    try:
        with database.reading() as session:
            return look(session)
    except DatabaseError as error:
        return {"state": "degraded", "error": type(error).__name__}


def _redis(url: str) -> Part:
    try:
        with connect(url, timeout=1.0) as redis:
            redis.ping()
    except RedisError as error:
        return {"state": "degraded", "error": type(error).__name__}
    return {"state": "ok"}
