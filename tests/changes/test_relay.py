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
