"""CSV and NDJSON, as exports write them and imports read them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import orjson

from pbxapi.data.database import Row

Format = Literal["csv", "ndjson"]

CONTENT_TYPES: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}

# What a spreadsheet would take for a formula: a number with its sign is none.
_FORMULA = re.compile(r"'*(?:[=@\t\r]|[+-](?![0-9 ().,/*#+-]*\Z))")


LINES = tuple(content_type.partition(";")[0] for content_type in CONTENT_TYPES.values())
"""The media types of an operation that answers or takes lines."""


def format_of(asked: str | None, media: str) -> Format | None:
    """The format that a query or a media type (of Accept, of Content-Type) asks for; None for neither.

    Args:
        asked: of the query, which counts first.
    """
    if asked:
        return "csv" if asked == "csv" else "ndjson" if asked == "ndjson" else None
    return "ndjson" if "ndjson" in media or "jsonl" in media else "csv" if "csv" in media else None


def encode(rows: Iterable[Row], columns: Sequence[str], form: Format, *, header: bool = False) -> bytes:
    """Rows as lines.

    In CSV a text that a spreadsheet would run as a formula gets an apostrophe before it, which `decode_cell` takes
    away again; ``+49301234`` and ``-1`` stay as they are. NDJSON is exact.
    """
    if form == "ndjson":
        return b"".join(orjson.dumps(row, default=str) + b"\n" for row in rows)
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return f"'{value}" if _FORMULA.match(value) else value


def decode_cell(text: str) -> str:
    """A cell's text as it was before `encode` wrote it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
