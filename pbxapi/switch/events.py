"""What FreeSWITCH tells of itself: its events, over a connection of their own that never carries a command.

A lost connection is found because the reader speaks to itself: every few seconds it fires an event of its own on
the switch and waits for it to come back. That goes through everything that an event of a call goes through (the
connection, the switch's queue, the subscription), so its absence shows a cut, a host that is gone without a word,
a switch that hangs, and one that answers commands but delivers nothing. Its return says more: all that was fired
before it has been delivered. FreeSWITCH's own HEARTBEAT comes every 20 s (switch_core.c), which is too seldom. Its
`Event-Sequence` counts all events, wanted or not, so that a jump in it means nothing with a narrow subscription.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pbxapi.errors import SwitchError, SwitchRefused
from pbxapi.switch.connection import Link, Place, clean

log = logging.getLogger(__name__)

ECHO = "pbxapi::echo"
"""Subclass of the event that the reader fires for itself."""

_VALUE_MOST = 500
"""Characters of a header's value that are kept."""


@dataclass(frozen=True)
class Pace:
    """How soon a lost connection is found, and how often a new one is tried; in seconds.

    Attributes:
        echo: between two events of our own.
        answer: that one may take to come back.
        connect: that connecting and subscribing may take.
        pause, pause_most: the first pause before another attempt, which doubles, and the longest; each is cut by
            chance to between a half and all of it, so that the workers of many nodes do not come at once.
        steady: that a connection must have stood for the pauses to begin anew.
        poll: that the reader waits for something to read before it looks at the time.
    """

    echo: float = 4.0
    answer: float = 8.0
    connect: float = 2.0
    pause: float = 0.5
    pause_most: float = 10.0
    steady: float = 30.0
    poll: float = 0.5

    @property
    def found_within(self) -> float:
        """After how long at most a connection that brings nothing any more is given up."""
        return self.echo + self.answer + 2 * self.poll


@dataclass(frozen=True)
class SwitchEvent:
    """An event.

    Attributes:
        name: such as CHANNEL_CREATE; the subclass of a CUSTOM event, such as sofia::register.
        headers: those that were asked for, as far as it has them.
        at: when it was heard, as time.time() gives it.
    """

    name: str
    headers: Mapping[str, str]
    at: float


@dataclass(frozen=True)
class Heard:
    """All that the switch fired before a moment has been delivered.

    Attributes:
        at: that moment, as time.time() gives it.
    """

    at: float


@dataclass(frozen=True)
class Gap:
    """A time in which events may have been missed; from its end on they come again.

    Attributes:
        since: when it began, as time.time() gives it; None where nothing was heard before.
        until: when it ended.
        reason: a few words; empty where nothing was heard before.
        switch_time: what the switch's clock said at its end, in seconds; None where events went on coming.
    """

    since: float | None
    until: float
    reason: str
    switch_time: float | None = None


Item = SwitchEvent | Heard | Gap


class Inbox:
    """Where the reader puts what it hears, and never waits: what finds no room becomes a gap.

    Args:
        most: events that have room.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._items: deque[Item] = deque()
        self._spilt: tuple[float, float] | None = None
        self._change = threading.Condition()

    def put(self, item: Item) -> None:
        """Add what was heard."""
        with self._change:
            if len(self._items) >= self._most and not isinstance(item, Gap):
                if isinstance(item, SwitchEvent):
                    self._spilt = (self._spilt[0] if self._spilt else item.at, item.at)
                return
            self._own_up()
            if isinstance(item, Heard) and self._items and isinstance(self._items[-1], Heard):
                self._items.pop()
            self._items.append(item)
            self._change.notify()

    def take(self, most: int, seconds: float) -> list[Item]:
        """What was heard, in its order; empty where nothing is within some seconds."""
        with self._change:
            if not self._items and self._spilt is None:
                self._change.wait(seconds)
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            if not self._items:
                self._own_up()
            return taken

    def _own_up(self) -> None:
        if self._spilt is not None:
            since, until = self._spilt
            self._items.append(Gap(since, until, "more events than could be kept"))
            self._spilt = None


class EventReader(threading.Thread):
    """Keeps a subscription, and puts what comes into an inbox; whatever else takes time is done elsewhere.

    Args:
        wanted: names of events, or subclasses (those with ``::``), each with the headers to keep.
        inbox: gets each event, a `Heard` every few seconds, and a `Gap` at the beginning of each subscription.
    """

    def __init__(
        self, place: Place, wanted: Mapping[str, Iterable[str]], inbox: Inbox, pace: Pace | None = None
    ) -> None:
        super().__init__(name="event-reader", daemon=True)
        self._place = place
        self._wanted = {name: tuple(headers) for name, headers in wanted.items()}
        self._inbox = inbox
        self._pace = pace or Pace()
        self._stop_wanted = threading.Event()
        self._heard_at: float | None = None
        self._core = ""
        self._lost_by: str | None = None

    def stop(self) -> None:
        """End soon."""
        self._stop_wanted.set()

    def run(self) -> None:
        """Subscribe, read, and again after a loss, until told to stop."""
        failures = 0
        while not self._stop_wanted.is_set():
            began = time.monotonic()
            try:
                self._read()
            except SwitchError as error:
                log.warning("no events: %s", error)
                self._lost_by = self._lost_by or str(error).removeprefix(f"{self._place}: ")
            failures = 1 if time.monotonic() - began > self._pace.steady else failures + 1
            pause = min(self._pace.pause * 2.0 ** (failures - 1), self._pace.pause_most)
            self._stop_wanted.wait(pause * random.uniform(0.5, 1.0))

    def _read(self) -> None:
        """One connection from its beginning to its end.

        Raises:
            SwitchError: it could not be made, or was lost.
        """
        link = self._place.open(time.monotonic() + self._pace.connect)
        try:
            self._subscribe(link)
            echo = _Echo(link, self._pace)
            while not self._stop_wanted.is_set():
                if echo.is_late():
                    raise self._place.unavailable("events no longer come")
                # It returns by itself where nothing comes, but not in the middle of something.
                with link.watchdog.until(time.monotonic() + self._pace.poll + self._pace.answer):
                    echo.send_if_due()
                    event = link.connection.recvEventTimed(int(self._pace.poll * 1000))
                if event is not None:
                    self._take(event, echo)
                elif not link.connection.connected():
                    raise self._place.unavailable("the connection was lost")
        finally:
            link.drop()

    def _subscribe(self, link: Link) -> None:
        names = [name for name in self._wanted if "::" not in name]
        subclasses = [ECHO, *(name for name in self._wanted if "::" in name)]
        with link.watchdog.until(time.monotonic() + self._pace.connect):
            answer = link.connection.sendRecv(f"event plain {' '.join([*names, 'CUSTOM', *subclasses])}")
        if answer is None:
            raise self._place.unavailable("no answer to the subscription")
        if not (reply := clean(answer.getHeader("Reply-Text"))).startswith("+OK"):
            raise SwitchRefused(f"{self._place}: event plain: {reply}")

    def _take(self, event: Any, echo: _Echo) -> None:
        name = event.getHeader("Event-Subclass") or event.getHeader("Event-Name") or ""
        if name == ECHO:
            sent_at = echo.take(event)
            if sent_at is not None:
                self._note_life(event, sent_at, first=echo.back == 1)
        elif name in self._wanted:
            values = ((header, event.getHeader(header)) for header in self._wanted[name])
            headers = {header: _storable(value) for header, value in values if value not in (None, "", "_undef_")}
            self._inbox.put(SwitchEvent(name, headers, time.time()))

    def _note_life(self, event: Any, sent_at: float, *, first: bool) -> None:
        if first:
            core = event.getHeader("Core-UUID") or ""
            restarted = self._core and core != self._core
            fired = float(event.getHeader("Event-Date-Timestamp") or 0) / 1e6
            why = "the switch was started again" if restarted else self._lost_by or ""
            self._inbox.put(Gap(self._heard_at, sent_at, why, fired))
            self._core, self._lost_by = core, None
            log.info("events come from %s", self._place)
        self._heard_at = sent_at
        self._inbox.put(Heard(sent_at))


class _Echo:
    """Our own event on its way through the switch, one at a time."""

    def __init__(self, link: Link, pace: Pace) -> None:
        self._link = link
        self._pace = pace
        self._name = uuid4().hex
        self._number = 0
        self._sent = float("-inf")
        self._sent_at = 0.0
        self.back = 0
        """How many have come back."""

    def send_if_due(self) -> None:
        if self.back == self._number and time.monotonic() - self._sent >= self._pace.echo:
            self._number += 1
            self._sent, self._sent_at = time.monotonic(), time.time()
            own = f"Event-Name: CUSTOM\nEvent-Subclass: {ECHO}\nEcho: {self._name}-{self._number}"
            self._link.connection.send(f"sendevent CUSTOM\n{own}\n\n")

    def is_late(self) -> bool:
        return self.back < self._number and time.monotonic() - self._sent > self._pace.answer

    def take(self, event: Any) -> float | None:
        """When the one was sent that came back, as time.time() gave it; None where it is somebody else's."""
        if event.getHeader("Echo") != f"{self._name}-{self._number}":
            return None
        self.back = self._number
        return self._sent_at


def _storable(value: str) -> str:
    """Text that PostgreSQL can store, of a bounded length."""
    return clean(value).replace("\0", "\ufffd")[:_VALUE_MOST]
