"""Rounds: what is asked together is answered together, and a fault stops what comes after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

import psycopg
import pytest

from pbxapi.data.database import Database, DatabaseError
from pbxapi.data.rounds import Asked, Connection

HELD = """
select count(*) as held from pg_locks join pg_database on pg_database.oid = database
 where locktype = 'advisory' and datname = current_database() and granted
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with Connection.connect(database_url, autocommit=True) as connection:
        connection.execute("create temporary table note (text text not null, number int)")
        yield connection


def texts(connection: Connection) -> list[str]:
    return [row[0] for row in connection.execute("select text from note order by text")]


def prepared(connection: Connection) -> list[str]:
    return [row[0] for row in connection.execute("select name from pg_prepared_statements where not from_sql")]


def test_each_statement_has_its_own_answer(connection: Connection) -> None:
    uuid = UUID(int=7)
    insert = Asked("insert into note values ($1, $2), ($1, null)", ["one", 1])
    select = Asked("select text, number, $1::uuid as uuid, $2::jsonb as json from note", [uuid, {"a": [1]}])
    nothing = Asked("select text from note where false")
    connection.ask([insert, select, nothing])
    assert (insert.rows, insert.touched) == ([], 2)
    common = {"text": "one", "uuid": uuid, "json": {"a": [1]}}
    assert select.rows == [{**common, "number": 1}, {**common, "number": None}]
    assert nothing.rows == []


def test_a_round_outside_a_transaction_is_one_of_its_own(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        connection.ask([Asked("insert into note values ('one')"), Asked("insert into note values (null)")])
    assert texts(connection) == []


def test_what_comes_after_a_fault_does_not_run_and_the_connection_goes_on(connection: Connection) -> None:
    after = Asked("insert into note values ('after')")
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.ask([Asked("insert into note values ('before')"), Asked("select 1 / 0"), after])
    assert after.rows is None
    for _ in range(3):
        connection.ask([after])
    assert texts(connection) == ["after"] * 3


def test_a_value_that_cannot_be_said_sends_nothing(connection: Connection) -> None:
    with pytest.raises(psycopg.DataError):
        connection.ask([Asked("insert into note values ($1)", ["one"]), Asked("select $1", ["a\0b"])])
    connection.ask([Asked("insert into note values ($1)", ["two"])])
    assert texts(connection) == ["two"]


def test_what_comes_again_is_prepared_once_for_each_kind_of_values(connection: Connection) -> None:
    text = "select $1 as value"
    connection.ask([Asked(text, ["once"])])
    assert prepared(connection) == []
    for value in ("again", "and again", 1, 2, 3):
        asked = Asked(text, [value])
        connection.ask([asked, asked])
        assert asked.rows == [{"value": value}]
    assert len(prepared(connection)) == 2


def test_what_failed_while_it_was_prepared_is_prepared_the_next_time(connection: Connection) -> None:
    select, fault = Asked("select text from note"), Asked("select 1 / $1::int", [0])
    connection.ask([select])
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.ask([fault, select])
    connection.ask([select])
    assert select.rows == []


def test_a_connection_keeps_no_more_than_so_many_prepared_statements(connection: Connection) -> None:
    for _ in range(2):
        for number in range(0, 300, 2):
            asked = [Asked(f"select {n} as n") for n in (number, number + 1)]
            connection.ask([*asked, *asked])
            assert [one.rows for one in asked] == [[{"n": number}], [{"n": number + 1}]]
    assert len(prepared(connection)) <= 128


def test_a_large_round_gets_through_while_its_answers_come_back(connection: Connection) -> None:
    large = "x" * 200_000
    asked = [Asked("select $1::text as text, $2::int as n", [large, n]) for n in range(50)]
    connection.ask(asked)
    assert [one.rows for one in asked] == [[{"text": large, "n": n}] for n in range(50)]


def test_a_round_that_is_broken_off_ends_the_connection(connection: Connection) -> None:
    threading.Timer(0.3, connection.cancel).start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.ask([Asked("select pg_sleep(20)")])
    assert not connection.closed
    connection.pgconn.finish()
    with pytest.raises(psycopg.OperationalError):
        connection.ask([Asked("select 1")])


def test_what_is_asked_before_an_answer_is_looked_at_is_answered_in_the_same_round(database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as session:
        session.do("select pg_advisory_xact_lock(1)")
        first = session.ask("select now() as at")
        second = session.ask(HELD)
        with database.reading() as other:
            assert other.value(HELD) == 0, "not sent yet"
        assert second() == [{"held": 1}]
        assert first() == first()
        with pytest.raises(DatabaseError), session.nested():
            session.ask("select 1 / %(by)s as one", by=0)()
        assert session.value("select 1") == 1
    database.close()


def test_what_was_asked_in_a_part_that_was_undone_is_asked_again_when_it_is_looked_at(database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as session:
        with suppress(LookupError), session.nested():
            answer = session.ask("select 1 as one")
            session.do("create table public.undone (n int)")
            raise LookupError
        assert answer() == [{"one": 1}]
        assert session.value("select to_regclass('public.undone')") is None
    database.close()


def test_a_statement_sees_what_was_committed_while_the_lock_before_it_was_waited_for(database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as session:
        session.run("create table public.note (text text)")
    found: list[int] = []

    def second() -> None:
        with database.writing() as session:
            session.do("select pg_advisory_xact_lock(1)")
            found.append(session.value("select count(*) from public.note"))

    with database.writing() as first:
        first.run("select pg_advisory_xact_lock(1)")
        thread = threading.Thread(target=second)
        thread.start()
        with database.reading() as session:
            while not session.value(HELD.replace("and granted", "and not granted")):
                time.sleep(0.01)
        first.do("insert into public.note values ('one')")
    thread.join(timeout=20)
    assert found == [1]
    database.close()
