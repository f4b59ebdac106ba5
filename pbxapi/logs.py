"""What every process of the product writes to its standard error: one event a line, plain or as JSON.

A record's ``fields`` (``log.info("request", extra={"fields": {...}})``) are what a program looks for in the line.
No text that came from outside can begin a line, or look like another field: what is not printable is escaped, a
value with a blank or a quote in it is quoted, and the lines of a traceback are indented.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_BARE = re.compile(r"[!#-<>-\[\]-~]+")
"""A value that needs no quotes: printable ASCII without blank, quote, equals sign or backslash."""


def printable(text: str) -> str:
    """A text on one line, with what is not printable escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


class PlainFormatter(logging.Formatter):
    """``TIME LEVEL LOGGER: MESSAGE name=value ...``, and below it the indented lines of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        line = f"{_time(record)} {record.levelname} {record.name}: {printable(record.getMessage())}"
        for name, value in fields.items():
            text = str(value)
            line += f" {name}={text if _BARE.fullmatch(text) else json.dumps(text)}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "".join(f"\n    {printable(part)}" for part in trace.splitlines())
        return line


class JsonFormatter(logging.Formatter):
    """An object a line: ``time``, ``level``, ``logger``, ``message``, the fields, ``traceback`` if any."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        told: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def log_to_stderr(format: str, level: int = logging.INFO) -> None:
    """Send the log of this process to standard error, in the format ``plain`` or ``json``."""
    # What neither format tells need not be found out for each line (Python's "Logging HOWTO", Optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else PlainFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
