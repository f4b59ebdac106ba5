"""The service that delivers: events become deliveries, and each is sent until its receiver has it.

What there is to do stands in PostgreSQL, so a killed process loses nothing; the next one sends again what it does
not know to be delivered. Here is only who is at work for which webhook. One webhook has one batch on its way at a
time, in a few lanes. What tells of the same record shares a lane, so that first attempts come in order.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pbxapi.plugin import ServiceRun, payload

from .sending import Message, Outcome, send

RETRIES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)
"""Seconds until each further attempt: nine in 23 hours."""

POLL = 0.5
"""Seconds between looks when no event wakes us: for what is due again."""

WINDOW = 500
"""Deliveries that may wait for one webhook; its other events wait as such, whatever their number."""

_QUICK, _UNKNOWN, _UNWELL = range(3)
"""Ranks of webhooks: the last attempt was good and quick; there was none yet here; it failed, or was slow."""

_SHARES = (1.0, 0.75, 0.5)
"""Of the threads, for a rank and those below it: who is unwell delays its like, and nobody who is well."""

_LANES = 4
_BATCH = 32
_REACH = 10_000
_QUICK_MOST = 1000
"""Milliseconds of a quick attempt."""

_ASKED_MOST = 24 * 3600.0
_STOP = 3.0
_COUNT_EVERY = 1.0


def schedule(text: str) -> tuple[float, ...]:
    """The operator's own retries.

    Raises:
        ValueError: they are none.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(math.isfinite(seconds) and seconds >= 0 for seconds in found):
        raise ValueError("must be seconds such as 5,30,120")
    return found


def seconds(text: str) -> float:
    """A time.

    Raises:
        ValueError: it is none.
    """
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not (math.isfinite(found) and found > 0):
        raise ValueError("must be a number of seconds above 0")
    return found


def number(text: str) -> int:
    """A number of things.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**6):
        raise ValueError("must be a whole number above 0")
    return int(text)


def body_of(event: Mapping[str, Any]) -> bytes:
    """An event as it is sent; the same bytes each time."""
    return json.dumps(payload(event), ensure_ascii=False, separators=(",", ":")).encode()


def gap(webhook_uuid: UUID, webhook: Mapping[str, Any]) -> dict[str, Any]:
    """What a webhook is told that failed for longer than events are kept."""
    return {"webhook_uuid": str(webhook_uuid), "host": webhook["host"], "from": webhook["missed_since"]}


def deliver(run: ServiceRun) -> None:
    """Deliver until the turn is over."""
    Deliverer(run).work()


class Deliverer:
    """Who is at work for which webhook, in this process."""

    def __init__(self, run: ServiceRun) -> None:
        self._run = run
        self._options = run.options
        self._threads = max(run.options["PBXAPI_WEBHOOKS_THREADS"], 4)
        self._lock = threading.Lock()
        self._busy: dict[UUID, tuple[int, int]] = {}  # webhook -> its rank, lanes at work
        self._quick: set[UUID] = set()
        self._slow: set[UUID] = set()
        self._working: set[threading.Thread] = set()
        self._attempts = {True: 0, False: 0}  # delivered or not, since they were last noted
        self._noted_at = time.monotonic()

    def work(self) -> None:
        """Deliver until the turn is over; what is on its way then has a few seconds to arrive."""
        while not self._run.ended:
            behind = self._fan_out()
            for rank in (_QUICK, _UNKNOWN, _UNWELL):
                self._start(rank)
            self._count(_COUNT_EVERY)
            if not behind:
                self._run.wait(POLL)
        end = time.monotonic() + _STOP
        for thread in list(self._working):
            thread.join(max(end - time.monotonic(), 0.0))
        self._count(0.0)

    def _count(self, every: float) -> None:
        """Note how many attempts there were, for the figures; not with each, which would wait for others."""
        with self._lock:
            if time.monotonic() - self._noted_at < every or not any(self._attempts.values()):
                return
            delivered, failed = self._attempts[True], self._attempts[False]
            self._attempts = {True: 0, False: 0}
            self._noted_at = time.monotonic()
        with self._run.database.writing() as session:
            session.run(self._run.statements["webhooks/count_attempts"], delivered=delivered, failed=failed)

    def _fan_out(self) -> bool:
        with self._run.database.writing() as session:
            return bool(
                session.value(self._run.statements["webhooks/fan_out"], domains=None, most=WINDOW, reach=_REACH)
            )

    def _start(self, rank: int) -> None:
        """Begin batches for webhooks with something due, as far as their rank has threads."""
        with self._lock:
            busy, quick, slow = list(self._busy), list(self._quick), list(self._slow)
            room = min(
                int(self._threads * share) - sum(lanes for other, lanes in self._busy.values() if other >= least)
                for least, share in enumerate(_SHARES)
                if least <= rank
            )
        if room <= 0:
            return
        with self._run.database.reading() as session:
            rows = session.rows(
                self._run.statements["webhooks/due"],
                domains=None,
                rank=rank,
                quick=quick,
                slow=slow,
                busy=busy,
                webhooks=room,
                each=_BATCH,
            )
        batches = [list(batch) for _, batch in itertools.groupby(rows, lambda row: row["webhook_uuid"])]
        for batch in batches:
            # Of whom nothing is known yet gets one request at a time.
            width = max(min(_LANES, room // len(batches)), 1) if rank != _UNKNOWN else 1
            self._begin(batch, rank, width)

    def _begin(self, batch: Sequence[Mapping[str, Any]], rank: int, width: int) -> None:
        webhook_uuid = batch[0]["webhook_uuid"]
        lanes: dict[int, list[Mapping[str, Any]]] = {}
        for row in batch:
            about = row["record_uuid"] or row["delivery_uuid"]
            lanes.setdefault(about.int % width, []).append(row)
        with self._lock:
            self._busy[webhook_uuid] = rank, len(lanes)
        for lane in lanes.values():
            thread = threading.Thread(target=self._lane, args=(lane,), name=f"webhook {webhook_uuid}", daemon=True)
            self._working.add(thread)
            thread.start()

    def _lane(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Deliver one after another; the first fault ends it, and what is left stays due."""
        webhook_uuid = rows[0]["webhook_uuid"]
        try:
            for row in rows:
                if self._run.ended or not self._deliver(row):
                    break
        except Exception:
            # PostgreSQL is away, or worse: whoever is due is due again after a pause.
            self._run.log.exception("webhook %s: what came of a delivery could not be noted", webhook_uuid)
            time.sleep(1.0)
        finally:
            with self._lock:
                self._working.discard(threading.current_thread())
                rank, lanes = self._busy.pop(webhook_uuid)
                if lanes > 1:
                    self._busy[webhook_uuid] = rank, lanes - 1
            self._run.wake()

    def _deliver(self, row: Mapping[str, Any]) -> bool:
        """One attempt; whether the receiver has it, or nobody ever will."""
        if row["event_id"] is None:
            self._note(row, "failed", Outcome(None, 0, "", "the event is no longer kept"), 0.0)
            return True
        outcome = self._send(row)
        delay = 0.0
        if outcome.delivered:
            state = "delivered"
        else:
            state, delay = self._next(row["attempts"], outcome)
        self._judge(row["webhook_uuid"], outcome)
        self._note(row, state, outcome, delay)
        return outcome.delivered

    def _send(self, row: Mapping[str, Any]) -> Outcome:
        try:
            return send(
                Message(str(row["event_id"]), row["url"], body_of(row), row["secrets"], row["headers"]),
                allowed=self._options["PBXAPI_WEBHOOK_ALLOW"],
                seconds=self._options["PBXAPI_WEBHOOKS_TIMEOUT"],
            )
        except Exception as error:
            self._run.log.exception("webhook %s: an attempt fell", row["webhook_uuid"])
            return Outcome(None, 0, "", f"internal fault {type(error).__name__}")

    def _next(self, attempts: int, outcome: Outcome) -> tuple[str, float]:
        """What becomes of a delivery that failed: its state, and the seconds until the next attempt."""
        retries = self._options["PBXAPI_WEBHOOKS_RETRIES"]
        if attempts >= len(retries):
            return "failed", 0.0
        asked = min(outcome.retry_after or 0.0, _ASKED_MOST)
        return "waiting", max(retries[attempts] * random.uniform(0.8, 1.2), asked)

    def _judge(self, webhook_uuid: UUID, outcome: Outcome) -> None:
        """Count it, and remember whether the receiver is quick; that it fails stands in its row."""
        quick = outcome.latency < _QUICK_MOST
        with self._lock:
            self._attempts[outcome.delivered] += 1
            (self._quick.add if outcome.delivered and quick else self._quick.discard)(webhook_uuid)
            (self._slow.discard if quick else self._slow.add)(webhook_uuid)

    def _note(self, row: Mapping[str, Any], state: str, outcome: Outcome, delay: float) -> None:
        statements = self._run.statements
        webhook_uuid = row["webhook_uuid"]
        with self._run.database.writing() as session:
            # The webhook before the delivery, as whoever changes or deletes it does.
            if outcome.delivered:
                self._note_success(session, webhook_uuid)
            elif row["event_id"] is not None:
                self._note_failure(session, webhook_uuid, outcome)
            session.run(
                statements["webhooks/note_attempt"],
                delivery_uuid=row["delivery_uuid"],
                state=state,
                status=outcome.status,
                latency=outcome.latency,
                response=outcome.response,
                error=outcome.error,
                delay=delay,
            )

    def _note_success(self, session: Any, webhook_uuid: UUID) -> None:
        statement = self._run.statements["webhooks/note_success"]
        webhook = session.row(statement, webhook_uuid=webhook_uuid, domains=None)
        if webhook is None or not webhook["missed_since"]:
            return
        self._run.log.warning("webhook %s to %s has missed events", webhook_uuid, webhook["host"])
        self._run.tell(
            session,
            "webhook.gap",
            gap(webhook_uuid, webhook),
            domain_uuid=webhook["domain_uuid"],
            record_uuid=webhook_uuid,
        )

    def _note_failure(self, session: Any, webhook_uuid: UUID, outcome: Outcome) -> None:
        gone = outcome.status == 410
        webhook = session.row(
            self._run.statements["webhooks/note_failure"],
            webhook_uuid=webhook_uuid,
            domains=None,
            error=outcome.error,
            gone=gone,
            pause_after=self._options["PBXAPI_WEBHOOKS_PAUSE_AFTER"],
            first=self._options["PBXAPI_WEBHOOKS_RETRIES"][0],
            asked=min(outcome.retry_after or 0.0, _ASKED_MOST),
        )
        if webhook is None or not webhook["paused"]:
            return
        self._run.log.warning("webhook %s to %s is paused: %s", webhook_uuid, webhook["host"], outcome.error)
        self._run.tell(
            session,
            "webhook.paused",
            {
                "webhook_uuid": str(webhook_uuid),
                "host": webhook["host"],
                "reason": "gone" if gone else "failing",
                "failing_since": webhook["failing_since"],
                "error": outcome.error,
            },
            domain_uuid=webhook["domain_uuid"],
            record_uuid=webhook_uuid,
        )
