"""Connections to PostgreSQL: one pool per process, sessions that read and sessions that write."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from typing import Any, LiteralString

import orjson
import psycopg
from psycopg import RawServerCursor, pq
from psycopg.rows import dict_row
from psycopg.types.json import JsonbDumper, set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from pbxapi.data.rounds import Asked
from pbxapi.data.rounds import Connection as Connection
from pbxapi.data.rounds import Row as Row
from pbxapi.data.statements import Statement, number_parameters

log = logging.getLogger(__name__)

set_json_loads(orjson.loads)
set_json_dumps(orjson.dumps)
psycopg.adapters.register_dumper(dict, JsonbDumper)  # a dictionary is a value of jsonb

DatabaseError = psycopg.Error
"""Whatever PostgreSQL or the way to it answers instead of rows."""

UNAVAILABLE = (
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
"""The database is away, restarting, or too busy to answer in time (lock and statement timeouts included)."""

STALE = (
    psycopg.errors.FeatureNotSupported,  # "cached plan must not change result type"
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.DatatypeMismatch,
    psycopg.errors.CannotCoerce,
)
"""The tables are no longer as they were when a statement was made or prepared: somebody upgrades FusionPBX."""

DISMANTLED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
)
"""Rights or tables are gone, as while a dump is restored; an operator has to mend it, or is about to."""

_BROKEN = (psycopg.OperationalError, psycopg.InterfaceError)

_IDLE = pq.TransactionStatus.IDLE
_IN_TRANSACTION = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)


# The server's own keepalives, which by default begin after two hours: until then it would keep the locks of a host
# that lost its power.
_OPTIONS = (
    "-c statement_timeout={statement_ms} -c lock_timeout=2000 "
    "-c idle_in_transaction_session_timeout=10000 -c timezone=UTC "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)


_LOCK = """
select pg_advisory_xact_lock(hashtextextended(name, 7062)) from unnest(%(names)s::text[]) as name
"""


@lru_cache(maxsize=2048)
def _numbered_text(text: str) -> tuple[LiteralString, tuple[str, ...]]:
    return number_parameters(text)


def _numbered(statement: Statement | str) -> tuple[LiteralString, tuple[str, ...]]:
    return _numbered_text(statement.text if isinstance(statement, Statement) else statement)


def implementation() -> str:
    """How psycopg speaks with PostgreSQL: ``binary`` or ``c``, or ``python``, which is several times slower."""
    return psycopg.pq.__impl__


class Session:
    """Runs statements on one connection; a handler gets one and never commits.

    Every call takes a `Statement` (or SQL text of the product's own) and named parameters.
    """

    def __init__(self, database: Database, writing: bool) -> None:
        self._database = database
        self._writing = writing
        self._pool: ConnectionPool[Connection] | None = None
        self._connection: Connection | None = None
        self._used = False
        self._waiting: list[Asked] = []
        self._locks: Asked | None = None
        self.statements_run = 0

    def rows(self, statement: Statement | str, /, **parameters: Any) -> list[Row]:
        """All rows of a select (or of ``returning``), as dictionaries."""
        return self.ask(statement, **parameters)()

    def row(self, statement: Statement | str, /, **parameters: Any) -> Row | None:
        """The first row, or None."""
        rows = self.rows(statement, **parameters)
        return rows[0] if rows else None

    def value(self, statement: Statement | str, /, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(statement, **parameters)
        return next(iter(row.values())) if row else None

    def run(self, statement: Statement | str, /, **parameters: Any) -> int:
        """Run a statement; how many rows it touched."""
        asked = self._execute(statement, parameters)
        self._settle()
        return asked.touched

    def ask(self, statement: Statement | str, /, **parameters: Any) -> Callable[[], list[Row]]:
        """Ask for the rows of a statement, which are there once what is returned is called.

        Whatever is asked before that is answered in the same round trip.
        """
        asked = self._execute(statement, parameters)

        def rows() -> list[Row]:
            if asked.rows is None:
                if asked not in self._waiting:  # dropped with a part that was undone before its round was made
                    self._waiting.append(asked)
                self._settle()
            assert asked.rows is not None
            return asked.rows

        return rows

    def do(self, statement: Statement | str, /, **parameters: Any) -> None:
        """Run a statement of which nothing need be known; a session that writes does not wait for it.

        Should it fail, the next statement with an answer, or the commit, fails with its fault.
        """
        self._execute(statement, parameters).wanted = False
        if not self._writing:
            self._settle()

    def lock(self, names: Iterable[str]) -> None:
        """Have locks of some names until the transaction ends; a statement after this waits until it has them.

        Those of one round are taken together, in the order of their names.
        """
        wanted = {*names, *(self._locks.values[0] if self._locks else ())}
        if self._locks is None and wanted:
            self._locks = self._execute(_LOCK, {"names": ()})
            self._locks.wanted = False
        if self._locks is not None:
            self._locks.values = [sorted(wanted)]

    def do_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        """As `do`, for each of many rows of parameters; a plain insert takes them all at once."""
        if statement.many and len(rows) > 1:
            try:
                given = orjson.dumps([{name: row[name] for name in statement.parameters} for row in rows])
            except TypeError:
                given = b""  # a value that only psycopg knows how to say
            if given:
                self.do(statement.many, rows=given.decode())
                return
        for row in rows:
            self._execute(statement, row)
        if not self._writing:
            self._settle()

    def stream(self, statement: Statement | str, /, **parameters: Any) -> Iterator[Row]:
        """Rows one by one through a server-side cursor: constant memory for any number."""
        text, names = _numbered(statement)
        connection = self._connect()
        with connection.transaction(), RawServerCursor(connection, "pbxapi_stream") as cursor:
            cursor.itersize = 500
            cursor.execute(text, [parameters[name] for name in names])
            yield from cursor

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A part of the transaction that is undone by itself when it fails, and the session goes on."""
        self._waiting.append(Asked("savepoint part"))
        self._settle()
        try:
            yield
            self._waiting.append(Asked("release savepoint part"))
            self._settle()  # what is still on its way fails here, if it fails
        except BaseException:
            self._waiting, self._locks = [], None
            if not self.lost:
                self._waiting += [Asked("rollback to savepoint part"), Asked("release savepoint part")]
                self._settle()
            raise

    @property
    def lost(self) -> bool:
        """Whether its connection is gone: no further statement can succeed."""
        return self._connection is not None and self._connection.closed

    def rest(self) -> None:
        """Give the connection of a session for reads back until its next statement.

        For whoever is about to wait for something else, which may need a connection too: the pool has one for
        each thread. A session that writes keeps it, and its transaction.
        """
        if not self._writing:
            self._settle()
            self._leave()

    def _connect(self) -> Connection:
        if self._connection is None:
            self._pool = self._database.pool()
            self._connection = self._pool.getconn()
            self._used = False
        return self._connection

    def _leave(self) -> None:
        if self._pool is not None and self._connection is not None:
            self._pool.putconn(self._connection)
        self._pool = self._connection = None

    def _execute(self, statement: Statement | str, parameters: Mapping[str, Any]) -> Asked:
        """Have a statement run in the next round."""
        self.statements_run += 1
        text, names = _numbered(statement)
        asked = Asked(text, [parameters[name] for name in names])
        self._waiting.append(asked)
        return asked

    def _settle(self) -> None:
        """Make the round: all that waits is sent, and answered."""
        if not self._waiting:
            return
        asked, self._waiting, self._locks = self._waiting, [], None
        try:
            self._round(asked)
        except _BROKEN as error:
            # The pool does not test what it lends: a connection that PostgreSQL closed while it lay idle fails at
            # its first round, when nothing is lost by taking a fresh one.
            if self._used or not self._lost(error):
                raise
            self._leave()
            log.info("a connection to PostgreSQL was lost; taking a fresh one")
            self._database.drop_idle()
        except STALE:
            if self._connection is None or self._connection.info.transaction_status != _IDLE:
                raise
            # What is prepared on a connection goes with it.
            self._leave()
            self._database.renew()
        else:
            return
        self._round(asked)

    def _round(self, asked: Sequence[Asked]) -> None:
        connection = self._connect()
        if self._writing and not self._used:
            asked = [Asked("begin"), *asked]
        connection.ask(asked)
        self._used = True

    def _lost(self, error: psycopg.Error) -> bool:
        if self._connection is None:
            return isinstance(error, psycopg.OperationalError) and not isinstance(error, PoolTimeout)
        return self._connection.closed

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._connection is not None and self._connection.info.transaction_status in _IN_TRANSACTION:
                with suppress(*_BROKEN):  # then PostgreSQL has done so itself
                    self._connection.ask([Asked("rollback")])
            self._leave()

    def _finish(self) -> None:
        if self._writing:
            if not self._used:
                self._settle()  # a round that commits cannot be made again: nobody would know whether it did
            if self._used:
                self._waiting.append(Asked("commit"))
        self._settle()


class Database:
    """The pool of one process.

    Args:
        url: where the database is.
        max_size: connections at most; one per thread that serves requests.
        statement_ms: no statement runs longer.
        name: shown in pg_stat_activity.
    """

    def __init__(self, url: str, *, max_size: int = 4, statement_ms: int = 5000, name: str = "pbxapi") -> None:
        self._url = url
        self._max_size = max_size
        self._options = _OPTIONS.format(statement_ms=statement_ms)
        self._name = name
        self._pool: ConnectionPool[Connection] | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def reading(self) -> Session:
        """A session for reads: each statement by itself, no transaction."""
        return Session(self, writing=False)

    def writing(self) -> Session:
        """A session whose statements are one transaction: committed when the block ends well."""
        return Session(self, writing=True)

    def lend(self) -> AbstractContextManager[Connection]:
        """A connection of the pool, in autocommit."""
        return self.pool().connection()

    @contextmanager
    def dedicated(self) -> Iterator[Connection]:
        """A connection outside the pool, for LISTEN and for locks that outlive a transaction."""
        with self._connect() as connection:
            yield connection

    def drop_idle(self) -> None:
        """Let go of idle connections, which a restart of PostgreSQL has left dead."""
        self.pool().check()

    def renew(self) -> None:
        """Take fresh connections from now on; those that are lent go when they come back."""
        self.pool().drain()

    def close(self) -> None:
        """Close the pool of this process."""
        with self._lock:
            if self._pool is not None and self._pid == os.getpid():
                self._pool.close()
            self._pool = None

    def figures(self) -> Mapping[str, int]:
        """The pool's own figures (psycopg_pool statistics)."""
        return self.pool().get_stats()

    def _arguments(self) -> dict[str, Any]:
        return {
            "autocommit": True,
            "row_factory": dict_row,
            "options": self._options,
            "application_name": self._name,
            "connect_timeout": 3,
            "keepalives_idle": 30,
            "tcp_user_timeout": 10_000,
        }

    def _connect(self) -> Connection:
        return Connection.connect(self._url, **self._arguments())

    def pool(self) -> ConnectionPool[Connection]:
        """The pool of this process, made at its first use."""
        # A forked child must not use its parent's sockets: the pool belongs to one process.
        if self._pool is None or self._pid != os.getpid():
            with self._lock:
                if self._pool is None or self._pid != os.getpid():
                    self._pool = ConnectionPool(
                        self._url,
                        connection_class=Connection,
                        kwargs=self._arguments(),
                        min_size=1,
                        max_size=self._max_size,
                        timeout=5.0,
                        max_idle=300.0,
                        max_lifetime=3600.0,
                        reconnect_timeout=10.0,
                        open=True,
                        name=self._name,
                    )
                    self._pid = os.getpid()
        return self._pool
