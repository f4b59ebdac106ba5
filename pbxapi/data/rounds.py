"""Statements that travel to PostgreSQL together: one round trip for any number of them.

psycopg's own cursors and pipelines cost several times as much for each statement; what is used of psycopg here is
libpq (`psycopg.pq`), how values are said and read, and its errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.waiting import Ready, Wait

Row = dict[str, Any]

_KNOWN_MOST = 128
"""Statements that a connection knows again."""

_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_FAILED = pq.ExecStatus.FATAL_ERROR
_SYNC = pq.ExecStatus.PIPELINE_SYNC
_READ, _READ_AND_WRITE = Wait.R, Wait.RW
_READABLE, _WRITABLE = Ready.R, Ready.W

_Key = tuple[str, tuple[int, ...]]
"""A statement's text and the types of its parameters."""

_Said = tuple[Sequence[Buffer | None], tuple[int, ...], list[pq.Format] | None]


class Asked:
    """One statement, and what it was answered once its round was made.

    Args:
        text: the SQL, with ``$1`` for parameters.

    Attributes:
        wanted: whether anybody looks at the rows.
        rows: all of a select (or of ``returning``), as dictionaries; None before the answer.
        touched: how many rows it selected or changed.
    """

    __slots__ = ("known", "rows", "text", "touched", "values", "wanted")

    def __init__(self, text: str, values: Sequence[Any] = ()) -> None:
        self.text = text
        self.values = values
        self.wanted = True
        self.known: _Known | None = None
        self.rows: list[Row] | None = None
        self.touched = 0


class _Known:
    """A statement that a connection has seen; once it is prepared its name, and then the columns of its answer."""

    __slots__ = ("columns", "name")

    def __init__(self) -> None:
        self.name = b""
        self.columns: list[str] = []


_Sent = tuple[Asked | None, _Key | None]
"""Whose answer comes next, or what is prepared."""


class Connection(psycopg.Connection[Row]):
    """A connection that is asked many things at once, and prepares what it is asked again."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.transformer = Transformer(self)
        self.statements_known: dict[_Key, _Known] = {}
        self.statements_named = 0

    def ask(self, asked: Sequence[Asked]) -> None:
        """Have statements run, one after the other, and wait for all their answers.

        Outside a transaction they are one of their own.

        Raises:
            psycopg.Error: of the first that failed; those after it did not run.
        """
        said = [self._say(one) for one in asked]
        pgconn = self.pgconn
        sent: list[_Sent] = []
        try:
            pgconn.enter_pipeline_mode()
            for one, values in zip(asked, said, strict=True):
                self._send(one, *values, sent)
            pgconn.pipeline_sync()
            results = self.wait(_results(pgconn))
            pgconn.exit_pipeline_mode()
        except BaseException:
            self.close()  # nobody knows what is still on its way
            raise
        fault: pq.abc.PGresult | None = None
        for (whose, key), result in zip(sent, results, strict=True):
            if result.status in _GOOD:
                if whose is not None:
                    whose.rows = self._rows(whose, result) if whose.wanted else []
                    whose.touched = result.command_tuples or 0
                continue
            if key is not None:
                self.statements_known.pop(key, None)
            if fault is None and result.status == _FAILED:
                fault = result
        if fault is not None:
            raise error_from_result(fault, self.info.encoding)

    def _say(self, one: Asked) -> _Said:
        """The values as PostgreSQL gets them, their types, and how they are spelled."""
        writer = self.transformer
        values = writer.dump_sequence(one.values, [PyFormat.AUTO] * len(one.values))
        return values, writer.types or (), writer.formats

    def _rows(self, one: Asked, result: pq.abc.PGresult) -> list[Row]:
        if not result.ntuples:
            return []
        self.transformer.set_pgresult(result)
        names = one.known.columns if one.known else []
        if not names:
            names = [(result.fname(place) or b"").decode() for place in range(result.nfields)]
            if one.known:
                one.known.columns = names  # a prepared statement's never change: PostgreSQL refuses it first
        rows = self.transformer.load_rows(0, result.ntuples, lambda values: dict(zip(names, values, strict=True)))
        self.transformer.set_pgresult(None)
        return rows

    def _send(
        self,
        one: Asked,
        values: Sequence[Buffer | None],
        types: tuple[int, ...],
        formats: list[pq.Format] | None,
        sent: list[_Sent],
    ) -> None:
        pgconn, key = self.pgconn, (one.text, types)
        known = self.statements_known.pop(key, None)
        if known is None:  # prepared when it comes again
            pgconn.send_query_params(one.text.encode(), values, types, formats)
            self.statements_known[key] = _Known()
            if len(self.statements_known) > _KNOWN_MOST:
                oldest = self.statements_known.pop(next(iter(self.statements_known)))
                if oldest.name:
                    sent.append((one, None))
                    pgconn.send_query_params(b"deallocate " + oldest.name, None)
                    sent.append((None, None))
                    return
        else:
            if not known.name:
                self.statements_named += 1
                known.name = b"round_%d" % self.statements_named
                pgconn.send_prepare(known.name, one.text.encode(), types)
                sent.append((None, key))
            pgconn.send_query_prepared(known.name, values, formats)
            self.statements_known[key] = one.known = known
        sent.append((one, None))


def _results(pgconn: pq.abc.PGconn) -> PQGen[list[pq.abc.PGresult]]:
    """What each command is answered, for `psycopg.Connection.wait`."""
    found: list[pq.abc.PGresult] = []
    unsent = pgconn.flush()
    while True:
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:  # the end of one command, or of all
                if pgconn.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError("the connection to PostgreSQL was lost")
                continue
            if result.status == _SYNC:
                return found
            found.append(result)
        ready = yield _READ_AND_WRITE if unsent else _READ
        if ready & _READABLE:
            pgconn.consume_input()
        if ready & _WRITABLE:
            unsent = pgconn.flush()
