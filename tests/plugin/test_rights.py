"""The role that the services use: all that the product does, and nothing else.

That it can do all: the tests of the contract and those with the fixture `pbx` run their API as this role.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pglast import ast as sql
from pglast import parse_sql
from pglast.visitors import Visitor

from pbxapi.config import Config
from pbxapi.data.catalogue import read_catalogue
from pbxapi.data.database import Database
from pbxapi.data.migrations import MigrationError, builtin_migrations, migrate
from pbxapi.data.statements import number_parameters, parse_statement
from pbxapi.plugin.loader import load_registry
from pbxapi.plugin.rights import missing_rights, read_rights, table_rights
from pbxapi.sandbox.database import create_schema, give_rights, scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]


@contextmanager
def as_role(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(url_of_role(url), autocommit=True) as connection:
        yield connection


def superuser(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def bare_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """FusionPBX's tables, and nothing of ours."""
    with scratch_database(postgres, "template1") as url:
        create_schema(url)
        yield url


def pbxapi(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pbxapi.cli", *arguments],
        env={"PATH": os.defpath, "PBXAPI_FUSIONPBX_CONF": os.devnull, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


HAS = """
select array_agg(verb) from unnest(%(verbs)s::text[]) as verb where has_table_privilege('pbxapi', %(table)s, verb)
"""
OWNERS = """
select distinct pg_get_userbyid(relowner) as owner from pg_class where relnamespace = 'pbxapi'::regnamespace
"""


class Uses(Visitor):  # type: ignore[misc]
    """The tables of a statement and what it does with them, as PostgreSQL's own parser sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.targets: set[int] = set()

    def _write(self, node: Any, verb: str) -> None:
        self.found.add((node.relation.relname, verb))
        self.targets.add(id(node.relation))

    def visit_InsertStmt(self, ancestors: Any, node: sql.InsertStmt) -> None:
        self._write(node, "insert")

    def visit_UpdateStmt(self, ancestors: Any, node: sql.UpdateStmt) -> None:
        self._write(node, "update")

    def visit_DeleteStmt(self, ancestors: Any, node: sql.DeleteStmt) -> None:
        self._write(node, "delete")

    def visit_RangeVar(self, ancestors: Any, node: sql.RangeVar) -> None:
        if id(node) not in self.targets:
            self.found.add((node.relname, "select"))


def test_what_is_granted_is_what_postgresqls_own_parser_finds_in_the_statements(database_url: str) -> None:
    database = Database(database_url)
    registry = load_registry(Config(database_url=database_url), database)
    with database.reading() as session:
        catalogue = read_catalogue(session)
    database.close()
    granted = table_rights(registry, catalogue)
    found: set[tuple[str, str]] = set()
    for path in (ROOT / "sql").rglob("*.sql"):
        if path.parent.name != "migrations":
            uses = Uses()
            uses(parse_sql(number_parameters(parse_statement(path.stem, path.read_text("utf-8"), "").text)[0]))
            found |= {(table, verb) for table, verb in uses.found if table in catalogue}
    assert len(found) > 100
    assert {(table, verb) for table, verb in found if verb not in granted.get(table, ())} == set()
    more = {(table, verb) for table, verbs in granted.items() for verb in verbs} - found
    in_code = {("v_database_transactions", "insert")}
    assert {(table, verb) for table, verb in more if verb in ("insert", "delete")} == in_code
    locked = {resource.declaration.table for resource in registry.resources.values()}
    assert {table for table, verb in more if verb == "update"} <= locked | {"v_voicemail_messages"}


def test_the_role_reads_and_writes_nothing_else(database_url: str) -> None:
    database = Database(database_url)
    registry = load_registry(Config(database_url=database_url), database)
    with database.reading() as session:
        assert missing_rights(session, registry) == []
        catalogue = read_catalogue(session)
        granted = table_rights(registry, catalogue)
        verbs = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
        tables = [name for name in catalogue if "." not in name]
        assert len(tables) > len(granted) + 50
        for table in tables:
            may = session.value(HAS, verbs=list(verbs), table=table)
            assert set(may or ()) == granted.get(table, frozenset()), table
    database.close()


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from v_sip_profile_settings",
        "select 1 from v_database_transactions",
        "insert into v_domains (domain_uuid) values (gen_random_uuid())",
        "update v_default_settings set default_setting_value = 'mine'",
        "delete from v_xml_cdr",
        "truncate v_extensions",
        "create table public.mine (n int primary key)",
        "create view public.view_mine as select extension from v_extensions",
        "create schema mine",
        "alter table v_extensions add column mine text",
        "alter table v_extensions alter column enabled type text",
        "drop table v_extensions",
        "create trigger mine after delete on v_extensions execute function suppress_redundant_updates_trigger()",
        "create table pbxapi.mine (domain_uuid uuid primary key references v_domains)",
        "create role mine",
        "copy v_extensions to program 'true'",
    ],
)
def test_the_role_may_not(database_url: str, statement: str) -> None:
    # PostgreSQL 13 and 14 let everybody; operators.md says what to do.
    superuser(database_url, "revoke create on schema public from public")
    with as_role(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_what_an_upgrade_makes_can_be_read_and_not_written(database_url: str) -> None:
    superuser(
        database_url,
        "create view view_extensions as select extension from v_extensions",
        "drop view view_extensions",
        "create view view_extensions as select extension, extension_uuid from v_extensions",
        "create table v_new (new_uuid uuid primary key)",
    )
    with as_role(database_url) as connection:
        assert connection.execute("select count(*) from view_extensions").fetchone() != (0,)
        assert connection.execute("select count(*) from v_new").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("insert into v_new values (gen_random_uuid())")


def test_the_command_says_what_is_missing_and_gives_it(bare_url: str) -> None:
    admin = {"PBXAPI_ADMIN_DATABASE_URL": bare_url, "PBXAPI_DATABASE_URL": url_of_role(bare_url)}
    before = pbxapi("rights", **admin)
    assert before.returncode == 1
    assert "missing: select, insert, update, delete on v_extensions\n" in before.stdout
    given = pbxapi("rights", "--apply", **admin)
    assert (given.returncode, given.stderr) == (0, "")
    assert given.stdout == before.stdout.replace("missing:", "given:")
    assert pbxapi("rights", **admin).stdout == "nothing is missing\n"
    assert pbxapi("rights", "--apply", **admin).stdout == "nothing is missing\n"


def test_the_printed_statements_give_all_and_can_be_run_twice(bare_url: str) -> None:
    printed = pbxapi("rights", "--sql", PBXAPI_DATABASE_URL=bare_url)
    assert printed.returncode == 0
    statements = [line for line in printed.stdout.splitlines() if not line.startswith("create role pbxapi ")]
    superuser(bare_url, *statements)
    again = [line for line in statements if not line.startswith("create schema")]
    superuser(bare_url, *again)
    assert pbxapi("rights", PBXAPI_DATABASE_URL=bare_url).stdout == "nothing is missing\n"


def test_a_superuser_lacks_nothing(bare_url: str) -> None:
    database = Database(bare_url)
    registry = load_registry(Config(database_url=bare_url), database)
    with database.reading() as session:
        assert read_rights(session, registry, "postgres") == []
    database.close()


def test_the_role_makes_its_tables_itself_once_it_has_its_schema(bare_url: str) -> None:
    role = Database(url_of_role(bare_url))
    with pytest.raises(MigrationError, match="may not make the schema pbxapi: run pbxapi rights --apply"):
        migrate(role, builtin_migrations())
    give_rights(bare_url, Config(database_url=bare_url))
    assert migrate(role, builtin_migrations()) == builtin_migrations()
    assert migrate(role, builtin_migrations()) == []
    role.close()


def test_tables_that_a_superuser_made_become_the_roles_own(bare_url: str) -> None:
    database = Database(bare_url)
    migrate(database, builtin_migrations())
    give_rights(bare_url, Config(database_url=bare_url))
    with database.reading() as session:
        assert [row["owner"] for row in session.rows(OWNERS)] == ["pbxapi"]
    database.close()


def test_what_a_plugin_of_somebody_elses_does_is_granted_too(
    bare_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its statements, and in the texts of its code."""
    place = tmp_path / "streams"
    (place / "sql").mkdir(parents=True)
    (place / "migrations").mkdir()
    (place / "migrations" / "0001_first.sql").write_text("create table heard (heard_uuid uuid primary key);")
    (place / "sql" / "list.sql").write_text(
        "select stream_uuid, stream_name from v_music_on_hold, v_streams where domain_uuid = %(domain_uuid)s"
    )
    (place / "plugin.py").write_text(
        '"""Not v_email_queue, which is only spoken of."""\n'
        "from pbxapi.plugin import Plugin, Record, Resource, Text\n"
        "class Stream(Record):\n"
        '    """Nor v_sip_profile_domains."""\n'
        "    stream_uuid = Text(dump_only=True)\n"
        "    stream_name = Text()\n"
        'KEEP = "update public.v_sip_profile_settings set sip_profile_setting_value = %(v)s"\n'
        "streams = Resource(name='streams', label='Stream', id='stream_uuid', schema=Stream, table='v_streams',\n"
        "                   standard=('list',))\n"
        "plugin = Plugin(name='streams', version='1.0.0', resources=(streams,))\n"
    )
    config = Config(database_url=bare_url, plugins_path=(tmp_path,))
    database = Database(bare_url)
    registry = load_registry(config, database, migrating=True)
    with database.reading() as session:
        granted = table_rights(registry, read_catalogue(session))
        schemas = [right.what for right in read_rights(session, registry) if right.what.startswith("schema ")]
    database.close()
    assert granted["v_streams"] == {"select"}
    assert granted["v_music_on_hold"] == {"select"}
    assert granted["v_sip_profile_settings"] == {"select", "update"}
    assert "v_email_queue" not in granted
    assert "v_sip_profile_domains" not in granted
    assert schemas == ["schema pbxapi as its own", "schema plugin_streams as its own"]
