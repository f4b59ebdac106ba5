"""What PostgreSQL knows of changes, nodes, jobs and connections, for the metrics: few rows, by their indexes."""

from __future__ import annotations

from pbxapi.changes.health import AWAY_AFTER, changes_health
from pbxapi.data.database import Row, Session

_NODES = """
select name, coalesce(seen_at > clock_timestamp() - make_interval(secs => %(away)s), false) as up,
       socket_error is null as socket_up, applied, failures, reloads
  from pbxapi.node
 order by name
"""

_JOBS = "select plugin, state, count(*) as jobs from pbxapi.job group by plugin, state order by plugin, state"

_CONNECTIONS = """
select application_name as process, coalesce(state, 'unknown') as state, count(*) as connections
  from pg_stat_activity
 where datname = current_database() and application_name like 'pbxapi%%' and usename = current_user
 group by 1, 2
 order by 1, 2
"""


def change_figures(session: Session) -> tuple[list[Row], int]:
    """A row for each node, and how many changes no node has taken.

    Rows of name, up, socket_up, applied, failures, reloads, waiting, failed and oldest_seconds.
    """
    backlog = changes_health(session)
    none = {"waiting": 0, "failed": 0, "oldest_seconds": 0}
    nodes = [row | backlog["nodes"].get(row["name"], none) for row in session.rows(_NODES, away=AWAY_AFTER)]
    return nodes, backlog["homeless"]


def job_figures(session: Session) -> list[Row]:
    """How many jobs of each plugin are in each state: plugin, state, jobs."""
    return session.rows(_JOBS)


def connection_figures(session: Session) -> list[Row]:
    """How many connections the processes of the product have: process, state, connections."""
    return session.rows(_CONNECTIONS)
