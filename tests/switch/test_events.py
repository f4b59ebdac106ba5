"""The reader of events: it hears all, waits for nobody, finds a dead connection, and owns up to what it missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.switch.connection import Place
from pbxapi.switch.event_socket import EventSocket
from pbxapi.switch.events import EventReader, Gap, Heard, Inbox, Item, Pace, SwitchEvent

QUICK = Pace(echo=0.1, answer=0.4, connect=0.5, pause=0.05, pause_most=0.2, steady=1.0, poll=0.05)
WANTED = {"CHANNEL_CREATE": ["Unique-ID"], "sofia::register": ["from-user", "realm"]}

Start = Callable[..., Inbox]


@pytest.fixture
def start(simulator: SwitchSimulator) -> Iterator[Start]:
    """Starts a reader of the simulator and waits until it hears; its inbox."""
    readers: list[EventReader] = []

    def begin(inbox: Inbox | None = None, pace: Pace = QUICK) -> Inbox:
        inbox = inbox or Inbox()
        place = Place(simulator.host, simulator.port, simulator.password)
        reader = EventReader(place, WANTED, inbox, pace)
        readers.append(reader)
        reader.start()
        assert isinstance(wait_for(inbox, Gap)[-1], Gap)
        return inbox

    yield begin
    for reader in readers:
        reader.stop()
    for reader in readers:
        reader.join(5)
        assert not reader.is_alive()


def wait_for(inbox: Inbox, kind: type, count: int = 1, seconds: float = 10) -> list[Item]:
    """What is heard until there are some items of a kind."""
    heard: list[Item] = []
    end = time.monotonic() + seconds
    while sum(isinstance(item, kind) for item in heard) < count:
        assert time.monotonic() < end, f"heard only {heard}"
        heard += inbox.take(1 if kind is Gap else 1000, 0.2)
    return heard


def events(items: list[Item]) -> list[SwitchEvent]:
    return [item for item in items if isinstance(item, SwitchEvent)]


def test_events_come_with_the_headers_that_were_asked_for_and_no_others(
    simulator: SwitchSimulator, start: Start
) -> None:
    inbox = start()
    uuid = simulator.start_call(caller="101")
    simulator.answer_call(uuid)  # not subscribed to
    simulator.register("101", "pbx.example.com")
    created, registered = events(wait_for(inbox, SwitchEvent, 2))
    assert (created.name, dict(created.headers)) == ("CHANNEL_CREATE", {"Unique-ID": uuid})
    assert (registered.name, dict(registered.headers)) == (
        "sofia::register",
        {"from-user": "101", "realm": "pbx.example.com"},
    )


def test_the_switch_sends_nothing_that_is_not_wanted(simulator: SwitchSimulator, start: Start) -> None:
    start()
    (subscription,) = [command for command in simulator.commands if command.startswith("event ")]
    assert subscription == "event plain CHANNEL_CREATE CUSTOM pbxapi::echo sofia::register"


def test_values_are_bounded_and_can_be_stored(simulator: SwitchSimulator, start: Start) -> None:
    inbox = start()
    simulator.register("1" * 2000, "caf\udce9.example.com\u2028x")
    (event,) = events(wait_for(inbox, SwitchEvent))
    assert event.headers["from-user"] == "1" * 500
    assert event.headers["realm"] == "caf\ufffd.example.com\u2028x"


def test_the_longest_time_until_a_loss_is_found_is_below_fifteen_seconds() -> None:
    assert Pace().found_within < 15
    assert Pace().found_within == 13


def leave(_: SwitchSimulator) -> None:
    """The fault is over by itself."""


FAULTS: dict[str, tuple[Callable[[SwitchSimulator], None], Callable[[SwitchSimulator], None]]] = {
    "cut": (SwitchSimulator.drop_connections, leave),
    "half-open": (SwitchSimulator.freeze_connections, leave),
    "hanging": (SwitchSimulator.mute, SwitchSimulator.unmute),
    "without events": (
        lambda switch: switch.withhold_events(True),
        lambda switch: switch.withhold_events(False),
    ),
    "away": (SwitchSimulator.go_away, SwitchSimulator.come_back),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_connection_is_found_in_time_and_what_was_missed_is_a_gap(
    simulator: SwitchSimulator, start: Start, fault: str
) -> None:
    strike, mend = FAULTS[fault]
    inbox = start()
    wait_for(inbox, Heard)
    struck = time.time()
    strike(simulator)
    threading.Timer(0.6, mend, [simulator]).start()
    heard = wait_for(inbox, Gap)
    gap = heard[-1]
    assert isinstance(gap, Gap)
    assert gap.since is not None
    assert struck - 1 < gap.since < gap.until
    assert gap.until >= struck
    # Found, mended, connected and subscribed again: each within its own bound.
    assert gap.until - struck < QUICK.found_within + 0.6 + QUICK.pause_most + QUICK.connect
    assert gap.reason
    after = simulator.start_call()
    assert events(wait_for(inbox, SwitchEvent))[-1].headers["Unique-ID"] == after


def test_a_switch_that_was_started_again_says_so(simulator: SwitchSimulator, start: Start) -> None:
    inbox = start()
    wait_for(inbox, Heard)
    simulator._core_uuid = "0b6bd3a2-6f2b-4f4f-8a9a-1d6a6a6f0001"  # a process of its own has one of its own
    simulator.drop_connections()
    gap = wait_for(inbox, Gap)[-1]
    assert isinstance(gap, Gap)
    assert gap.reason == "the switch was started again"


def test_attempts_become_rare_while_the_switch_is_away(simulator: SwitchSimulator, start: Start) -> None:
    inbox = start(pace=Pace(echo=0.1, answer=0.4, connect=0.5, pause=0.1, pause_most=30.0, poll=0.05))
    attempts: list[float] = []
    accepts = simulator.accepts

    def refuse(password: str) -> bool:
        attempts.append(time.monotonic())
        return False

    simulator.accepts = refuse  # type: ignore[method-assign]
    simulator.drop_connections()
    time.sleep(1.2)
    simulator.accepts = accepts  # type: ignore[method-assign]
    # Pauses of at least 0.05, 0.1, 0.2, 0.4, 0.8 s: there is no room for more than five attempts.
    assert 2 <= len(attempts) <= 5
    pauses = [later - earlier for earlier, later in pairwise(attempts)]
    assert pauses[-1] > pauses[0]
    gap = wait_for(inbox, Gap, seconds=15)[-1]
    assert isinstance(gap, Gap)
    assert gap.reason == "the connection was lost"


def test_a_flood_of_events_is_heard_whole_while_commands_are_answered(
    simulator: SwitchSimulator, start: Start
) -> None:
    inbox = start()
    socket = EventSocket(simulator.host, simulator.port, simulator.password)
    flood = threading.Thread(
        target=lambda: [simulator.fire("CHANNEL_CREATE", {"Unique-ID": str(n)}) for n in range(3000)]
    )
    flood.start()
    answers = [socket.api("hostname") for _ in range(20)]
    flood.join()
    socket.close()
    assert answers == ["pbx1"] * 20
    heard = [event.headers["Unique-ID"] for event in events(wait_for(inbox, SwitchEvent, 3000, seconds=30))]
    assert heard == [str(n) for n in range(3000)]


def test_an_inbox_that_nobody_empties_never_blocks_and_owns_up(simulator: SwitchSimulator, start: Start) -> None:
    inbox = start(Inbox(most=10))
    calls = [simulator.start_call() for _ in range(30)]
    end = time.monotonic() + 10
    while inbox._spilt is None or inbox._spilt[1] == inbox._spilt[0]:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    kept = [event.headers["Unique-ID"] for event in events(inbox.take(100, 0))]
    assert kept == calls[: len(kept)]
    assert len(kept) <= 10
    last = inbox.take(1, 0)[-1]
    assert isinstance(last, Gap)
    assert last.since is not None
    assert last.since <= last.until
    assert last.reason == "more events than could be kept"
    after = simulator.start_call()
    assert events(wait_for(inbox, SwitchEvent))[-1].headers["Unique-ID"] == after


def test_signs_of_life_do_not_pile_up() -> None:
    inbox = Inbox()
    for moment in range(5):
        inbox.put(Heard(float(moment)))
    assert inbox.take(100, 0) == [Heard(4.0)]


def test_the_switch_ends_the_connection_of_one_who_reads_nothing(simulator: SwitchSimulator) -> None:
    """What docs/switch.md says of slow clients, and why the reader does nothing but read."""
    simulator.events_most = 5
    link = Place(simulator.host, simulator.port, simulator.password).open(time.monotonic() + 2)
    link.connection.sendRecv("event plain CHANNEL_CREATE")
    payload = {"Unique-ID": "x" * 100_000}
    for _ in range(1500):
        simulator.fire("CHANNEL_CREATE", payload)
    end = time.monotonic() + 10
    while link.connection.connected() and time.monotonic() < end:
        link.connection.recvEventTimed(100)
    assert not link.connection.connected()
    link.drop()
