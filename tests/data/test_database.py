"""Sessions: a lost connection costs no read, a write is whole or not at all, and nothing waits for ever."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlsplit

import psycopg
import pytest

from pbxapi.data.database import UNAVAILABLE, Database, DatabaseError, Session
from pbxapi.data.statements import parse_statement
from pbxapi.sandbox.postgres import EmbeddedPostgres

END_ALL = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
 where application_name = 'victim' and pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this module's own, which it stops and kills."""
    with EmbeddedPostgres.temporary() as postgres:
        yield postgres


@pytest.fixture
def database(server: EmbeddedPostgres) -> Iterator[Database]:
    server.start()
    database = Database(server.url, name="victim")
    with database.writing() as session:
        session.run("drop table if exists note")
        session.run("create table note (text text)")
    yield database
    database.close()


def notes(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.url) as connection:
        return [row[0] for row in connection.execute("select text from note order by text").fetchall()]


def end_all_connections(server: EmbeddedPostgres) -> None:
    """What a restart, a firewall or an administrator does."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(END_ALL)
    time.sleep(0.05)


def fill_pool(database: Database) -> None:
    """Have as many idle connections as the pool holds."""
    together = Barrier(4)

    def use() -> None:
        with database.reading() as session:
            session.value("select 1")
            together.wait(timeout=10)

    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(use) for _ in range(4)]:
            future.result()


def test_a_read_after_its_connection_was_lost_works(server: EmbeddedPostgres, database: Database) -> None:
    fill_pool(database)
    for _ in range(3):
        end_all_connections(server)
        with database.reading() as session:
            assert session.value("select 1") == 1


def test_a_write_after_its_connection_was_lost_works_and_is_written_once(
    server: EmbeddedPostgres, database: Database
) -> None:
    fill_pool(database)
    end_all_connections(server)
    with database.writing() as session:
        assert session.run("insert into note values ('one')") == 1
        assert session.run("insert into note values ('two')") == 1
    assert notes(server) == ["one", "two"]


def test_reads_work_after_postgresql_was_restarted(server: EmbeddedPostgres, database: Database) -> None:
    fill_pool(database)
    server.stop()
    server.start()
    for _ in range(6):
        with database.reading() as session:
            assert session.value("select 1") == 1


def test_reads_work_after_postgresql_was_killed(server: EmbeddedPostgres, database: Database) -> None:
    fill_pool(database)
    server.kill()
    server.start()
    with database.reading() as session:
        assert session.value("select count(*) from note") == 0


def test_a_write_whose_connection_is_lost_on_the_way_leaves_nothing(
    server: EmbeddedPostgres, database: Database
) -> None:
    def write() -> None:
        with database.writing() as session:
            session.run("insert into note values ('half')")
            end_all_connections(server)
            session.run("insert into note values ('whole')")

    with pytest.raises(UNAVAILABLE):
        write()
    assert notes(server) == []
    with database.writing() as session:
        session.run("insert into note values ('later')")
    assert notes(server) == ["later"]


def test_a_write_whose_connection_is_lost_before_the_commit_leaves_nothing(
    server: EmbeddedPostgres, database: Database
) -> None:
    def write() -> None:
        with database.writing() as session:
            session.run("insert into note values ('half')")
            end_all_connections(server)

    with pytest.raises(UNAVAILABLE):
        write()
    assert notes(server) == []


def test_a_write_that_raises_leaves_nothing(server: EmbeddedPostgres, database: Database) -> None:
    def write() -> None:
        with database.writing() as session:
            session.run("insert into note values ('half')")
            raise LookupError("changed my mind")

    with pytest.raises(LookupError, match="changed my mind"):
        write()
    assert notes(server) == []


def test_a_write_with_a_statement_that_fails_leaves_nothing(server: EmbeddedPostgres, database: Database) -> None:
    def write() -> None:
        with database.writing() as session:
            session.run("insert into note values ('half')")
            session.run("insert into nowhere values (1)")

    with pytest.raises(psycopg.errors.UndefinedTable):
        write()
    assert notes(server) == []
    with database.reading() as session:
        assert session.value("select 1") == 1


def test_others_see_a_write_when_it_is_whole(server: EmbeddedPostgres, database: Database) -> None:
    with database.writing() as session:
        session.run("insert into note values ('one')")
        assert notes(server) == []
        session.run("insert into note values ('two')")
        assert notes(server) == []
    assert notes(server) == ["one", "two"]


def test_an_absent_database_is_told_within_seconds_and_without_its_password(
    server: EmbeddedPostgres, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    began = time.monotonic()
    with pytest.raises(UNAVAILABLE) as caught, database.reading() as session:
        session.value("select 1")
    assert time.monotonic() - began < 8
    password = urlsplit(server.url).password
    assert password
    assert password not in str(caught.value) + caplog.text
    server.start()
    with database.reading() as session:
        assert session.value("select 1") == 1


def test_a_statement_that_takes_too_long_is_ended(server: EmbeddedPostgres) -> None:
    database = Database(server.url, statement_ms=200)
    with pytest.raises(UNAVAILABLE), database.reading() as session:
        session.value("select pg_sleep(30)")
    with database.reading() as session:
        assert session.value("select 1") == 1
    database.close()


def test_a_lock_that_somebody_keeps_is_not_waited_for_for_ever(
    server: EmbeddedPostgres, database: Database
) -> None:
    with database.writing() as session:
        session.run("insert into note values ('mine')")
    with database.writing() as holder:
        holder.run("update note set text = 'held'")
        began = time.monotonic()
        with pytest.raises(UNAVAILABLE), database.writing() as session:
            session.run("update note set text = 'other'")
        assert time.monotonic() - began < 5
    assert notes(server) == ["held"]


def test_a_read_waits_for_no_writer(database: Database) -> None:
    with database.writing() as holder:
        holder.run("lock table note in exclusive mode")
        with database.reading() as session:
            assert session.value("select count(*) from note") == 0


def test_a_pool_that_is_empty_is_told_within_seconds(server: EmbeddedPostgres) -> None:
    database = Database(server.url, max_size=1)
    with database.reading() as first:
        first.value("select 1")
        began = time.monotonic()
        with pytest.raises(UNAVAILABLE), database.reading() as second:
            second.value("select 1")
        assert time.monotonic() - began < 8
    database.close()


def test_a_resting_session_gives_its_connection_to_others(server: EmbeddedPostgres) -> None:
    database = Database(server.url, max_size=1)
    with database.reading() as first:
        first.value("select 1")
        first.rest()
        with database.reading() as second:
            assert second.value("select 2") == 2
        assert first.value("select 1") == 1
    database.close()


def test_a_session_that_is_not_used_takes_no_connection(server: EmbeddedPostgres) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with database.writing(), database.reading():
        pass
    database.close()


def _in_a_child(database: Database, answers: multiprocessing.Queue[int]) -> None:
    with database.reading() as session:
        answers.put(session.value("select pg_backend_pid()"))
    database.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(server: EmbeddedPostgres) -> None:
    database = Database(server.url, max_size=1)
    with database.reading() as session:
        own = session.value("select pg_backend_pid()")
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[int] = fork.Queue()
    child = fork.Process(target=_in_a_child, args=(database, answers))
    child.start()
    assert answers.get(timeout=20) != own
    child.join(timeout=20)
    with database.reading() as session:
        assert session.value("select pg_backend_pid()") == own
    database.close()


def test_values_never_become_part_of_a_statement(database: Database) -> None:
    nasty = "'; drop table note; --"
    with database.writing() as session:
        session.run("insert into note values (%(text)s)", text=nasty)
    with database.reading() as session:
        assert session.value("select text from note where text = %(text)s", text=nasty) == nasty


def test_a_part_that_fails_is_undone_by_itself(server: EmbeddedPostgres, database: Database) -> None:
    def add(session: Session, text: str, *then: str) -> None:
        with session.nested():
            session.do(f"insert into note values ('{text}')")
            for statement in then:
                session.do(statement)  # nobody waits for it

    with database.writing() as session:
        add(session, "one")
        with pytest.raises(DatabaseError):
            add(session, "half", "insert into note values (1 / 0)")
        add(session, "two")
    assert notes(server) == ["one", "two"]


def test_what_a_session_answers(database: Database) -> None:
    statement = parse_statement("get", "select %(a)s::int as a, null as b where %(a)s > 0", "x/get.sql")
    with database.reading() as session:
        assert session.rows(statement, a=1) == [{"a": 1, "b": None}]
        assert session.row(statement, a=0) is None
        assert session.value(statement, a=2) == 2
        assert session.value(statement, a=0) is None
        assert session.statements_run == 4


def test_rows_come_one_by_one_from_a_stream(database: Database) -> None:
    with database.reading() as session:
        rows = session.stream("select n from generate_series(1, %(most)s) as n", most=2000)
        assert next(rows) == {"n": 1}
        assert sum(row["n"] for row in rows) == 2000 * 2001 // 2 - 1


def test_time_is_utc(database: Database) -> None:
    with database.reading() as session:
        assert session.value("show timezone") == "UTC"
