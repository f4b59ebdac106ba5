"""Our own tables: each migration once, whole, by one process at a time; and never the wrong way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from pglast import ast as sql
from pglast import parse_sql
from pglast.enums import AlterTableType, ConstrType, ObjectType

from pbxapi.data.database import Database
from pbxapi.data.migrations import (
    Migration,
    MigrationError,
    builtin_migrations,
    migrate,
    pending_migrations,
    read_migrations,
)
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres

ONE = Migration("pbxapi", "0001_one", "create table pbxapi.one (n int)")
TWO = Migration("pbxapi", "0002_two", "create table pbxapi.two (n int); insert into pbxapi.two values (1)")


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database in which nothing is."""
    with scratch_database(postgres, "template1") as url:
        database = Database(url)
        yield database
        database.close()


def tables(database: Database) -> list[str]:
    with database.reading() as session:
        rows = session.rows("select tablename from pg_tables where schemaname = 'pbxapi' order by tablename")
    return [row["tablename"] for row in rows]


def test_what_is_missing_is_applied_in_order_and_once(empty: Database) -> None:
    assert pending_migrations(empty, [ONE, TWO]) == [ONE, TWO]
    assert migrate(empty, [ONE]) == [ONE]
    assert pending_migrations(empty, [ONE, TWO]) == [TWO]
    assert migrate(empty, [ONE, TWO]) == [TWO]
    assert migrate(empty, [ONE, TWO]) == []
    assert tables(empty) == ["migration", "one", "two"]


def test_looking_what_is_missing_changes_nothing(empty: Database) -> None:
    pending_migrations(empty, [ONE])
    assert tables(empty) == []


def test_of_many_processes_one_migrates_and_the_others_wait(empty: Database) -> None:
    slow = Migration("pbxapi", "0003_slow", "select pg_sleep(0.3); create table pbxapi.slow (n int)")
    together = Barrier(8)

    def start() -> list[Migration]:
        together.wait(timeout=10)
        return migrate(empty, [ONE, TWO, slow])

    with ThreadPoolExecutor(8) as threads:
        applied = [future.result() for future in [threads.submit(start) for _ in range(8)]]
    assert sorted(len(each) for each in applied) == [0] * 7 + [3]
    assert tables(empty) == ["migration", "one", "slow", "two"]


def test_a_migration_that_fails_leaves_nothing_of_itself_and_those_before_it(empty: Database) -> None:
    broken = Migration("pbxapi", "0002_broken", "create table pbxapi.half (n int); select 1 / 0")
    with pytest.raises(MigrationError, match="division by zero"):
        migrate(empty, [ONE, broken, TWO])
    assert tables(empty) == ["migration", "one"]
    assert migrate(empty, [ONE, TWO]) == [TWO]


def test_a_failed_migration_lets_the_next_process_in(empty: Database) -> None:
    broken = Migration("pbxapi", "0001_broken", "select 1 / 0")
    for _ in range(2):
        with pytest.raises(MigrationError, match="division by zero"):
            migrate(empty, [broken])


def test_a_file_that_changed_after_it_was_applied_is_refused(empty: Database) -> None:
    migrate(empty, [ONE])
    changed = replace(ONE, text=ONE.text + " -- better")
    with pytest.raises(MigrationError, match=r"pbxapi/0001_one was applied with other content"):
        migrate(empty, [changed, TWO])
    with pytest.raises(MigrationError):
        pending_migrations(empty, [changed])
    assert tables(empty) == ["migration", "one"]


def test_a_database_that_is_newer_than_the_program_is_refused(empty: Database) -> None:
    migrate(empty, [ONE, TWO])
    with pytest.raises(MigrationError, match=r"0002_two.*newer"):
        migrate(empty, [ONE])


def test_a_plugin_that_is_gone_leaves_its_migrations_alone(empty: Database) -> None:
    own = Migration("notes", "0001_notes", "create schema plugin_notes; create table plugin_notes.notes (n int)")
    migrate(empty, [ONE, own])
    assert migrate(empty, [ONE]) == []


def test_owners_may_use_the_same_names(empty: Database) -> None:
    other = Migration("notes", "0001_one", "create schema plugin_notes; create table plugin_notes.other (n int)")
    assert migrate(empty, [ONE, other]) == [ONE, other]


def test_the_products_own_migrations_apply_to_an_empty_database(empty: Database) -> None:
    applied = migrate(empty, builtin_migrations())
    assert applied == builtin_migrations()
    assert [m.name for m in applied] == sorted(m.name for m in applied)
    assert pending_migrations(empty, builtin_migrations()) == []


def test_the_products_own_migrations_leave_fusionpbxs_tables_alone(dump_url: str) -> None:
    select = """
    select table_name, column_name, data_type from information_schema.columns
     where table_schema = 'public' order by table_name, ordinal_position
    """
    database = Database(dump_url)
    with database.reading() as session:
        before = session.rows(select)
    migrate(database, builtin_migrations())
    with database.reading() as session:
        assert session.rows(select) == before
    database.close()


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("0002_b.sql", "0010_c.sql", "0001_a.sql", "notes.txt"):
        (tmp_path / name).write_text("select 1")
    assert [m.name for m in read_migrations("notes", tmp_path)] == ["0001_a", "0002_b", "0010_c"]


def narrowing(text: str) -> list[str]:
    """What a migration takes away from a version that still runs: it must go on reading and writing as it did."""
    found = []
    for raw in parse_sql(text):
        match raw.stmt:
            case sql.RenameStmt():
                found.append("renames")
            case sql.DropStmt() if raw.stmt.removeType != ObjectType.OBJECT_INDEX:
                found.append("drops")
            case sql.AlterTableStmt():
                for command in raw.stmt.cmds:
                    column = command.def_
                    if command.subtype == AlterTableType.AT_SetRelOptions:
                        continue  # how it is vacuumed; nobody reads that
                    if command.subtype != AlterTableType.AT_AddColumn:
                        found.append(AlterTableType(command.subtype).name)
                        continue
                    kinds = {constraint.contype for constraint in column.constraints or ()}
                    if ConstrType.CONSTR_NOTNULL in kinds and ConstrType.CONSTR_DEFAULT not in kinds:
                        found.append(f"wants {column.colname}")
    return found


@pytest.mark.parametrize("migration", builtin_migrations(), ids=lambda migration: migration.name)
def test_a_migration_only_adds_so_that_the_version_before_runs_on(migration: Migration) -> None:
    assert narrowing(migration.text) == []


@pytest.mark.parametrize(
    "text",
    [
        "alter table pbxapi.node drop column error",
        "alter table pbxapi.node add column place text not null",
        "alter table pbxapi.node alter column error type bytea using null",
        "alter table pbxapi.node alter column error set not null",
        "alter table pbxapi.node add constraint c check (error <> '')",
        "alter table pbxapi.node rename column error to fault",
        "drop table pbxapi.node",
    ],
)
def test_a_migration_that_takes_away_is_seen(text: str) -> None:
    assert len(narrowing(text)) == 1


def test_what_is_added_is_nothing_that_is_missed() -> None:
    assert narrowing("alter table a add column n int not null default 0, add column t text; drop index i") == []
    assert narrowing("alter table a set (vacuum_index_cleanup = on)") == []
