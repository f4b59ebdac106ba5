"""Large totals: remembered for a moment, and never older than the caller's own last write."""

from __future__ import annotations

import time

import psycopg
import pytest

from pbxapi.data import totals
from pbxapi.data.totals import Totals
from pbxapi.sandbox.sample import DOMAIN_UUID
from pbxapi.testing import Client, Pbx


class Counting:
    def __init__(self, total: int, estimated: bool = False) -> None:
        self.total = total
        self.estimated = estimated
        self.times = 0

    def __call__(self) -> tuple[int, bool]:
        self.times += 1
        return self.total, self.estimated


def write_beside(pbx: Pbx) -> None:
    """As a page of FusionPBX's does: on a connection that ends with it."""
    with psycopg.connect(pbx.superuser_url) as connection:
        connection.execute("update v_extensions set description = 'changed' where domain_uuid = %s", [DOMAIN_UUID])


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    return clock


def ask(pbx: Pbx, known: Totals, count: Counting) -> int:
    with pbx.database.reading() as session:
        return known.get(session, DOMAIN_UUID, "list", ["v_extensions", "a_name_that_is_no_table"], count)[0]


def test_a_large_total_is_counted_again_two_seconds_after_somebody_else_wrote(pbx: Pbx, now: list[float]) -> None:
    known, count = Totals(), Counting(5_000)
    for _ in range(5):
        assert ask(pbx, known, count) == 5_000
    assert count.times == 2
    count.total = 5_001
    write_beside(pbx)
    now[0] += totals.SECONDS
    # PostgreSQL 13 and 14 take half a second until they tell of it.
    end = time.time() + 10
    while (told := ask(pbx, known, count)) == 5_000 and time.time() < end:
        time.sleep(0.1)
    assert told == 5_001


def test_a_large_total_that_nobody_changes_is_counted_once_a_minute(pbx: Pbx, now: list[float]) -> None:
    known, count = Totals(), Counting(5_000)
    for _ in range(2):
        ask(pbx, known, count)
    now[0] += totals.SECONDS_MOST - 1
    ask(pbx, known, count)
    assert count.times == 2
    count.total = 5_001
    now[0] += 1
    assert ask(pbx, known, count) == 5_001


def test_an_estimate_is_good_for_a_minute_whatever_others_write(pbx: Pbx, now: list[float]) -> None:
    known, count = Totals(), Counting(200_000, estimated=True)
    for _ in range(2):
        ask(pbx, known, count)
    write_beside(pbx)
    now[0] += totals.SECONDS_MOST - 1
    ask(pbx, known, count)
    assert count.times == 2


def test_a_total_over_a_view_is_believed_for_two_seconds(pbx: Pbx, now: list[float]) -> None:
    with psycopg.connect(pbx.superuser_url, autocommit=True) as connection:
        connection.execute("create view shown as select extension_uuid from v_extensions")
        connection.execute("grant select on shown to public")
    known, count = Totals(), Counting(5_000)
    with pbx.database.reading() as session:
        for _ in range(2):
            known.get(session, DOMAIN_UUID, "list", ["shown"], count)
        now[0] += totals.SECONDS
        known.get(session, DOMAIN_UUID, "list", ["shown"], count)
    assert count.times == 3


def test_a_write_through_the_api_makes_a_total_void_at_once(pbx: Pbx, client: Client, now: list[float]) -> None:
    known, count = Totals(), Counting(5_000)
    for _ in range(3):
        ask(pbx, known, count)
    client.create("extensions", extension="7001")
    count.total = 5_001
    assert ask(pbx, known, count) == 5_001


def test_a_change_that_is_committed_late_makes_a_total_void(pbx: Pbx, client: Client, now: list[float]) -> None:
    known, count = Totals(), Counting(5_000)
    client.create("extensions", extension="7001")
    for _ in range(3):
        ask(pbx, known, count)
    client.create("extensions", extension="7002")
    pbx.run(
        "update pbxapi.change set created_at = created_at - interval '20 s'"
        " where change_id = (select change_id from pbxapi.change order by created_at desc limit 1)"
    )
    count.total = 5_001
    assert ask(pbx, known, count) == 5_001


def test_a_small_total_is_always_counted(pbx: Pbx) -> None:
    known, count = Totals(), Counting(totals.LARGE - 1)
    for _ in range(3):
        ask(pbx, known, count)
    assert count.times == 3


def test_a_list_shows_its_own_last_write(pbx: Pbx, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "LARGE", 1)

    def total() -> int:
        return int(client.call("extensions", "list").body["pagination"]["total"])

    before = total()
    assert total() == before
    made = client.create("extensions", extension="7001")
    assert total() == before + 1
    client.delete("extensions", made)
    assert total() == before
