"""Services of plugins: one process at a time has its turn, a fallen one begins again, events wake it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pbxapi.changes.services import start_services
from pbxapi.data.events import note_event, number_events
from pbxapi.plugin import Plugin, Service, ServiceRun
from pbxapi.plugin.loader import LoadedPlugin
from pbxapi.testing import Pbx


@contextmanager
def serving(pbx: Pbx, run: Callable[[ServiceRun], None]) -> Iterator[threading.Event]:
    """One process that offers the service; the event ends it."""
    loaded = LoadedPlugin(
        "example", "here", False, Plugin(name="example", version="1", services={"s": Service(run)})
    )
    stopping = threading.Event()
    threads = start_services(pbx.database, loaded, stopping)
    yield stopping
    stopping.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def soon(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def until_the_end(run: ServiceRun) -> None:
    while not run.ended:
        run.wait(10)


def test_one_process_at_a_time_has_its_turn_and_another_takes_over(pbx: Pbx) -> None:
    turns: list[str] = []
    now: list[str] = []

    def named(name: str) -> Callable[[ServiceRun], None]:
        def run(turn: ServiceRun) -> None:
            turns.append(name)
            now.append(name)
            until_the_end(turn)
            now.remove(name)

        return run

    with serving(pbx, named("first")) as first:
        soon(lambda: turns == ["first"])
        with serving(pbx, named("second")):
            time.sleep(0.3)
            assert now == ["first"]
            first.set()
            soon(lambda: now == ["second"])
    assert turns == ["first", "second"]


def test_who_loses_postgresql_loses_the_turn_and_has_another(pbx: Pbx) -> None:
    turns: list[ServiceRun] = []

    def run(turn: ServiceRun) -> None:
        turns.append(turn)
        until_the_end(turn)

    with serving(pbx, run):
        soon(lambda: turns)
        pbx.run("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1")
        soon(lambda: len(turns) == 2)
        assert turns[0].ended
        assert not turns[1].ended


def test_a_service_that_falls_is_started_again(pbx: Pbx, caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    def run(turn: ServiceRun) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError("the helpdesk is closed")
        until_the_end(turn)

    with serving(pbx, run):
        soon(lambda: len(runs) == 2)
    assert "the helpdesk is closed" in caplog.text


def test_events_wake_a_service(pbx: Pbx) -> None:
    woken: list[float] = []

    def run(turn: ServiceRun) -> None:
        woken.append(0)
        while not turn.ended:
            turn.wait(600)
            woken.append(1)

    with serving(pbx, run):
        soon(lambda: woken)
        time.sleep(0.2)
        with pbx.database.writing() as session:
            note_event(session, "test.told", {}, domain_uuid=None)
        with pbx.database.writing() as session:
            number_events(session)
        soon(lambda: len(woken) > 1)
