"""Lists: a plain select made into pages, with search, filters, natural order and cursors.

A resource's ``list.sql`` says which rows and columns there are; what a request adds is put around it from names
that the resource declares. Nothing from a request becomes SQL text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import orjson
import psycopg

from pbxapi.data.database import Row, Session
from pbxapi.data.statements import Statement

Kind = Literal["natural", "text", "number", "whole", "time"]

_EXPRESSIONS: Mapping[Kind, str] = {
    # Every run of digits padded to 20, so that 9 comes before 10; immutable, so that an index can hold it.
    "natural": (
        "regexp_replace(regexp_replace(lower(coalesce({0}::text, '')), '(\\d+)', '00000000000000000000\\1', 'g'),"
        " '0*(\\d{{20}})(?!\\d)', '\\1', 'g') collate \"C\""
    ),
    "text": "lower(coalesce({0}::text, '')) collate \"C\"",
    "number": "coalesce({0}::numeric, 0)",
    "whole": "{0}::bigint",
    "time": "{0}::timestamptz",
}


@dataclass(frozen=True)
class Sort:
    """A column that a list can be sorted by.

    Attributes:
        column: a column of ``list.sql``; one that the answer does not show is fine.
        kind: how its values compare: ``natural`` (9 before 10), ``text``, ``number``, ``whole`` or
            ``time`` (the last two are never null, and are found by an index on the bare column).
    """

    column: str
    kind: Kind = "natural"

    def expression(self, value: str) -> str:
        """The SQL that compares, of a column or of a parameter."""
        return _EXPRESSIONS[self.kind].format(value)


def natural(column: str) -> str:
    """The expression of an index that serves a list in natural order.

    Args:
        column: as ``list.sql`` spells it, without the table's name: ``coalesce(extension, '')``.
    """
    return f"({Sort(column).expression(column)})"


@dataclass(frozen=True)
class Request:
    """What one list request asks for.

    Attributes:
        sort: name of the sort, with a leading ``-`` for descending.
        search: text looked for anywhere in the searched columns, or None.
        filters: column -> the text it must equal.
        limit: rows at most.
        offset: rows to skip; unused with a cursor.
        cursor: where to go on, from the page before; empty to start.
    """

    sort: str
    limit: int
    offset: int = 0
    search: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    cursor: str = ""


def like(text: str) -> str:
    """A pattern that finds the text anywhere, taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


_NO_CURSOR = "is no cursor of this list"


def encode_cursor(sort: str, after: str | None, uuid: UUID) -> str:
    """An opaque token for the place after a row."""
    return base64.urlsafe_b64encode(orjson.dumps([sort, after, uuid])).decode().rstrip("=")


def decode_cursor(token: str, sort: str) -> tuple[str | None, UUID]:
    """The place that a token names.

    Raises:
        ValueError: it is none of ours, or was made for another order.
    """
    try:
        made_for, after, uuid = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        place = after, UUID(uuid)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise ValueError(_NO_CURSOR) from None
    if not isinstance(after, str | None) or "\0" in (after or ""):
        raise ValueError(_NO_CURSOR)
    if made_for != sort:
        raise ValueError("was made for another sort order")
    return place


class Listing:
    """One resource's list.

    Args:
        statement: the select: whose rows, and their columns.
        columns: those that the answer shows, in order.
        id: the column of the record's uuid, the last word in every order.
        sorts: name -> order.
        search: columns that ``search=`` looks into.
        count: an own statement for the total, where the list's own would be wasteful.
    """

    def __init__(
        self,
        statement: Statement,
        columns: Sequence[str],
        id: str,
        sorts: Mapping[str, Sort],
        search: Sequence[str] = (),
        count: Statement | None = None,
    ) -> None:
        self.statement = statement
        self.columns = tuple(columns)
        self.tables = statement.tables | (count.tables if count else frozenset())
        self.sorts = sorts
        self._id = id
        self._search = tuple(search)
        self._count = count
        self._texts: dict[tuple[object, ...], str] = {}

    def ask_rows(
        self, session: Session, request: Request, parameters: Mapping[str, Any]
    ) -> Callable[[], list[Row]]:
        """One page, by number; as `Session.ask`."""
        text = self._text("page", request)
        return session.ask(text, **self._values(request, parameters), _offset=request.offset)

    def rows_after(
        self, session: Session, request: Request, parameters: Mapping[str, Any]
    ) -> tuple[list[Row], str | None]:
        """The page that a cursor names, and the cursor of the next one (None at the end); costs the same anywhere.

        Raises:
            ValueError: the cursor is none of this list, or was made for another order.
        """
        values = self._values(request, parameters)
        values["_limit"] = request.limit + 1
        if request.cursor:
            values["_after"], values["_after_id"] = decode_cursor(request.cursor, request.sort)
        try:
            rows = session.rows(self._text("after" if request.cursor else "first", request), **values)
        except psycopg.DataError:
            if not request.cursor:
                raise
            # It holds what the column that it is sorted by never could.
            raise ValueError(_NO_CURSOR) from None
        last = None
        if len(rows) > request.limit:
            rows.pop()
            last = encode_cursor(request.sort, rows[-1]["_after"], rows[-1]["_after_id"])
        for row in rows:
            del row["_after"], row["_after_id"]
        return rows, last

    def total(self, session: Session, request: Request, parameters: Mapping[str, Any]) -> int:
        """How many rows there are in all."""
        if self._count and not request.search and not request.filters:
            return int(session.value(self._count, **parameters))
        return int(session.value(self._text("count", request), **self._values(request, parameters)))

    def total_up_to(
        self, session: Session, request: Request, parameters: Mapping[str, Any], most: int
    ) -> int | None:
        """How many rows there are, or None where there are more than `most`."""
        text = self._text("capped", request)
        found = int(session.value(text, **self._values(request, parameters), _most=most + 1))
        return found if found <= most else None

    def total_estimate(self, session: Session, request: Request, parameters: Mapping[str, Any]) -> int:
        """The planner's guess, from its statistics."""
        text = "explain (format json) " + self._text("bare", request)
        plan = session.value(text, **self._values(request, parameters))
        return int(plan[0]["Plan"]["Plan Rows"])

    def _values(self, request: Request, parameters: Mapping[str, Any]) -> dict[str, Any]:
        values = dict(parameters)
        values["_limit"] = request.limit
        if request.search is not None:
            values["_search"] = like(request.search)
        for column, value in request.filters.items():
            values[f"_is_{column}"] = value
        return values

    def _text(self, form: str, request: Request) -> str:
        key = (form, request.sort, request.search is None, tuple(sorted(request.filters)))
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = self._build(form, request)
        return text

    def _build(self, form: str, request: Request) -> str:
        conditions = [f"r.{column}::text = %(_is_{column})s" for column in sorted(request.filters)]
        if request.search is not None:
            found = " or ".join(f"r.{column} ilike %(_search)s" for column in self._search)
            conditions.append(f"({found or 'false'})")
        source = f"from (\n{self.statement.text}\n) as r"
        descending = request.sort.startswith("-")
        sort = self.sorts[request.sort.removeprefix("-")]
        place = sort.expression(f"r.{sort.column}")
        if form == "after":
            value, sign = sort.expression("%(_after)s"), "<" if descending else ">"
            # Of a pair and a bound that the statement itself has on the column, an index may be entered at the
            # bound, and be read from there. Of two bounds it is entered at the narrower one.
            conditions.append(f"{place} {sign}= {value}")
            conditions.append(f"({place}, r.{self._id}) {sign} ({value}, %(_after_id)s)")
        where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
        if form == "count":
            return f"select count(*) {source}{where}"
        if form == "capped":
            return f"select count(*) from (select 1 {source}{where} limit %(_most)s) as found"
        columns = ", ".join(f"r.{column}" for column in self.columns)
        if form == "bare":
            return f"select {columns} {source}{where}"
        if form in ("first", "after"):
            columns += f", r.{sort.column}::text as _after, r.{self._id} as _after_id"
        order = " desc" if descending else ""
        offset = " offset %(_offset)s" if form == "page" else ""
        return (
            f"select {columns} {source}{where}\n"
            f"order by {place}{order}, r.{self._id}{order} limit %(_limit)s{offset}"
        )
