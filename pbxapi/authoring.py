"""Making a plugin's package: declaration, statements, tests and all that pip needs, from a table's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from textwrap import dedent

from pbxapi.data.database import Database

_KEPT_BY_US = frozenset({"domain_uuid", "insert_date", "insert_user", "update_date", "update_user"})
_DANGEROUS = re.compile(
    r".*_(?:apps?|data|context|action|xml|destination|destinations|dial_string|command|script|greeting|filename"
    r"|path|url|direction_uuid)|dialplan_uuid|hostname"
)
_SECRET = re.compile(r"(?:.*_)?(?:password|secret|pin|token|key)")
_FLAG = re.compile(r"(?:.*_)?enabled")
_NUMBERS = frozenset({"numeric", "int2", "int4", "int8", "integer", "bigint", "smallint"})

_COLUMNS = """
select a.attname as name, t.typname as type,
       exists (select from pg_index as i
                where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey)) as key
  from pg_attribute as a join pg_type as t on t.oid = a.atttypid
 where a.attrelid = to_regclass(%(table)s) and a.attnum > 0 and not a.attisdropped
 order by a.attnum
"""


class CannotMake(Exception):
    """A plugin that cannot be made so; says why."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, PostgreSQL's name of its type, whether it is the primary key."""

    name: str
    type: str
    key: bool = False


def shipped_tables() -> dict[str, list[Column]]:
    """The tables of the FusionPBX that the sandbox has."""
    text = files("pbxapi.sandbox").joinpath("schema.sql").read_text("utf-8")
    return {
        name: [
            Column(words[0], words[1], "primary" in words)
            for words in (line.rstrip(",").split() for line in body.strip().splitlines())
        ]
        for name, body in re.findall(r"^create table (\w+) \((.*?)^\);", text, re.M | re.S)
    }


def read_table(database: Database, table: str) -> list[Column]:
    """The columns of a table of a database; none where it has no such table."""
    with database.reading() as session:
        return [Column(**row) for row in session.rows(_COLUMNS, table=table)]


def write_package(name: str, place: Path, table: str | None, columns: Sequence[Column]) -> list[Path]:
    """Write a plugin's package into a new folder; the files.

    Args:
        name: of the plugin and its resource, such as ``pin-numbers``.
        place: the folder; it must not be there yet.
        table: whose records it serves; None for one of its own, which a migration makes.
        columns: of that table.

    Raises:
        CannotMake: the name cannot be one, the folder is there, or the table is not a tenant's.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise CannotMake(f"the name {name} is not lower-case letters, digits and -")
    if place.exists():
        raise CannotMake(f"{place} is there already")
    package = _Package(name, table, columns)
    for path, text in package.files().items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text, "utf-8")
    return [place / path for path in package.files()]


class _Package:
    def __init__(self, name: str, table: str | None, columns: Sequence[Column]) -> None:
        words = name.split("-")
        self.module = "pbxapi_" + name.replace("-", "_")
        self.name = name
        one = [*words[:-1], _singular(words[-1])]
        self.label = " ".join(one).capitalize()
        self.schema = "".join(word.capitalize() for word in one)
        self.variable = name.replace("-", "_") if name != "plugin" else "plugin_records"
        self.own = table is None
        if table is None:
            stem = "_".join(one)
            table = f"plugin_{name.replace('-', '_')}.{stem}"
            columns = [
                Column(f"{stem}_uuid", "uuid", True),
                Column("domain_uuid", "uuid"),
                *(Column(text, "text") for text in ("name", "description")),
                Column("enabled", "bool"),
                *(Column(moment, "timestamptz") for moment in ("insert_date", "update_date")),
            ]
        self.table = table
        names = {column.name for column in columns}
        keys = [column.name for column in columns if column.key and column.type == "uuid"]
        if not names:
            raise CannotMake(f"there is no table {table}")
        if len(keys) != 1 or "domain_uuid" not in names or keys == ["domain_uuid"]:
            raise CannotMake(f"{table} does not hold records of domains, each with a uuid")
        self.id = keys[0]
        self.stamps = [name for name in ("insert_date", "update_date") if name in names]
        tables = shipped_tables()
        self.links = {
            c.name: t
            for t, found in tables.items()
            if t != table and any(f.name == "domain_uuid" for f in found)
            for c in found
            if c.key and c.type == "uuid"
        }
        self.columns: list[Column] = []
        self.left_out: list[str] = []
        for column in columns:
            if column.name in _KEPT_BY_US or column.key:
                continue
            fits = column.type in ("text", "varchar", "bool", "boolean") or column.type in _NUMBERS
            if _DANGEROUS.fullmatch(column.name) or not (fits or column.name in self.links):
                self.left_out.append(column.name)
            else:
                self.columns.append(column)
        self.main = self._main_column()
        if self.main is None:
            raise CannotMake(f"{table} has no text by which a record could be told")

    def _main_column(self) -> str | None:
        texts = [c.name for c in self.columns if c.type in ("text", "varchar") and not _FLAG.fullmatch(c.name)]
        texts = [name for name in texts if not _SECRET.fullmatch(name)]
        stem = self.id.removesuffix("_uuid")
        best = [t for t in texts if t == stem]
        best += [t for t in texts if t.endswith(("_name", "_extension")) or t in ("name", "extension")]
        best += [t for t in texts if t.endswith("_number")]
        return next(iter(best + texts), None)

    @property
    def unique(self) -> bool:
        stem = self.id.removesuffix("_uuid")
        return self.own or self.main in (stem, f"{stem}_name", f"{stem}_extension")

    def _is_flag(self, column: Column) -> bool:
        return column.type in ("bool", "boolean") or bool(_FLAG.fullmatch(column.name))

    def _field(self, column: Column) -> str:
        if column.name in self.links and column.type == "uuid":
            return f'Link("{self.links[column.name]}", "{column.name}", load_default="")'
        if self._is_flag(column):
            default = "true" if _FLAG.fullmatch(column.name) else "false"
            return f'TrueFalse(load_default="{default}")'
        if column.type in _NUMBERS:
            return 'Digits(load_default="")'
        if column.name == self.main:
            return "Text(required=True)"
        size = "max=1000, " if column.name.endswith("description") else ""
        secret = "secret=True, " if _SECRET.fullmatch(column.name) else ""
        return f'Text({size}{secret}load_default="")'

    def _shown(self, column: Column) -> str:
        empty = "false" if self._is_flag(column) else ""
        return f"coalesce({column.name}::text, '{empty}') as {column.name}"

    @property
    def row(self) -> list[str]:
        """What a list shows: no secrets, no links."""
        return [
            self.id,
            *(c.name for c in self.columns if not _SECRET.fullmatch(c.name) and c.name not in self.links),
        ]

    def files(self) -> dict[str, str]:
        """Text by path."""
        found = {
            "pyproject.toml": _PYPROJECT,
            "README.md": _README,
            f"{self.module}/__init__.py": '"""$label: a plugin of pbxapi."""\n',
            f"{self.module}/py.typed": "",
            f"{self.module}/plugin.py": _PLUGIN,
            f"tests/test_{self.name.replace('-', '_')}.py": _TESTS,
            "tests/test_conformance.py": _CONFORMANCE,
        }
        found = {path: Template(text).substitute(self._words()) for path, text in found.items()}
        found |= {f"{self.module}/sql/{name}.sql": text for name, text in self._statements().items()}
        if self.own:
            found[f"{self.module}/migrations/0001_{self.variable}.sql"] = self._migration()
        return found

    def _words(self) -> Mapping[str, str]:
        kinds = {re.match(r"\w+", self._field(column))[0] for column in self.columns}  # type: ignore[index]
        schema = [f'    {self.id} = Text(dump_only=True, metadata={{"format": "uuid"}})']
        schema += [_wrapped(f"    {column.name} = {self._field(column)}") for column in self.columns]
        names = sorted({"Change", "Effect", "Plugin", "Record", "Resource", "Text", "clear_cache", *kinds})
        imported = "from pbxapi.plugin import " + ", ".join(names)
        if len(imported) > 88:
            imported = "from pbxapi.plugin import (\n" + "".join(f"    {name},\n" for name in names) + ")"
        filters = [c.name for c in self.columns if self._is_flag(c)]
        searched = [n for n in (self.main, *(c.name for c in self.columns if c.name.endswith("description"))) if n]
        description = next((c.name for c in self.columns if c.name.endswith("description")), self.main)
        left = ", ".join(f"`{name}`" for name in self.left_out)
        return {
            "name": self.name,
            "module": self.module,
            "label": self.label,
            "schema": self.schema,
            "fields": "\n".join(schema),
            "variable": self.variable,
            "imports": imported,
            "id": self.id,
            "table": self.table,
            "main": self.main or "",
            "row": _tuple(self.row, 8),
            "search": _tuple(list(dict.fromkeys(searched)), 8),
            "filters": _tuple(filters, 8),
            "unique": f'\n    unique=("{self.main}",),' if self.unique else "",
            "description": description or "",
            "value": self._value(),
            "left_out": _LEFT_OUT.replace("$columns", left) if left else "",
            "migrate": "It keeps its records in a table of its own: run `pbxapi migrate` once.\n\n"
            if self.own
            else f"It serves the records of FusionPBX's table `{self.table}`.\n\n",
        }

    def _value(self) -> str:
        return 'f"record{n}"' if not (self.main or "").endswith(("number", "extension")) else "str(70_000 + n)"

    def _statements(self) -> dict[str, str]:
        one = f"domain_uuid = %(domain_uuid)s and {self.id} = %({self.id})s"
        shown = {column.name: self._shown(column) for column in self.columns}
        noun = self.label[:1].lower() + self.label[1:]
        names = [self.id, "domain_uuid", *(c.name for c in self.columns)]
        values = [f"%({name})s" for name in names]
        if "insert_date" in self.stamps:
            names, values = [*names, "insert_date"], [*values, "now()"]
        sets = [f"{c.name} = %({c.name})s" for c in self.columns]
        sets += ["update_date = now()"] if "update_date" in self.stamps else []

        def select(columns: Sequence[str]) -> str:
            return ",\n       ".join(shown.get(column, column) for column in columns)

        listed = [*self.row]
        return {
            "list": f"-- {self.label} records of a domain, for the list.\n-- in:  domain_uuid uuid\n"
            f"-- out: the columns of a list row, as text\nselect {select(listed)}\n  from {self.table}\n"
            " where domain_uuid = %(domain_uuid)s\n",
            "get": f"-- One {noun}.\n-- in:  domain_uuid uuid, {self.id} uuid\n-- out: every field, as text\n"
            f"select {select([self.id, *shown])}\n  from {self.table}\n where {one}\n",
            "create": f"-- A new {noun}.\n-- in:  domain_uuid uuid, {self.id} uuid, the columns as text\n"
            f"insert into {self.table} (\n  " + ",\n  ".join(names) + "\n) values (\n  " + ",\n  ".join(values)
            + "\n)\n",
            "update": f"-- All columns of a {noun}; what was not sent comes from the locked row.\n"
            f"-- in:  domain_uuid uuid, {self.id} uuid, the columns as text\nupdate {self.table}\n   set "
            + ",\n       ".join(sets) + f"\n where {one}\n",
            "delete": f"-- A {noun} goes.\n-- in:  domain_uuid uuid, {self.id} uuid\n"
            f"delete from {self.table} where {one}\n",
        }  # fmt: skip

    def _migration(self) -> str:
        stem = self.table.partition(".")[2]
        return dedent(f"""\
            -- The records of {self.name}, in the plugin's own schema.
            create table {stem} (
              {self.id} uuid primary key,
              domain_uuid uuid not null,
              name text,
              description text,
              enabled boolean,
              insert_date timestamptz,
              update_date timestamptz
            );
            create index on {stem} (domain_uuid);
        """)


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _wrapped(line: str) -> str:
    """A call as ruff writes it where it is too long for a line."""
    if len(line) <= 88:
        return line
    before, _, arguments = line.partition("(")
    return f"{before}(\n        {arguments[:-1]}\n    )"


def _tuple(names: Sequence[str], indent: int) -> str:
    """A tuple as ruff writes it, one name a line where it is long."""
    plain = "(" + ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "") + ")"
    if len(plain) < 70:
        return plain
    return "(\n" + "".join(f'{" " * indent}"{name}",\n' for name in names) + " " * (indent - 4) + ")"


_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "pbxapi-$name"
version = "0.1.0"
description = "$label, for pbxapi"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["pbxapi"]

[project.optional-dependencies]
test = ["pbxapi[sandbox]", "pytest"]

[project.entry-points."pbxapi.plugins"]
$name = "$module.plugin:plugin"

[tool.hatch.build.targets.wheel]
packages = ["$module"]

[tool.ruff.lint]
select = ["E4", "E7", "E9", "F", "I", "B", "UP"]

[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "--import-mode=importlib"
pbxapi_plugins_path = ["$module"]
"""

_README = """\
# pbxapi-$name

The resource `$name` for [pbxapi](https://pypi.org/project/pbxapi/): `/api/v1/$name` and `/api/v1/$name/list.php`.

$migrate${left_out}Install it beside pbxapi, and restart the API, the workers and the jobs:

    pip install .
    pbxapi plugins list

Test it, against a PostgreSQL and a simulated switch that the tests bring:

    pip install -e .[test]
    pbxapi plugin test .
"""

_LEFT_OUT = """\
These columns were left out, because the switch runs, dials or opens what they hold, or because they hold more \
than text: $columns. Check such values before you serve them (`pbxapi.plugin.dialling`, docs/plugins).

"""

_PLUGIN = '''\
"""$label: the declaration."""

from __future__ import annotations

from collections.abc import Iterator

$imports


class $schema(Record):
$fields


def effects(change: Change) -> Iterator[Effect]:
    """What a change of one does to the switch: its dialplan is read anew."""
    yield clear_cache(f"dialplan:{change.domain_name}")


$variable = Resource(
    name="$name",
    label="$label",
    id="$id",
    schema=$schema,
    table="$table",
    row=$row,
    search=$search,
    sort=("$main",),
    filters=$filters,$unique
    effects=effects,
)

plugin = Plugin(
    name="$name",
    version="0.1.0",
    api=">=1,<2",
    resources=($variable,),
)
'''

_TESTS = '''\
"""What is special about $name."""

from __future__ import annotations

from pbxapi.testing import Client, Pbx


def test_a_record_is_kept_as_it_was_sent(pbx: Pbx, client: Client) -> None:
    uuid = client.create("$name", $main="70001")
    assert client.get("$name", uuid)["$main"] == "70001"
    assert pbx.apply() == 1


def test_another_domain_does_not_see_it(pbx: Pbx, client: Client) -> None:
    client.create("$name", $main="70001")
    others = client.of(pbx.other_domain).list("$name")
    assert [row for row in others if row["$main"] == "70001"] == []
'''

_CONFORMANCE = '''\
"""The resource is held to what holds for every resource of pbxapi."""

from __future__ import annotations

from pbxapi.conformance import *  # noqa: F403
from pbxapi.conformance import Kind

KINDS = {"$name": Kind(lambda n: {"$main": $value})}
'''
