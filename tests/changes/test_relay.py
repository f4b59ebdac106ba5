"""The relay by itself: what calls it must not keep it from its work."""

from __future__ import annotations

import pytest

from pbxapi.changes import relay
from pbxapi.data.database import Database, Session
from pbxapi.data.events import note_event, number_events


@pytest.fixture
def database(database_url: str):
    database = Database(database_url)
    yield database
    database.close()


def fresh(database: Database) -> int:
    with database.reading() as session:
        return int(session.value("select count(*) from pbxapi.event where position is null"))


def tell(database: Database, count: int) -> None:
    with database.writing() as session:
        for number in range(count):
            note_event(session, "test.told", {"number": number}, domain_uuid=None)


def test_events_that_come_without_end_do_not_keep_nodes_from_being_woken(
    database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = 0

    def number(session: Session, most: int) -> int:
        nonlocal passes
        passes += 1
        assert passes < 5, "it numbers for ever"
        numbered = number_events(session, most)
        tell(database, 1)  # committed while the others got their positions
        return numbered

    monkeypatch.setattr(relay, "number_events", number)
    tell(database, 3)
    relay.Relay(database, redis_url, 14)._number()
    assert (passes, fresh(database)) == (1, 1)


def test_a_burst_of_events_is_numbered_in_one_go(
    database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_NUMBERED", 10)
    tell(database, 35)
    relay.Relay(database, redis_url, 14)._number()
    assert fresh(database) == 0


def test_looking_for_what_waits_stays_cheap_however_much_has_been_done(database: Database) -> None:
    """Done thousands of times over between two vacuums, and then vacuumed as the tables' own settings have it."""

    def pages() -> int:
        with database.reading() as session:
            (plan,) = session.rows("explain (analyze, buffers, format json) " + relay._NODES_WITH_WORK)
            counts = plan["QUERY PLAN"][0]["Plan"]
        return int(counts["Shared Hit Blocks"]) + int(counts["Shared Read Blocks"])

    with database.writing() as session:
        session.run("insert into pbxapi.node (name) values ('a'), ('b')")
    with database.reading() as session:
        for _ in range(3):
            session.run(
                "with noted as (insert into pbxapi.change (change_id, resource, action)"
                " select gen_random_uuid(), 'extensions', 'update' from generate_series(1, 5000)"
                " returning change_id)"
                " insert into pbxapi.change_node (change_id, node) select change_id, name from noted, pbxapi.node"
            )
            session.run("update pbxapi.change_node set state = 'applied' where state = 'pending'")
        walked = pages()
        session.run("vacuum pbxapi.change_node")
    assert pages() < min(walked, 20)
    with database.reading() as session:
        settings = session.rows(
            "select relname, reloptions from pg_class where relname = any(%(names)s) order by relname",
            names=["change_node", "event", "job", "webhook_delivery"],
        )
    assert len(settings) == 4
    for table in settings:
        assert {"autovacuum_vacuum_scale_factor=0.01", "vacuum_index_cleanup=on"} <= {*table["reloptions"]}


def test_what_is_old_is_forgotten_a_little_in_each_round(
    database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_PRUNED", 10)
    tell(database, 25)
    watch = relay.Relay(database, redis_url, 14)
    watch._number()
    with database.reading() as session:
        session.run("update pbxapi.event set created_at = now() - interval '20 days'")
        rounds = []
        for _ in range(3):
            more = watch._prune(session)
            rounds.append((more, session.value("select count(*) from pbxapi.event")))
    assert rounds == [(True, 15), (True, 5), (False, 0)]
