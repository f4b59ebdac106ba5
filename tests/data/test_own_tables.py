"""Our own tables, after all migrations and those of the example plugin: fit for replication, hung on nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxapi.config import Config
from pbxapi.data.database import Database, Session
from pbxapi.plugin.loader import migrate_all
from pbxapi.sandbox.database import create_schema, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]

OWN = "n.nspname not in ('public', 'pg_catalog', 'information_schema', 'pg_toast')"
FOREIGN = "(select oid from pg_class where relnamespace = 'public'::regnamespace)"


@pytest.fixture(scope="module")
def session(postgres: EmbeddedPostgres) -> Iterator[Session]:
    with scratch_database(postgres, "template1") as url:
        create_schema(url)
        database = Database(url)
        before = shape(database)
        config = Config(
            database_url=url, plugins_path=(ROOT / "docs" / "plugins" / "example" / "pbxapi_callbacks",)
        )
        migrate_all(config, database)
        assert shape(database) == before, "FusionPBX's schema is as it was"
        with database.reading() as session:
            yield session
        database.close()


def shape(database: Database) -> list[object]:
    """All that is in schema public."""
    with database.reading() as session:
        assert session.value("select 'public'::regnamespace::oid") == 2200
        return [
            session.rows(f"{text} order by 1")
            for text in (
                "select relname, relkind::text, relhastriggers from pg_class where relnamespace = 2200",
                "select proname from pg_proc where pronamespace = 2200",
                "select typname from pg_type where typnamespace = 2200",
            )
        ]


def found(session: Session, what: str) -> list[str]:
    return [row["name"] for row in session.rows(what)]


def test_there_are_tables_of_ours_in_schemas_of_ours_alone(session: Session) -> None:
    names = found(session, f"select distinct n.nspname as name from pg_namespace as n where {OWN} order by 1")
    assert [name for name in names if not name.startswith(("pg_temp", "pg_toast_temp"))] == [
        "pbxapi",
        "plugin_callbacks",
    ]
    tables = (
        "select c.oid::regclass::text as name from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
    )
    assert len(found(session, f"{tables} where {OWN} and c.relkind = 'r'")) >= 10


def relations(condition: str) -> str:
    return (
        "select c.oid::regclass::text as name from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        f" where {OWN} and {condition}"
    )


@pytest.mark.parametrize(
    "select",
    [
        pytest.param(select, id=what)
        for what, select in {
            "without a primary key a row could be neither changed nor deleted": relations(
                "c.relkind in ('r', 'p')"
                " and not exists (select from pg_index as i where i.indrelid = c.oid and i.indisprimary)"
            ),
            "a unique constraint holds per node only, and a conflict stops the replication of the PBX": (
                "select indexrelid::regclass::text as name from pg_index where indisunique and not indisprimary"
                " and indrelid in (select oid from pg_class where relnamespace = 'pbxapi'::regnamespace)"
            ),
            "a sequence counts per node": relations("c.relkind = 'S'"),
            "views block FusionPBX's changes of types": relations("c.relkind in ('v', 'm')"),
            "unlogged tables are not replicated": relations("c.relkind = 'r' and c.relpersistence <> 'p'"),
            "FusionPBX's schema check goes by names alone, in all schemas": relations(
                "c.relkind not in ('i', 'I') and c.relname ~ '^(v|view)_'"
            ),
            "a foreign key to FusionPBX's tables makes its deletes fail or cascade": (
                f"select conname as name from pg_constraint where confrelid in {FOREIGN}"
            ),
            "a trigger on FusionPBX's tables is dumped without its function": (
                f"select tgname as name from pg_trigger where tgrelid in {FOREIGN}"
            ),
            "what depends on a column of FusionPBX's blocks its upgrade": (
                "select distinct pg_describe_object(classid, objid, objsubid) as name from pg_depend"
                f" where refclassid = 'pg_class'::regclass and refobjid in {FOREIGN} and refobjsubid > 0"
                " and classid in ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_attrdef'::regclass)"
            ),
        }.items()
    ],
)
def test_there_is_nothing_that_replication_or_an_upgrade_falls_over(session: Session, select: str) -> None:
    assert found(session, select) == []


def test_what_would_be_found_is_found(session: Session) -> None:
    """The same questions, over what a careless migration would do."""
    session.run("create table pbxapi.v_keyless (n serial, u uuid unique references v_domains)")
    try:
        assert "pbxapi.v_keyless" in found(session, relations("c.relname ~ '^(v|view)_'"))
        assert "pbxapi.v_keyless_n_seq" in found(session, relations("c.relkind = 'S'"))
        assert found(session, "select conname as name from pg_constraint where confrelid in " + FOREIGN)
    finally:
        session.run("drop table pbxapi.v_keyless")
