"""Our tables against FusionPBX's own."""

from __future__ import annotations

import lzma
from typing import Any

import psycopg
import pytest

from pbxapi.sandbox.database import create_schema, load_dump
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import ServerError

COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid)
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
 order by c.relname, a.attnum
"""
INDEXES = "select indexname, indexdef from pg_indexes where schemaname = 'public' order by indexname"
CONSTRAINTS = """
select conname, conrelid::regclass::text, pg_get_constraintdef(oid)
  from pg_constraint
 where connamespace = 'public'::regnamespace and contype <> 'n'
 order by conname
"""


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("statement", [COLUMNS, INDEXES, CONSTRAINTS], ids=["columns", "indexes", "constraints"])
def test_the_tables_are_those_of_fusionpbx(database_url, dump_url, statement):
    assert rows(database_url, statement) == rows(dump_url, statement)


def test_nothing_but_the_primary_keys_is_required_unique_or_defaulted(database_url):
    columns = rows(database_url, COLUMNS)
    tables = {table for table, *_ in columns}
    assert len(tables) == 117
    assert [default for *_, default in columns if default is not None] == []
    assert sum(required for *_, required, _ in columns) == len(tables)
    constraints = rows(database_url, CONSTRAINTS)
    assert {table for _, table, _ in constraints} == tables
    assert all(definition.startswith("PRIMARY KEY") for *_, definition in constraints)


def test_the_tables_are_created_once_only(database_url):
    with pytest.raises(psycopg.errors.DuplicateTable):
        create_schema(database_url)


def test_a_dump_that_does_not_load_says_why(postgres: EmbeddedPostgres, tmp_path):
    path = tmp_path / "broken.sql.xz"
    path.write_bytes(lzma.compress(b"create table fine (a int);\ncreate table broken (a no_such_type);\n"))
    url = postgres.create_database("broken")
    try:
        with pytest.raises(ServerError, match=r'broken\.sql\.xz does not load(.|\n)*"no_such_type"'):
            load_dump(url, path)
    finally:
        postgres.drop_database("broken")
