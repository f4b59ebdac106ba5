"""Events are written with what they tell, numbered after the commit, and read in that order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from pbxapi.data.database import Database
from pbxapi.data.events import last_position, note_event, number_events, payload, prune_events, read_events


@pytest.fixture
def database(database_url):
    database = Database(database_url, max_size=8)
    yield database
    database.close()


def tell(database, type="test.told", domain_uuid=None, **data):
    with database.writing() as session:
        return note_event(session, type, data, domain_uuid=domain_uuid)


def number(database, most=1000):
    with database.writing() as session:
        return number_events(session, most)


def read(database, after=0, **which):
    with database.reading() as session:
        return read_events(session, after, **{"domains": None, **which})


def test_an_event_that_is_committed_late_is_missed_by_nobody(database):
    with database.writing() as late:
        first = note_event(late, "test.late", {}, domain_uuid=None)
        late.value("select 1")
        second = tell(database)
        assert number(database) == 1
        assert [event["event_id"] for event in read(database)] == [second]
        seen = read(database)[-1]["position"]
    number(database)
    assert [event["event_id"] for event in read(database, after=seen)] == [first]


def test_an_event_of_a_write_that_is_undone_is_never_told(database):
    def write():
        with database.writing() as session:
            note_event(session, "test.told", {}, domain_uuid=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert number(database) == 0


def test_many_relays_give_each_event_one_position(database):
    for _ in range(60):
        tell(database)
    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(lambda _: number(database, most=7), range(30))) == 60
    assert [event["position"] for event in read(database)] == list(range(1, 61))


def test_positions_grow_on_after_everything_was_forgotten(database):
    tell(database)
    number(database)
    with database.writing() as session:
        session.run("update pbxapi.event set created_at = now() - interval '20 days'")
    with database.reading() as session:
        assert prune_events(session, 14) == 1
        assert last_position(session) == 1
    tell(database)
    number(database)
    assert read(database)[0]["position"] == 2


def test_events_are_read_by_type_and_by_domain(database):
    ours, theirs = uuid4(), uuid4()
    for type, domain in (
        ("call.started", ours),
        ("call.ended", theirs),
        ("gateway_x.up", None),
        ("call.up", ours),
    ):
        tell(database, type, domain)
    number(database)
    assert [e["type"] for e in read(database, types=["call.*"])] == ["call.started", "call.ended", "call.up"]
    assert [e["type"] for e in read(database, types=["*.up"], domains=[ours])] == ["call.up"]
    assert [e["type"] for e in read(database, types=["gateway-x.*", "gateway%"])] == []
    assert len(read(database, domains=[])) == 0


def test_a_payload_says_what_when_in_which_order_and_whose(database):
    domain = database_domain(database)
    event_id = tell(database, "test.told", domain, number="1001")
    number(database)
    (event,) = read(database)
    told = payload(event)
    assert told["id"] == str(event_id)
    assert told["type"] == "test.told"
    assert told["sequence"] == 1
    assert told["domain"] == {"uuid": str(domain), "name": "pbx.example.com"}
    assert told["data"] == {"number": "1001"}
    assert told["timestamp"].endswith("Z")


def database_domain(database):
    with database.reading() as session:
        return session.value("select domain_uuid from v_domains where domain_name = 'pbx.example.com'")
