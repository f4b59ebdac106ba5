"""Events: what happened, written in the transaction of what they tell, read in the order of their positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from pbxapi.data.change import CHANNEL, new_change_id
from pbxapi.data.database import Row, Session

EVENT_CHANNEL = "pbxapi_event"
"""What the relay NOTIFYs when events have their positions; streams and webhooks listen."""

POSITION_MOST = 2**63 - 1
"""The largest position that PostgreSQL can hold."""

_NOTE = f"""
with told as (
  insert into pbxapi.event (event_id, type, domain_uuid, domain_name, resource, record_uuid, data)
  values (%(event_id)s, %(type)s, %(domain_uuid)s,
          (select domain_name from v_domains where domain_uuid = %(domain_uuid)s),
          %(resource)s, %(record_uuid)s, %(data)s::jsonb)
)
select pg_notify('{CHANNEL}', '')
"""

# The head is locked: any number of relays may run, and a position is given once.
_HEAD = "select position from pbxapi.event_head where one for update"

_NUMBER = """
with fresh as (
  select event_id, %(head)s + row_number() over (order by created_at, event_id) as position
    from (select event_id, created_at from pbxapi.event where position is null
           order by created_at, event_id limit %(most)s) as unnumbered
), numbered as (
  update pbxapi.event as e set position = fresh.position from fresh where e.event_id = fresh.event_id
)
select coalesce(max(position), 0) as position, count(*) as events from fresh
"""

_MOVE_HEAD = f"""
with moved as (update pbxapi.event_head set position = %(position)s where one)
select pg_notify('{EVENT_CHANNEL}', '')
"""

_FRESH = "select exists (select from pbxapi.event where position is null) as fresh"

_READ = """
select event_id, position, type, domain_uuid, domain_name, resource, record_uuid, data, created_at
  from pbxapi.event
 where position > %(after)s
   and position <= %(upto)s
   and (%(domains)s::uuid[] is null or domain_uuid = any(%(domains)s))
   and (%(types)s::text[] is null or type like any(%(types)s))
 order by position
 limit %(most)s
"""

_KEPT_AFTER = """
select coalesce((select min(position) - 1 from pbxapi.event),
                (select position from pbxapi.event_head where one)) as position
"""

_PRUNE = """
delete from pbxapi.event
 where event_id in (select event_id from pbxapi.event
                     where position is not null
                       and created_at < clock_timestamp() - make_interval(days => %(days)s)
                     order by created_at limit %(most)s)
"""


def note_event(
    session: Session,
    type: str,
    data: Mapping[str, Any],
    *,
    domain_uuid: UUID | None,
    resource: str | None = None,
    record_uuid: UUID | None = None,
) -> UUID:
    """Note an event in the session's transaction; its id.

    Args:
        type: ``<what>.<what happened>``.
        data: what can be said in JSON; never a secret.
        domain_uuid: whose event it is; None for the whole system's.
        resource, record_uuid: what it is about.
    """
    event_id = new_change_id()
    session.do(
        _NOTE,
        event_id=event_id,
        type=type,
        domain_uuid=domain_uuid,
        resource=resource,
        record_uuid=record_uuid,
        data=orjson.dumps(dict(data), default=str).decode(),
    )
    return event_id


def number_events(session: Session, most: int = 1000) -> int:
    """Give fresh events their positions, in the session's transaction; how many got one."""
    if not session.value(_FRESH):
        return 0
    head = session.value(_HEAD)
    row = session.row(_NUMBER, head=head, most=most)
    assert row is not None
    if row["events"]:
        session.do(_MOVE_HEAD, position=row["position"])
    return int(row["events"])


def last_position(session: Session) -> int:
    """The position of the newest event."""
    return int(session.value("select position from pbxapi.event_head where one"))


def kept_after(session: Session) -> int:
    """The position after which every event is still there."""
    return int(session.value(_KEPT_AFTER))


def read_events(
    session: Session,
    after: int,
    *,
    domains: Iterable[UUID] | None,
    types: Iterable[str] | None = None,
    most: int = 500,
    upto: int = POSITION_MOST,
) -> list[Row]:
    """Events after a position, in order.

    Rows of event_id, position, type, domain_uuid, domain_name, resource, record_uuid, data and created_at.

    Args:
        domains: whose; None for all, the whole system's among them.
        types: names such as ``extension.created``, or patterns such as ``extension.*``; None for all.
        upto: the last position that is looked at, which bounds what a search for rare types costs.
    """
    return session.rows(
        _READ,
        after=after,
        upto=upto,
        domains=None if domains is None else list(domains),
        types=None if types is None else [like_of(name) for name in types],
        most=most,
    )


def like_of(pattern: str) -> str:
    """``extension.*`` as SQL's like has it."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def payload(event: Mapping[str, Any]) -> dict[str, Any]:
    """What a listener gets of an event: Standard Webhooks' ``type``, ``timestamp`` and ``data``, and beside them
    ``id``, ``sequence`` (the position: larger is later) and ``domain``."""
    return {
        "id": str(event["event_id"]),
        "type": event["type"],
        "timestamp": event["created_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sequence": event["position"],
        "domain": {"uuid": str(event["domain_uuid"]), "name": event["domain_name"]}
        if event["domain_uuid"]
        else None,
        "data": event["data"],
    }


def prune_events(session: Session, days: int, most: int = 5000) -> int:
    """Forget at most so many events older than some days; how many went."""
    return session.run(_PRUNE, days=days, most=most)
