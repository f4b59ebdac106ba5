"""What a PostgreSQL server says of itself, for `pbxapi doctor`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import psycopg

from pbxapi.data.database import Database

_SERVER = """
select current_setting('server_version_num')::int / 10000 as version,
       current_database() as database,
       current_user as role,
       (select rolsuper from pg_roles where rolname = current_user) as superuser,
       pg_is_in_recovery() as replica,
       extract(epoch from clock_timestamp())::float8 as now,
       array(select pubname::text from pg_publication where puballtables order by 1) as publications
"""

# Who may not read pg_subscription may still know whether one applies changes here.
_SUBSCRIPTIONS = """
select distinct coalesce(subname, 'unknown')::text as name from pg_stat_subscription order by 1
"""


@dataclass(frozen=True)
class Server:
    """A server, from the account that asks.

    Attributes:
        version: the major one.
        superuser: whether the role may do everything.
        replica: whether it only replays another one's writes.
        pooled: whether two statements of one session met two server processes.
        clock_ahead: seconds that its clock is ahead of ours.
        publications: those of all tables.
        subscriptions: that write here.
    """

    version: int
    database: str
    role: str
    superuser: bool
    replica: bool
    pooled: bool
    clock_ahead: float
    publications: tuple[str, ...]
    subscriptions: tuple[str, ...]


def read_server(database: Database) -> Server:
    """Ask on a connection of its own.

    Raises:
        psycopg.Error: it does not answer.
    """
    with database.dedicated() as connection:
        processes = {
            row["pid"] for _ in range(3) for row in connection.execute("select pg_backend_pid() as pid").fetchall()
        }
        before = time.time()
        row = connection.execute(_SERVER).fetchone()
        after = time.time()
        assert row is not None
        subscriptions = connection.execute(_SUBSCRIPTIONS).fetchall()
    return Server(
        version=row["version"],
        database=row["database"],
        role=row["role"],
        superuser=row["superuser"],
        replica=row["replica"],
        pooled=len(processes) > 1,
        clock_ahead=row["now"] - (before + after) / 2,
        publications=tuple(row["publications"]),
        subscriptions=tuple(found["name"] for found in subscriptions),
    )


def accepts_any_password(url: str) -> bool:
    """Whether the server lets this role in with a password that is wrong, over TCP.

    Over a Unix socket it may know who asks from the socket, and needs none.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return False
    place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    wrong = f"{parts.scheme}://{parts.username or ''}:{quote('a wrong password', safe='')}@{place}{parts.path}"
    try:
        with psycopg.connect(f"{wrong}?{parts.query}" if parts.query else wrong, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False
