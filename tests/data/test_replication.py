"""A database that is replicated: our tables are there before our rows are, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from pbxapi.data.database import Database
from pbxapi.data.migrations import Migration, ReplicatedError, builtin_migrations, ddl, migrate
from pbxapi.sandbox.database import create_schema, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres

LOGICAL = {"wal_level": "logical", "max_wal_senders": "10", "max_replication_slots": "10"}
SHAPE = """
select c.oid::regclass::text, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
  from pg_class as c
  left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relnamespace = 'pbxapi'::regnamespace
 order by 1, a.attnum
"""


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@contextmanager
def open_database(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def run(url: str, *statements: str) -> list[tuple[Any, ...]]:
    with open_database(url) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def call(url: str) -> str:
    """A row as FusionPBX writes it for a call; its uuid."""
    insert = "insert into v_xml_cdr (xml_cdr_uuid) values (gen_random_uuid()) returning xml_cdr_uuid::text"
    return str(run(url, insert)[0][0])


def pbxapi(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pbxapi.cli", *arguments],
        env={"PATH": os.defpath, "PBXAPI_FUSIONPBX_CONF": os.devnull, "PBXAPI_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@dataclass
class Pair:
    """Two nodes that replicate all their tables to each other, as a FusionPBX cluster does."""

    here: str
    there: str

    def subscribe(self, publisher: str, subscriber: str) -> None:
        """Within one server the slot must be made first, or both sides would wait for each other."""
        name = f"from_{publisher.rpartition('/')[2]}"
        run(publisher, f"select pg_create_logical_replication_slot('{name}', 'pgoutput')")
        run(
            subscriber,
            f"create subscription {name} connection '{publisher}' publication everything "
            f"with (create_slot = false, slot_name = '{name}', copy_data = false, origin = none)",
        )

    def calls_arrive(self) -> None:
        """A row of FusionPBX's reaches the other node, both ways."""
        for url, other in ((self.here, self.there), (self.there, self.here)):
            uuid = call(url)
            until(lambda: run(other, f"select 1 from v_xml_cdr where xml_cdr_uuid = '{uuid}'") == [(1,)])  # noqa: B023


def slots(url: str) -> list[tuple[Any, ...]]:
    return run(url, "select slot_name, active from pg_replication_slots")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres.temporary(settings=LOGICAL) as postgres:
        yield postgres


@pytest.fixture
def pair(server: EmbeddedPostgres) -> Iterator[Pair]:
    nodes = [server.create_database(name) for name in ("here", "there")]
    for url in nodes:
        create_schema(url)
        run(url, "create publication everything for all tables")
    pair = Pair(*nodes)
    pair.subscribe(pair.here, pair.there)
    pair.subscribe(pair.there, pair.here)
    yield pair
    for url, other in ((pair.here, pair.there), (pair.there, pair.here)):
        name = f"from_{other.rpartition('/')[2]}"
        run(url, f"alter subscription {name} disable", f"alter subscription {name} set (slot_name = none)")
        run(url, f"drop subscription {name}")
    until(lambda: all(not active for _, active in slots(server.url)))
    for slot, _ in slots(server.url):
        run(server.url, f"select pg_drop_replication_slot('{slot}')")
    for url in nodes:
        server.drop_database(url.rpartition("/")[2])


def test_a_new_table_without_care_stops_the_replication_of_everything(pair: Pair) -> None:
    """Why there is a way for it at all."""
    pair.calls_arrive()
    database = Database(pair.here)
    migrate(database, builtin_migrations(), made_on_all_nodes=True)
    database.close()
    uuid = call(pair.here)
    with pytest.raises(AssertionError, match="it did not come"):
        until(lambda: run(pair.there, f"select 1 from v_xml_cdr where xml_cdr_uuid = '{uuid}'") == [(1,)], 3)


def test_whoever_does_what_is_printed_keeps_the_replication(pair: Pair) -> None:
    stopped = pbxapi(pair.here, "migrate")
    assert stopped.returncode == 1
    assert "publication everything publishes all tables" in stopped.stderr
    assert run(pair.here, "select to_regnamespace('pbxapi')") == [(None,)]
    steps = stopped.stderr.splitlines()[1:]
    assert [step[:2] for step in steps] == ["1.", "2.", "3.", "4.", "5."]
    pair.calls_arrive()
    run(pair.there, pbxapi(pair.here, "migrate", "--sql").stdout)
    pair.calls_arrive()
    migrated = pbxapi(pair.here, "migrate", "--made-on-all-nodes")
    assert migrated.returncode == 0
    pair.calls_arrive()
    run(pair.there, "alter subscription from_here refresh publication")
    run(pair.here, "alter subscription from_there refresh publication with (copy_data = false)")
    pair.calls_arrive()
    for table in ("migration", "event_head", "secret"):
        rows = run(pair.here, f"select * from pbxapi.{table}")
        assert rows
        until(lambda: run(pair.there, f"select * from pbxapi.{table}") == rows)  # noqa: B023
    assert pbxapi(pair.there, "migrate").stdout == "nothing to do\n"
    assert pbxapi(pair.here, "migrate").stdout == "nothing to do\n"
    for url, other in ((pair.here, pair.there), (pair.there, pair.here)):
        run(url, "insert into pbxapi.node (name) values (current_database())")
        until(lambda: len(run(other, "select 1 from pbxapi.node")) == len(run(url, "select 1 from pbxapi.node")))  # noqa: B023
    pair.calls_arrive()


@pytest.mark.parametrize(
    ("publication", "stops"),
    [
        ("create publication p for all tables", True),
        ("create schema pbxapi; create publication p for tables in schema pbxapi", True),
        ("create schema plugin_notes; create publication p for tables in schema plugin_notes", True),
        ("create publication p for tables in schema public", False),
        ("create table public.mine (n int primary key); create publication p for table public.mine", False),
    ],
)
def test_only_a_publication_that_would_carry_our_rows_stops_it(
    postgres: EmbeddedPostgres, publication: str, stops: bool
) -> None:
    one = Migration("pbxapi", "0001_one", "create table pbxapi.one (n int primary key);")
    with scratch_database(postgres, "template1") as url:
        if "tables in schema" in publication and run(url, "show server_version_num") < [("150000",)]:
            pytest.skip("before 15 there are no publications of schemas")
        run(url, publication)
        database = Database(url)
        if stops:
            with pytest.raises(ReplicatedError, match="publication p publishes"):
                migrate(database, [one])
            assert run(url, "select to_regclass('pbxapi.migration')") == [(None,)]
            assert migrate(database, [one], made_on_all_nodes=True) == [one]
        else:
            assert migrate(database, [one]) == [one]
        assert migrate(database, [one]) == []
        database.close()


def test_what_is_printed_makes_the_same_tables_without_a_row(postgres: EmbeddedPostgres) -> None:
    with scratch_database(postgres, "template1") as here, scratch_database(postgres, "template1") as there:
        database = Database(here)
        migrate(database, builtin_migrations())
        database.close()
        run(there, ddl(builtin_migrations()))
        assert run(there, SHAPE) == run(here, SHAPE)
        tables = run(there, "select tablename from pg_tables where schemaname = 'pbxapi'")
        assert len(tables) > 8
        assert [(t, run(there, f"select count(*) from pbxapi.{t}")) for (t,) in tables] == [
            (t, [(0,)]) for (t,) in tables
        ]
