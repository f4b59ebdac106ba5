"""SQL statements, one a file.

A statement's text is what PostgreSQL gets, with psycopg's ``%(name)s`` for parameters. A line that ends in
``--? table.column`` is left out where the database has no such column: FusionPBX's versions differ in a few
optional ones, and the catalogue of the database at hand decides, never a version number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

OPTIONAL_LINE = re.compile(r"--\?\s*(\w+)\.(\w+)\s*$")
_COMMENT = re.compile(r"""('(?:[^']|'')*'|"[^"]*")|--[^\n]*|/\*.*?\*/""", re.S)  # or a text that looks like one
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"((?:[^"]|"")*)\"""")
_PARAMETER = re.compile(r"%\((\w+)\)s")
_TABLE = re.compile(r"\b(?:from|join|into|update)\s+(?:only\s+)?((?:\w+\.)?\w+)", re.I)
_NAME = re.compile(r"\w+(?:\.\w+)*")
_INSERT = re.compile(r"insert\s+into\s+([\w.]+)\s*\(([^()']*)\)\s*values\s*\(((?:%\(\w+\)s|\(\)|[^()'])*)\)", re.I)
_ALLOWED_VERBS = ("select", "insert", "update", "delete", "with")

Columns = Mapping[str, str]
"""Column name -> type name of one table."""

Catalogue = Mapping[str, Columns]
"""Table name -> its columns, of schema public (and ``schema.table`` for others)."""


def number_parameters(text: str) -> tuple[str, tuple[str, ...]]:
    """A text in PostgreSQL's own spelling of parameters, ``$1``, and the names that they stand for in order.

    psycopg would do this at each execution; a long statement costs it more than the round trip.
    """
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return re.sub(r"%%|%\((\w+)\)s", number, text), tuple(names)


@dataclass(frozen=True)
class Statement:
    """One SQL statement.

    Attributes:
        name: what the code calls it: the file's name without ``.sql``.
        text: the SQL.
        source: where it stands, for messages.
        parameters: the names that it uses.
        tables: the tables that it reads or writes, as written.
        bare: the SQL as `bare_sql` has it.
        absent: the columns that it is written for and that this database lacks.
        many: the same insert for any number of rows, which it takes as the JSON list ``%(rows)s``; empty where the
            statement is no plain insert of its parameters.
    """

    name: str
    text: str
    source: str
    parameters: frozenset[str]
    tables: frozenset[str]
    bare: str
    absent: frozenset[str] = frozenset()
    many: str = ""


def plain_sql(text: str) -> str:
    """SQL without its comments: what is looked at and what is run must be the same."""
    return _COMMENT.sub(lambda found: found[1] or "", text)


def bare_sql(text: str) -> str:
    """SQL in which only names and keywords are left: texts are empty, identifiers unquoted, all in lower case.

    Texts in one of PostgreSQL's further spellings (``E''``, ``U&''``, ``$$``) it does not understand.
    """
    plain = _QUOTED.sub(lambda found: "''" if found[1] is None else found[1], text)
    return re.sub(r"\s*\.\s*", ".", plain).lower()


def names_in(bare: str) -> set[str]:
    """Whatever may be the name of a table: each word, and each two that a dot joins."""
    found: set[str] = set()
    for chain in _NAME.findall(bare):
        parts = chain.split(".")
        found.update(parts)
        found.update(f"{before}.{after}" for before, after in pairwise(parts))
    return found


def parse_statement(name: str, text: str, source: str, catalogue: Catalogue | None = None) -> Statement:
    """Make a statement of a file's text.

    Raises:
        ValueError: it is not one plain select, insert, update or delete.
    """
    kept: list[str] = []
    absent: set[str] = set()
    for line in text.splitlines():
        optional = OPTIONAL_LINE.search(line)
        if optional and catalogue is not None and optional[2] not in catalogue.get(optional[1], {}):
            absent.add(optional[2])
            continue
        kept.append(line)
    sql = re.sub(r"\n\s*\n", "\n", plain_sql("\n".join(kept))).strip().rstrip(";").rstrip()
    bare = bare_sql(sql)
    verb = bare.split(None, 1)[0] if bare else ""
    if verb not in _ALLOWED_VERBS:
        raise ValueError(f"{source}: a statement is a select, insert, update or delete, not {verb or 'empty'!r}")
    if ";" in bare:
        raise ValueError(f"{source}: one statement a file")
    return Statement(
        name,
        sql,
        source,
        frozenset(_PARAMETER.findall(sql)),
        frozenset(_TABLE.findall(bare)),
        bare,
        frozenset(absent),
        _of_many(sql, catalogue) if verb == "insert" and catalogue else "",
    )


def _of_many(sql: str, catalogue: Catalogue) -> str:
    """A plain insert made one of many rows. Each value is read as the text that it would be alone."""
    plain = _INSERT.fullmatch(sql)
    columns = [column.strip() for column in plain[2].split(",")] if plain else []
    values = [value.strip() for value in plain[3].split(",")] if plain else []
    types = catalogue.get(plain[1], {}) if plain else {}
    if plain is None or len(columns) != len(values) or not types.keys() >= {*columns}:
        return ""
    taken: dict[str, str] = {}
    shown: list[str] = []
    for column, value in zip(columns, values, strict=True):
        parameter = _PARAMETER.fullmatch(value)
        if parameter is None and "%" in value:
            return ""
        if parameter is not None and taken.setdefault(parameter[1], types[column]) != types[column]:
            return ""
        shown.append(f'given."{parameter[1]}"' if parameter else value)
    record = ", ".join(f'"{name}" {type}' for name, type in taken.items())
    return (
        f"insert into {plain[1]} ({', '.join(columns)})\nselect {', '.join(shown)}\n"
        f"  from jsonb_to_recordset(%(rows)s::jsonb) as given ({record})"
    )


NUMBER = "number of each"
"""The column of `of_each` that says to which record a row belongs: 1 is the first."""


@lru_cache(maxsize=1024)
def of_each(text: str, id: str) -> str:
    """A select that asks for one record, made one of many records, whatever domain each is in.

    It takes ``each_uuid``, ``each_domain_uuid`` and ``each_domain_name``, lists of one length, where the one for
    one record takes its id, ``domain_uuid`` and ``domain_name``; the rows of a record come in their order.

    Args:
        id: the name of the parameter that the record's uuid is.
    """
    columns = {"domain_uuid": "domain_uuid", "domain_name": "domain_name", id: "uuid"}

    def of_given(found: re.Match[str]) -> str:
        return f'"given each".{columns[found[1]]}' if found[1] in columns else found[0]

    return (
        f'select "given each".number as "{NUMBER}", found.*\n'
        "  from unnest(%(each_uuid)s::uuid[], %(each_domain_uuid)s::uuid[], %(each_domain_name)s::text[])\n"
        '       with ordinality as "given each" (uuid, domain_uuid, domain_name, number)\n'
        f" cross join lateral (\n{_PARAMETER.sub(of_given, text)}\n) as found"
    )


def load_statements(folder: Path, catalogue: Catalogue | None = None) -> dict[str, Statement]:
    """All statements of a folder, by name."""
    found: dict[str, Statement] = {}
    for path in sorted(folder.glob("*.sql")):
        source = f"{folder.name}/{path.name}"
        found[path.stem] = parse_statement(path.stem, path.read_text("utf-8"), source, catalogue)
    return found


def tenant_tables(statement: Statement, catalogue: Catalogue) -> set[str]:
    """The tables of a statement whose rows belong to a domain (they have a column ``domain_uuid``).

    Whatever is named like one counts, however it is joined or quoted.
    """
    names = {name.removeprefix("public.") for name in names_in(statement.bare)}
    return {name for name in names if "domain_uuid" in catalogue.get(name, {})}
