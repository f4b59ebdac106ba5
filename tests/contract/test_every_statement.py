"""What holds for every SQL file of the product and of its plugins."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pglast import ast as sql
from pglast import parse_sql

from pbxapi.config import Config
from pbxapi.data.catalogue import read_catalogue
from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.data.statements import Catalogue, parse_statement
from pbxapi.plugin.loader import load_plugins
from pbxapi.plugin.resource import STANDARD
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.versions import VERSIONS

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("sql", "plugins")
    for path in (ROOT / folder).rglob("*.sql")
    if path.parent.name != "migrations"
)
every_file = pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])

ACROSS_DOMAINS: Mapping[str, str] = {
    "destinations/taken.sql": "a number from outside belongs to one destination of the whole system",
    "users/get.sql": "a user is a member of the groups that name it, whatever domain such a row was written in",
}
"""Statements that must look beyond one domain, and why."""


def numbered(text: str) -> tuple[str, list[str]]:
    """A statement as PostgreSQL itself writes it: $1, $2 ... for the names that are returned."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    plain = re.sub(r"%\((\w+)\)s", number, text)
    assert "%" not in plain.replace("%%", ""), "a % that is no parameter must be doubled"
    return plain.replace("%%", "%"), names


@pytest.fixture(scope="module")
def catalogue(postgres: EmbeddedPostgres, template: str) -> Catalogue:
    """Tables of the sandbox."""
    with scratch_database(postgres, template) as url:
        database = Database(url)
        with database.reading() as session:
            tables = read_catalogue(session)
        database.close()
    return tables


@every_file
def test_a_file_says_what_it_is_for_what_it_takes_and_what_it_gives(path: Path) -> None:
    text = path.read_text("utf-8")
    header = re.match(r"(?:--(?!\?)[^\n]*\n)+", text)
    assert header, "there is no header"
    assert re.match(r"-- [A-Z].*[.:,\w]$", header[0].splitlines()[0]), "the first line says what it is for"
    statement = parse_statement(path.stem, text, str(path))
    told = re.search(r"^-- in: (.*(?:\n--  .*)*)", header[0], re.M)
    assert told or not statement.parameters, "there is no line `-- in:`"
    if told and not re.search(r"columns|fields", told[1]):
        missing = {name for name in statement.parameters if not re.search(rf"\b{name}\b", told[1])}
        assert not missing, f"`-- in:` does not name {sorted(missing)}"
    tree = parse_sql(numbered(statement.text)[0])[0].stmt
    if isinstance(tree, sql.SelectStmt) or tree.returningClause:
        assert re.search(r"^-- out: ", header[0], re.M), "there is no line `-- out:`"


def nodes(node: Any, kind: type | tuple[type, ...]) -> Iterator[Any]:
    """Every node of a kind, at any depth."""
    if isinstance(node, kind):
        yield node
    if isinstance(node, sql.Node):
        for name in node.__slots__:
            yield from nodes(getattr(node, name), kind)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from nodes(item, kind)


@every_file
def test_a_statement_lists_its_columns(path: Path) -> None:
    text, _ = numbered(parse_statement(path.stem, path.read_text("utf-8"), str(path)).text)
    assert not list(nodes(parse_sql(text), sql.A_Star))


QUERIES = (sql.SelectStmt, sql.InsertStmt, sql.UpdateStmt, sql.DeleteStmt)


def own(node: Any, kind: type | tuple[type, ...]) -> Iterator[Any]:
    """Nodes of a kind within one query, without those of the queries in it."""
    if isinstance(node, kind):
        yield node
    if isinstance(node, sql.Node):
        for name in node.__slots__:
            value = getattr(node, name)
            if not isinstance(value, QUERIES):
                yield from own(value, kind)
    elif isinstance(node, list | tuple):
        for item in node:
            if not isinstance(item, QUERIES):
                yield from own(item, kind)


def is_domain(node: Any, parameters: list[str]) -> bool:
    """Whether an expression is the domain of the request: a parameter, or the column of another table."""
    while isinstance(node, sql.TypeCast):
        node = node.arg
    if isinstance(node, sql.ParamRef):
        return parameters[node.number - 1] in ("domain_uuid", "domains")
    return column_of(node) is not None


def column_of(node: Any) -> str | None:
    """The table that a column `domain_uuid` is named with ("" for none), None where it is something else."""
    while isinstance(node, sql.TypeCast):
        node = node.arg
    if not isinstance(node, sql.ColumnRef):
        return None
    names = [part.sval for part in node.fields if isinstance(part, sql.String)]
    return (names[-2] if len(names) > 1 else "") if names[-1:] == ["domain_uuid"] else None


def unbound(query: Any, catalogue: Catalogue, parameters: list[str], known: frozenset[str]) -> Iterator[str]:
    """Tables of tenants that a query, or one in it, uses without saying whose rows."""
    clause = getattr(query, "withClause", None)
    known |= {cte.ctename for cte in clause.ctes} if clause else frozenset()
    used: dict[str, str] = {}
    for table in own(
        [getattr(query, part, None) for part in ("fromClause", "usingClause", "relation")], sql.RangeVar
    ):
        full = f"{table.schemaname}.{table.relname}" if table.schemaname else table.relname
        full = full.removeprefix("public.")
        if full not in known and "domain_uuid" in catalogue.get(full, {}):
            used[table.alias.aliasname if table.alias else table.relname] = full
    if isinstance(query, sql.InsertStmt):
        if not all(is_domain(value, parameters) for value in inserted_domains(query)):
            yield from used.values()
        used = {}
    conditions = [getattr(query, "whereClause", None), [j.quals for j in own(query, sql.JoinExpr)]]
    bound: set[str] = set()
    for compared in own(conditions, sql.A_Expr):
        if [part.sval for part in compared.name] != ["="]:
            continue
        for one, other in ((compared.lexpr, compared.rexpr), (compared.rexpr, compared.lexpr)):
            table = column_of(one)
            if table is not None and is_domain(other, parameters):
                bound |= {table} if table else set(used)
    for test in own(conditions, sql.NullTest):
        # A row without a domain is shared by all.
        if test.nulltesttype == 0 and (table := column_of(test.arg)) is not None:
            bound |= {table} if table else set(used)
    for link in own(conditions, sql.SubLink):
        # `user_uuid in (select user_uuid from v_users where domain_uuid = ...)`
        if isinstance(link.testexpr, sql.ColumnRef) and owned(link.subselect, catalogue, parameters, known):
            names = [part.sval for part in link.testexpr.fields]
            bound |= {names[0]} if len(names) > 1 else set(used)
    yield from (full for name, full in used.items() if name not in bound)
    for name in query.__slots__:
        for below in inner(getattr(query, name)):
            yield from unbound(below, catalogue, parameters, known)


def inserted_domains(query: sql.InsertStmt) -> list[Any]:
    """What an insert writes as domain_uuid, in each row."""
    names = [column.name for column in query.cols or ()]
    if "domain_uuid" not in names:
        return [None]
    place = names.index("domain_uuid")
    rows = query.selectStmt.valuesLists
    return [row[place] for row in rows] if rows else [query.selectStmt.targetList[place].val]


def owned(query: Any, catalogue: Catalogue, parameters: list[str], known: frozenset[str]) -> bool:
    """Whether a query gives the rows of one tenant: it says so itself, or reads a CTE that does."""
    tables = [table.relname for table in own(query.fromClause, sql.RangeVar)]
    tenants = [t for t in tables if t in known or "domain_uuid" in catalogue.get(t, {})]
    return bool(tenants) and not list(unbound(query, catalogue, parameters, known))


def inner(node: Any) -> Iterator[Any]:
    """The queries right below a node."""
    if isinstance(node, QUERIES):
        yield node
    elif isinstance(node, sql.Node):
        for name in node.__slots__:
            yield from inner(getattr(node, name))
    elif isinstance(node, list | tuple):
        for item in node:
            yield from inner(item)


@every_file
def test_a_statement_says_of_every_tenants_table_whose_rows(path: Path, catalogue: Catalogue) -> None:
    """At every level: in a sub-select and a CTE too."""
    text, parameters = numbered(parse_statement(path.stem, path.read_text("utf-8"), str(path)).text)
    found = list(unbound(parse_sql(text)[0].stmt, catalogue, parameters, frozenset()))
    name = "/".join(path.parts[-2:])
    if name in ACROSS_DOMAINS:
        assert found, f"{name} need not stand in ACROSS_DOMAINS"
        return
    assert not found, f"{sorted(set(found))} without %(domain_uuid)s"


@pytest.mark.parametrize(
    "text",
    [
        "select 1 from v_users",
        "select 1 from v_users as u where u.user_uuid = %(domain_uuid)s",
        "select (select count(*) from v_users) from v_domains where domain_uuid = %(domain_uuid)s",
        "select 1 from v_users as u join v_contacts as c using (a) where u.domain_uuid = %(domain_uuid)s",
        "with all_users as (select 1 from v_users) select 1 from all_users",
        "update v_users set username = 'x' where user_uuid = %(user_uuid)s",
        "delete from v_users using v_contacts as c where c.domain_uuid = %(domain_uuid)s",
        "insert into v_users (user_uuid) values (%(user_uuid)s)",
        "insert into v_users (user_uuid, domain_uuid) values (%(domain_uuid)s, %(user_uuid)s)",
        "insert into v_users (user_uuid, domain_uuid) select %(user_uuid)s, null",
        "select 1 from v_domains as d where d.domain_uuid = %(domain_uuid)s and exists (select from v_users as u)",
        "select 1 from v_users where domain_uuid = %(user_uuid)s",
        "select 1 from v_user_groups where user_uuid in (select user_uuid from v_users)",
        "select 1 from v_user_groups where user_uuid in (%(user_uuid)s) and group_uuid = %(domain_uuid)s",
        "select 1 from v_users where domain_uuid is not null union all select 1 from v_users",
    ],
)
def test_the_judge_sees_a_table_without_a_domain(text: str, catalogue: Catalogue) -> None:
    plain, parameters = numbered(text)
    assert list(unbound(parse_sql(plain)[0].stmt, catalogue, parameters, frozenset()))


def plan(url: str, catalogue: Catalogue) -> list[str]:
    """Plan every statement against a database; what PostgreSQL has to say against it."""
    faults = []
    with psycopg.connect(url, autocommit=True) as connection:
        for path in FILES:
            statement = parse_statement(path.stem, path.read_text("utf-8"), str(path), catalogue)
            text, names = numbered(statement.text)
            try:
                connection.execute(f"prepare trial as {text}".encode())
                connection.execute("deallocate trial")
                if connection.info.server_version >= 160_000:
                    connection.execute(f"explain (generic_plan) {text}".encode())
            except psycopg.Error as error:
                faults.append(f"{'/'.join(path.parts[-2:])} {names}: {error}")
    return faults


def test_every_statement_fits_the_sandboxs_tables(database_url: str, catalogue: Catalogue) -> None:
    assert plan(database_url, catalogue) == []


def test_every_statement_fits_fusionpbxs_own_tables(dump_url: str) -> None:
    database = Database(dump_url)
    migrate(database, builtin_migrations())
    with database.reading() as session:
        tables = read_catalogue(session)
    database.close()
    assert plan(dump_url, tables) == []


def test_every_statement_fits_tables_without_the_optional_columns(
    database_url: str, catalogue: Catalogue, pytestconfig: pytest.Config
) -> None:
    """What FusionPBX's versions before 5.6 lack."""
    optional = {
        (table, column)
        for path in FILES
        for table, column in re.findall(r"--\?\s*(\w+)\.(\w+)\s*$", path.read_text("utf-8"), re.M)
    }
    if pytestconfig.getoption("--fusionpbx") == VERSIONS[-1]:
        assert all(column in catalogue[table] for table, column in optional), "an optional column is misspelt"
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table, column in optional:
            connection.execute(f"alter table {table} drop column if exists {column} cascade".encode())
    database = Database(database_url)
    with database.reading() as session:
        tables = read_catalogue(session)
    database.close()
    assert plan(database_url, tables) == []


@cache
def texts_in_code() -> Mapping[Path, frozenset[str]]:
    """The string constants of each Python file."""
    return {
        path: frozenset(
            node.value
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        for folder in ("pbxapi", "plugins")
        for path in (ROOT / folder).rglob("*.py")
    }


@cache
def used_by_declaration() -> frozenset[str]:
    """Statements that the frame runs by themselves, as folder/name."""
    found = set()
    for resource in load_plugins(Config(database_url="postgresql://"), {}).resources.values():
        declaration = resource.declaration
        folder = declaration.sql or declaration.name
        found |= {f"{folder}/{name}" for name in STANDARD if name in declaration.standard}
        found |= {f"{folder}/{name}" for name in ("get", "count", "effects")}
        found |= {f"{folder}/{rows.declaration.statement}" for rows in resource.lists.values()}
    return frozenset(found)


@every_file
def test_a_statement_is_used(path: Path) -> None:
    folder, name = path.parent.name, path.stem
    if f"{folder}/{name}" in used_by_declaration():
        return
    for source, texts in texts_in_code().items():
        if f"{folder}/{name}" in texts:
            return
        if name in texts and (folder == "core" or source.parent.name == folder.replace("-", "_")):
            return
    pytest.fail(f"nothing runs {folder}/{name}.sql")
