"""The listener: tells what a node's switch tells, from the event socket into the events' table.

Any number of workers may serve a node; one of them listens. It holds a lease, a row that it touches in each of
its transactions, so that a worker that has lost its lease can write nothing more. The next takes the lease after
it has watched it untouched for some seconds, and tells what lies between as a gap.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

import orjson

from pbxapi.changes.telling import WANTED, Known, Lamp, Missed, Teller, Telling
from pbxapi.data.change import CHANNEL
from pbxapi.data.database import UNAVAILABLE, Database, DatabaseError, Row, Session
from pbxapi.data.events import note_event
from pbxapi.errors import SwitchError
from pbxapi.switch import commands
from pbxapi.switch.connection import Place
from pbxapi.switch.event_socket import EventSocket
from pbxapi.switch.events import EventReader, Gap, Heard, Inbox, Item, Pace

log = logging.getLogger(__name__)

BATCH = 500
_GATHER = 0.05
"""Seconds that what is heard waits for more of it, so that a burst is a few transactions."""

_ASK = 1.5
_END = 1.0
_RETRY = 1.0

_LEASE = "select owner, seen_at from pbxapi.listener where node = %(node)s"

_TAKE = """
insert into pbxapi.listener as held (node, owner) values (%(node)s, %(owner)s)
on conflict (node) do update
   set owner = excluded.owner, seen_at = clock_timestamp()
 where held.owner is null or (held.owner = %(from_owner)s and held.seen_at = %(from_seen)s)
returning told_until
"""

_TOUCH = """
update pbxapi.listener
   set seen_at = clock_timestamp(),
       told_until = coalesce(to_timestamp(%(until)s::float8), told_until)
 where node = %(node)s and owner = %(owner)s
"""

_LEAVE = "update pbxapi.listener set owner = null where node = %(node)s and owner = %(owner)s"

_MISSED = f"""
with told as (
  insert into pbxapi.event (event_id, type, domain_uuid, domain_name, data)
  select gen_random_uuid(), 'switch.gap', concerned.domain_uuid, concerned.domain_name, %(data)s::jsonb
    from (select domain_uuid, domain_name from v_domains where domain_enabled::text = 'true'
          union all select null, null) as concerned
)
select pg_notify('{CHANNEL}', '')
"""

# A message's created_epoch is the moment at which its recording began, by the clock of the switch's host
# (docs/switch.md). One box's lamp at a time: two nodes may be told of the same message.
_LAMP_LOCK = "select pg_advisory_xact_lock(hashtextextended(lower(%(box)s || '@' || %(domain)s), 7065))"
_LAMP = f"""
with told as (
  insert into pbxapi.event (event_id, type, domain_uuid, domain_name, resource, record_uuid, data)
  select gen_random_uuid(), 'voicemail.left', d.domain_uuid, d.domain_name, 'voicemails', v.voicemail_uuid,
         jsonb_build_object(
           'node', %(node)s::text, 'voicemail_uuid', v.voicemail_uuid, 'voicemail_id', v.voicemail_id,
           'voicemail_message_uuid', m.voicemail_message_uuid,
           'caller_id_name', coalesce(m.caller_id_name, ''), 'caller_id_number', coalesce(m.caller_id_number, ''),
           'message_length', coalesce(m.message_length, 0)::bigint,
           'left_stamp', to_char(to_timestamp(m.created_epoch::float8) at time zone 'UTC',
                                 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    from v_domains as d
    join v_voicemails as v on v.domain_uuid = d.domain_uuid
    join v_voicemail_messages as m on m.voicemail_uuid = v.voicemail_uuid and m.domain_uuid = d.domain_uuid
   where lower(d.domain_name) = lower(%(domain)s) and v.voicemail_id = %(box)s
     and coalesce(m.message_status, '') = ''
     and m.created_epoch > extract(epoch from clock_timestamp()) - %(seconds)s
     and not exists (select from pbxapi.event as e
                      where e.type = 'voicemail.left'
                        and e.data ->> 'voicemail_message_uuid' = m.voicemail_message_uuid::text)
  returning 1
)
select pg_notify('{CHANNEL}', '') from told limit 1
"""

MESSAGE_SECONDS = 3600
"""How old a new voicemail message may be to be told of when its box's lamp is lit."""


@dataclass(frozen=True)
class Lease:
    """How soon another worker listens in place of one that has died; in seconds.

    Attributes:
        touch: between two signs of life at most, while PostgreSQL answers.
        look: between two looks of those that wait.
        untouched: how long one must have watched the lease untouched to take it. An absence of PostgreSQL does not
            count, so that the one who held it goes on afterwards.
    """

    touch: float = 2.0
    look: float = 1.0
    untouched: float = 8.0

    @property
    def taken_within(self) -> float:
        """After how long at most a dead worker's lease is another's."""
        return self.look + self.untouched + self.look


class LeaseLost(Exception):
    """Another worker listens now."""


class Listener(threading.Thread):
    """Runs until stopped.

    Args:
        node: its name.
        place: its switch's event socket.
        gateways: a connection of its own for the one question that is asked, how the gateways are.
    """

    def __init__(
        self,
        database: Database,
        node: str,
        place: Place,
        gateways: EventSocket,
        pace: Pace | None = None,
        lease: Lease | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        super().__init__(name="listener", daemon=True)
        self._database = database
        self._node = node
        self._place = place
        self._switch = gateways
        self._pace = pace or Pace()
        self._lease = lease or Lease()
        self._inbox = inbox
        self._owner = uuid4()
        self._watched: tuple[UUID | None, datetime | None, float] = (None, None, 0.0)
        self._told_until: datetime | None = None
        self._teller = Teller(node)
        self._stop_wanted = threading.Event()

    def stop(self) -> None:
        """End soon."""
        self._stop_wanted.set()

    def run(self) -> None:
        """Wait for one's turn, then listen; until told to stop."""
        while not self._stop_wanted.is_set():
            try:
                if self._take_lease():
                    self._listen()
                    continue
            except LeaseLost:
                log.warning("node %s: another worker tells what the switch tells", self._node)
            except UNAVAILABLE as error:
                self._watched = (None, None, 0.0)
                log.warning("node %s: nothing can be told, PostgreSQL: %s", self._node, type(error).__name__)
            except DatabaseError:
                # A right or a column that is missing: what was at hand is lost, and the next to listen says so.
                log.exception("node %s: what the switch tells cannot be written", self._node)
                self._stop_wanted.wait(_RETRY)
            self._stop_wanted.wait(self._lease.look)
        self._switch.close()

    def _take_lease(self) -> bool:
        with self._database.reading() as session:
            held = session.row(_LEASE, node=self._node) or {"owner": None, "seen_at": None}
        owner, seen_at, since = self._watched
        if held["owner"] not in (None, self._owner):
            if (held["owner"], held["seen_at"]) != (owner, seen_at):
                self._watched = (held["owner"], held["seen_at"], time.monotonic())
                return False
            if time.monotonic() - since < self._lease.untouched:
                return False
        return self._seize(held)

    def _seize(self, held: Row) -> bool:
        with self._database.writing() as session:
            taken = session.row(
                _TAKE, node=self._node, owner=self._owner, from_owner=held["owner"], from_seen=held["seen_at"]
            )
        if taken is None:
            return False
        self._told_until = taken["told_until"]
        self._teller = Teller(self._node)
        log.info("node %s: this worker tells what the switch tells", self._node)
        return True

    def _listen(self) -> None:
        """Hear and tell until told to stop.

        Raises:
            LeaseLost: another worker does.
        """
        inbox = self._inbox or Inbox()
        reader = EventReader(self._place, WANTED, inbox, self._pace)
        reader.start()
        touched = float("-inf")
        try:
            while not self._stop_wanted.is_set():
                heard = inbox.take(BATCH, _GATHER)
                if heard or time.monotonic() - touched >= self._lease.touch:
                    self._tell(heard)
                    touched = time.monotonic()
                    self._stop_wanted.wait(_GATHER)
            reader.stop()
            reader.join(_END)
            while heard := inbox.take(BATCH, 0.0):
                self._tell(heard)
            with self._database.writing() as session:
                session.run(_LEAVE, node=self._node, owner=self._owner)
        finally:
            reader.stop()
            reader.join(_END)

    def _tell(self, heard: Sequence[Item]) -> None:
        """Tell what was heard, however long PostgreSQL is away meanwhile; the inbox fills as long."""
        heard = [self._since_last_time(item) for item in heard]
        tellings: list[Telling] | None = None
        while True:
            try:
                if tellings is None:
                    tellings = self._translate(heard)
                self._write(tellings, max((item.at for item in heard if isinstance(item, Heard)), default=None))
            except UNAVAILABLE as error:
                log.warning(
                    "node %s: what the switch tells waits, PostgreSQL: %s", self._node, type(error).__name__
                )
                if self._stop_wanted.wait(_RETRY):
                    raise
            else:
                return

    def _since_last_time(self, item: Item) -> Item:
        """The first gap of a listener begins where the last one stopped telling; the first of all has none."""
        if isinstance(item, Gap) and item.since is None and self._told_until is not None:
            return replace(item, since=self._told_until.timestamp(), reason="nobody listened")
        return item

    def _translate(self, heard: Sequence[Item]) -> list[Telling]:
        # All that can fail comes first: the teller must see everything once.
        states = self._ask_gateways() if any(isinstance(item, Gap) for item in heard) else None
        with self._database.reading() as session:
            known = Known.read(session, heard, [state.name for state in states or ()])
        tellings: list[Telling] = []
        for item in heard:
            tellings += self._teller.tell(item, known)
            if isinstance(item, Gap) and states is not None:
                tellings += self._teller.compare(states, known)
        return tellings

    def _ask_gateways(self) -> list[commands.GatewayStatus] | None:
        try:
            return commands.gateways(self._switch, timeout=_ASK)
        except SwitchError as error:
            log.warning("node %s: the switch does not say how its gateways are: %s", self._node, error)
            return None

    def _write(self, tellings: Sequence[Telling], until: float | None) -> None:
        with self._database.writing() as session:
            if not session.run(_TOUCH, node=self._node, owner=self._owner, until=until):
                raise LeaseLost
            for telling in tellings:
                self._note(session, telling)

    def _note(self, session: Session, telling: Telling) -> None:
        if isinstance(telling, Missed):
            session.do(_MISSED, data=orjson.dumps(dict(telling.data)).decode())
        elif isinstance(telling, Lamp):
            session.do(_LAMP_LOCK, box=telling.box, domain=telling.domain)
            session.do(_LAMP, box=telling.box, domain=telling.domain, node=self._node, seconds=MESSAGE_SECONDS)
        else:
            note_event(
                session,
                telling.type,
                telling.data,
                domain_uuid=telling.domain_uuid,
                resource=telling.resource,
                record_uuid=telling.record_uuid,
            )
