"""Asking PostgreSQL whether it could run statements, without running them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg

from pbxapi.data.database import Connection

_NAMED = re.compile(r"%\((\w+)\)s|%%")


class Trial:
    """Tries statements on a connection that is closed afterwards; many cost one round trip.

    Args:
        connection: one of its own, since what is prepared on it stays.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tried = 0

    def fault(self, texts: Mapping[str, str]) -> str | None:
        """What is wrong with the first of these statements that cannot run (name -> text); None where all can."""
        if not texts or self._try("\n".join(map(self._prepare, texts.values()))) is None:
            return None
        for name, text in texts.items():
            if fault := self._try(self._prepare(text)):
                return f"{name}: {fault}"
        return None

    def _prepare(self, text: str) -> str:
        names: list[str] = []

        def number(found: re.Match[str]) -> str:
            name = found[1]
            if name is None:
                return "%"
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"

        self._tried += 1
        return f"prepare trial_{self._tried} as {_NAMED.sub(number, text)};"

    def _try(self, text: str) -> str | None:
        try:
            self._connection.execute(text)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            return " ".join(str(error.diag.message_primary or error).split())
        return None
