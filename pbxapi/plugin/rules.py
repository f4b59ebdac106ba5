"""What a plugin is held to when it is loaded, before any of it runs.

The SQL of a plugin is looked at as text: PostgreSQL's further spellings of texts are refused, so that nothing can
hide in one. What a plugin's Python does is the plugin's; only the statements that are written in it are looked at.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from marshmallow import Schema

from pbxapi import PLUGIN_API
from pbxapi.data.listing import Kind
from pbxapi.data.migrations import Migration
from pbxapi.data.statements import Catalogue, Statement, bare_sql, parse_statement, tenant_tables
from pbxapi.plugin.declaration import Plugin
from pbxapi.plugin.fields import Record
from pbxapi.plugin.resource import STANDARD, Method, Resource

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_WORDS = r"(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)"
_PATH = re.compile(rf"(?:{_WORDS}(?:/<[a-z][a-z0-9_]*>(?:/{_WORDS})?)?)?")
_PHP = re.compile(_WORDS)
_METRIC = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SCOPE = re.compile(r"[a-z][a-z0-9-]*:[a-z][a-z0-9-]*")

_STAR = re.compile(r"(?:\bselect|\bdistinct|\breturning|,)\s*(?:\w+\.)?\*")
_ODD = re.compile(r"\be''|\bu&|\$\w*\$")
"""Texts whose ends only PostgreSQL itself finds."""

_DOMAIN = re.compile(
    r"\bdomain_uuid(?:::\w+)?\s*(?:=|<>|is\s+(?:not\s+)?distinct\s+from|in\s*\()\s*%\(domain_uuid\)s"
    r"|%\(domain_uuid\)s(?:::\w+)?\s*(?:=|<>|is\s+(?:not\s+)?distinct\s+from)\s*(?:\w+\.)?domain_uuid\b"
    r"|%\(domains\)s"
)
_INSERTED = re.compile(r"\binsert\s+into\b.*\bdomain_uuid\b.*%\(domain_uuid\)s", re.S)

_REACHING = re.compile(
    r"\b(?:(?:query|table|schema|database|cursor)_to_xml\w*|ts_stat|dblink\w*|crosstab\w*|connectby|lo_\w+|set_config"
    r"|pg_read_\w+|pg_ls_\w+|pg_stat_\w+|pg_logical_\w+|pg_reload_conf|pg_(?:cancel|terminate)_backend)\s*\("
)
"""Functions that run a text as SQL, or reach beyond the database's tables."""

_SYSTEM = re.compile(r"\bpg_catalog\.\w+|\binformation_schema\.\w+|\bpg_\w+\b(?!\s*\()")
"""PostgreSQL's own tables: its statistics hold values of every tenant."""

_QUALIFIED = re.compile(r"\b(pbxapi|plugin_\w+)\.(\w+)")

_FOREIGN_TABLE = re.compile(
    r"\b(?:public\.)?(?:v|view)_\w+|\b(?:public|pbxapi|pg_catalog|information_schema)\.\w+"
)
_MIGRATES = re.compile(
    r"(?:create\s+(?:unlogged\s+)?(?:table|(?:unique\s+)?index|sequence|type|domain|(?:materialized\s+)?view)"
    r"|(?:alter|drop)\s+(?:table|index|sequence|type|domain|(?:materialized\s+)?view)"
    r"|comment\s+on|insert\s+into|update|delete\s+from|truncate)\b"
)
_LOOKS_LIKE_SQL = re.compile(
    r"\s*(?:select\b.*\bfrom\b|insert\s+into\b|update\s+\S+.*\bset\b|delete\s+from\b|with\b.*\bas\s*\()",
    re.I | re.S,
)


_VERB = re.compile(rb"(?:select|insert|update|delete)\s", re.I)


OWN_PATHS = frozenset({"console", "docs", "metrics", "openapi.json", "pages", "readyz"})
"""What the product serves below the prefix besides resources."""


class PluginError(Exception):
    """A plugin that cannot be used; says which, and why."""


def check_plugin(plugin: Plugin, builtin: bool) -> None:
    """Whether a declaration can be used at all.

    Raises:
        PluginError: it cannot.
    """
    if not _NAME.fullmatch(plugin.name):
        raise PluginError(f"the name {plugin.name!r} is not lower-case letters, digits and -")
    if not supports(plugin.api, PLUGIN_API):
        raise PluginError(f"needs plugin API {plugin.api}, this is {PLUGIN_API}")
    for resource in plugin.resources:
        check_resource(resource)
    for setting in plugin.settings:
        begin = f"PBXAPI_{plugin.name.replace('-', '_').upper()}_"
        if not builtin and not setting.name.startswith(begin):
            raise PluginError(f"the setting {setting.name} does not begin with {begin}")
    for figure, metric in plugin.metrics.items():
        if not all(_METRIC.fullmatch(word) for word in (figure, *metric.labels)):
            raise PluginError(f"the metric {figure!r} or a label of it is not lower-case letters, digits and _")
        if figure.endswith("_total") is not (metric.kind == "counter"):
            raise PluginError(f"the metric {figure!r} must end in _total where it is a counter, and only there")
    for scope in plugin.scopes:
        if not _SCOPE.fullmatch(scope):
            raise PluginError(f"the scope {scope!r} is not of the form tickets:close")
    known = {*plugin.scopes, *(f"{r.name}:{verb}" for r in plugin.resources for verb in ("read", "write"))}
    for resource in plugin.resources:
        for operation in resource.operations:
            if resource.scope(operation) not in known:
                raise PluginError(f"{resource.name}: add the scope {operation.scope} to Plugin.scopes")


def check_resource(resource: Resource) -> None:
    """Whether the names in a declaration of a resource are names of something.

    Raises:
        PluginError: they are not.
    """
    if not _NAME.fullmatch(resource.name):
        raise PluginError(f"the resource name {resource.name!r} is not lower-case letters, digits and -")
    if resource.name in OWN_PATHS:
        raise PluginError(f"the path of the resource {resource.name} is taken by pbxapi itself")
    _check_tuples(resource, resource.name)
    if not (isinstance(resource.schema, type) and issubclass(resource.schema, Record)):
        raise PluginError(f"{resource.name}: schema must be a class with Record as its base")
    if unknown := set(resource.standard) - set(STANDARD):
        raise PluginError(
            f"{resource.name}: standard names {min(unknown)}, which is none of {', '.join(STANDARD)}"
        )
    if resource.store_new is not None and not inspect.isgeneratorfunction(resource.store_new):
        raise PluginError(
            f"{resource.name}: store_new must be a generator: it goes on once the checks are answered"
        )
    if spelled := [name for name in resource.settings if not all(name.partition("/"))]:
        raise PluginError(f"{resource.name}: settings names {spelled[0]}, which is not category/subcategory")
    for rows in (resource.rows, *(o.rows for o in resource.operations if o.rows is not None)):
        fields = rows.schema().fields if rows.row else {}
        if missing := [name for name in rows.row if name not in fields]:
            raise PluginError(f"{resource.name}: row names {missing[0]}, which {rows.schema.__name__} has not")
        for sort in rows.sorts.values():
            if sort.kind not in get_args(Kind):
                words = ", ".join(get_args(Kind))
                raise PluginError(f"{resource.name}: sort has the kind {sort.kind}, which is none of {words}")
        if rows.order and rows.order.removeprefix("-") not in rows.sorts:
            raise PluginError(f"{resource.name}: order names {rows.order}, which sort has not")
    _check_operations(resource)


def _check_tuples(declared: Any, name: str) -> None:
    """A text where a tuple of texts belongs would be taken letter by letter."""
    for field in dataclasses.fields(declared):
        value = getattr(declared, field.name)
        if isinstance(value, str) and ("tuple[" in str(field.type) or "Sequence[" in str(field.type)):
            raise PluginError(f"{name}: {field.name} must be a tuple: ({value!r},)")


def check_owner(resource: Resource, schema: Schema) -> None:
    """No caller says whose record it is, where each belongs to a domain: the key and the header do.

    Raises:
        PluginError: a field or a parameter has the name of one that every statement gets.
    """
    for name in ("domain_uuid", "domain_name", "domains"):
        if name in schema.fields or name in resource.parameters:
            raise PluginError(
                f"{resource.name}: {name} is a name of pbxapi's own: its value comes from the request"
            )


def _check_operations(resource: Resource) -> None:
    taken: dict[tuple[str, ...], str] = {}
    schemas: set[Any] = set()
    for operation in resource.all_operations():
        _check_tuples(operation, f"{resource.name}: the operation {operation.name!r}")
        if unknown := set(operation.methods) - set(get_args(Method)):
            raise PluginError(f"{resource.name}: the operation {operation.name!r} has the method {min(unknown)}")
        if operation.on not in ("collection", "item"):
            raise PluginError(f"{resource.name}: the operation {operation.name!r} is on a collection or an item")
        if not _PATH.fullmatch(operation.path) or not _PHP.fullmatch(operation.php or operation.name):
            raise PluginError(f"{resource.name}: the operation {operation.name!r} has a path that no URL can have")
        ways = [("clean", method, operation.on, operation.path) for method in operation.methods]
        schemas.update({operation.body, operation.query, operation.answer} - {None})
        for way in (*ways, ("php", operation.methods[0], operation.php_name)):
            if way in taken:
                raise PluginError(
                    f"{resource.name}: the operations {taken[way]} and {operation.name} have the same {way[0]} URL"
                )
            taken[way] = operation.name
    for schema in schemas - {resource.schema}:
        schema()  # whatever is wrong with it shows here


def supports(wanted: str, version: str) -> bool:
    """Whether a version lies in a range such as ``>=1,<2``."""
    have = _version(version)
    for part in wanted.split(","):
        match = re.fullmatch(r"\s*(>=|<=|==|>|<)\s*(\d+(?:\.\d+)*)\s*", part)
        if match is None:
            raise PluginError(f"the api range {wanted!r} is not of the form >=1,<2")
        sign, bound = match[1], _version(match[2])
        fits = {
            ">=": have >= bound, "<=": have <= bound, "==": have == bound, ">": have > bound, "<": have < bound,
        }  # fmt: skip
        if not fits[sign]:
            return False
    return True


def _version(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def check_parameters(resource: Resource, schema: Schema, statements: Mapping[str, Statement]) -> None:
    """Whether the standard operations give their statements all values that these name.

    Raises:
        PluginError: they do not.
    """
    replaced = {operation.name for operation in resource.operations}
    queried = resource.query().fields if resource.query else {}
    for name in set(resource.standard) - replaced:
        given = {"domain_uuid", "domain_name", "domains", *resource.parameters}
        given |= set(queried) if name == "list" else {resource.id}
        given |= set(schema.fields) if name in ("create", "update") else set()
        if unknown := sorted(statements[name].parameters - given):
            values = ", ".join(sorted(given))
            raise PluginError(f"{statements[name].source}: {name} has no %({unknown[0]})s; it has {values}")


def check_statement(statement: Statement, catalogue: Catalogue, schema: str | None = None) -> None:
    """What a host relies on: a statement on a tenant's table compares its domain, or inserts it.

    One over several domains names ``%(domains)s`` instead: those of the key, NULL for any. Besides, it lists its
    columns, runs no text as SQL, and looks into no table of PostgreSQL's own.

    Args:
        schema: that of the plugin that brings it: it reads public and this one. None for the product's own.

    Raises:
        PluginError: it does not.
    """
    bare = statement.bare
    _check_reach(bare, statement.source)
    for name in _QUALIFIED.finditer(bare) if schema is not None else ():
        if name[1] != schema and name[0] in catalogue:
            raise PluginError(
                f"{statement.source}: {name[0]} is not the plugin's own: it may read {schema} and public"
            )
    tables = tenant_tables(statement, catalogue)
    if tables and not (_DOMAIN.search(bare) or _INSERTED.search(bare)):
        raise PluginError(
            f"{statement.source}: {', '.join(sorted(tables))} belongs to domains; "
            "the statement must name %(domain_uuid)s, as in: where domain_uuid = %(domain_uuid)s; "
            "one over several domains: where (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s))"
        )
    if _STAR.search(bare):
        raise PluginError(f"{statement.source}: list the columns instead of select *")


def _check_reach(bare: str, source: str) -> None:
    if odd := _ODD.search(bare):
        raise PluginError(f"{source}: write texts as 'text', not with {odd[0].removesuffix(chr(39))}")
    if reaching := _REACHING.search(bare) or _SYSTEM.search(bare):
        raise PluginError(f"{source}: {reaching[0].rstrip('( ')} reaches beyond the plugin's records")


def python_statements(folder: Path, catalogue: Catalogue) -> Iterator[Statement]:
    """The statements that are written in a plugin's Python, each by its line; one put together is not found."""
    for path in sorted(folder.rglob("*.py")):
        for line, text in _texts_of(path, path.stat().st_mtime_ns):
            try:
                yield parse_statement("", text, f"{path.relative_to(folder.parent)}:{line}", catalogue)
            except ValueError:
                continue  # words that look like SQL


@lru_cache(4096)
def _texts_of(path: Path, changed_at: int) -> list[tuple[int, str]]:
    source = path.read_bytes()
    if not _VERB.search(source):
        return []
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr)]
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    found = ((node.lineno, _text_of(node)) for node in nodes if id(node) not in parts)
    return [(line, text) for line, text in found if text is not None and _LOOKS_LIKE_SQL.match(text)]


def _text_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) or "x" for part in node.values)
    return None


def check_migrations(migrations: Iterable[Migration]) -> None:
    """A plugin's migration makes and fills tables of its own, and nothing else.

    Raises:
        PluginError: it does more.
    """
    for migration in migrations:
        source = f"migration {migration.name}"
        bare = bare_sql(migration.text)
        _check_reach(bare, source)
        schema = "plugin_" + migration.owner.replace("-", "_")
        if foreign := _FOREIGN_TABLE.search(bare):
            raise PluginError(f"{source} touches {foreign[0]}: FusionPBX's tables are not altered")
        for name in re.finditer(r"\b(plugin_\w+)\.\w+", bare):
            if name[1] != schema:
                raise PluginError(f"{source} touches {name[0]}: a plugin's own tables are in {schema}")
        for statement in filter(None, map(str.strip, bare.split(";"))):
            if not _MIGRATES.match(statement):
                words = " ".join(statement.split()[:3])
                raise PluginError(
                    f"{source}: '{words} ...' is not allowed: a migration makes, changes and fills tables, "
                    "indexes, types and views of the plugin's own"
                )
