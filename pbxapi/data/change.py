"""Noting a change: the row that drives the switch nodes, written in the transaction of the data."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from pbxapi.data.database import Session

CHANNEL = "pbxapi_change"
"""What a transaction that noted a change NOTIFYs; the relay listens."""

# Whoever notes a change shares this lock, whoever makes a node known or forgets one has it alone: so each change
# has a row for exactly the nodes that there are.
_NODES_LOCK = 7064
_HOLD_NODES = f"select pg_advisory_xact_lock_shared({_NODES_LOCK})"
_CHANGE_NODES = f"select pg_advisory_xact_lock({_NODES_LOCK})"

_NOTE = f"""
with given as (
  select change_id, batch_id, resource, action, record_uuid, domain_uuid, domain_name, old, changed,
         request_id, key_id, event_id, event, told
    from jsonb_to_recordset(%(changes)s::jsonb) as given (
           change_id uuid, batch_id uuid, resource text, action text, record_uuid uuid, domain_uuid uuid,
           domain_name text, old jsonb, changed text[], request_id text, key_id text, event_id uuid, event text,
           told jsonb)
), noted as (
  insert into pbxapi.change
         (change_id, batch_id, resource, action, record_uuid, domain_uuid, domain_name, old, changed, request_id,
          key_id)
  select change_id, batch_id, resource, action, record_uuid, domain_uuid, domain_name, old, changed, request_id,
         key_id
    from given
  returning change_id
), nodes as (
  insert into pbxapi.change_node (change_id, node)
  select noted.change_id, node.name from noted cross join pbxapi.node
), told as (
  insert into pbxapi.event (event_id, type, domain_uuid, domain_name, resource, record_uuid, data)
  select event_id, event, domain_uuid, domain_name, resource, record_uuid, told from given where event is not null
)
select pg_notify('{CHANNEL}', '')
"""

_STATE = """
select count(*) as nodes,
       count(*) filter (where state = 'pending') as pending,
       count(*) filter (where state = 'failed') as failed
  from pbxapi.change_node
 where change_id = any(array(
         select %(change_id)s::uuid union all select change_id from pbxapi.change where batch_id = %(change_id)s))
"""


def new_change_id() -> UUID:
    """A version 7 uuid (RFC 9562): unique without a sequence, and in the order of time."""
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)


def describe_change(
    *,
    resource: str,
    action: str,
    record_uuid: UUID | None,
    domain_uuid: UUID | None,
    domain_name: str | None,
    old: Mapping[str, Any] | None,
    changed: Iterable[str],
    request_id: str,
    key_id: str,
    event: str | None = None,
    told: Mapping[str, Any] | None = None,
    batch_id: UUID | None = None,
) -> dict[str, Any]:
    """A new change, for `note_changes`.

    Args:
        old: values before the write that the effects need (number, context, profile); never a secret.
        changed: names of the fields that an update changed.
        event: type of the event that tells of it, such as ``extension.created``; None for none.
        told: what the event says of the record; never a secret.
        batch_id: under which what became of it can be asked for, together with others.
    """
    change_id = new_change_id()
    names = sorted(changed)
    about = {
        "change_id": change_id,
        "resource": resource,
        "action": action,
        "uuid": record_uuid,
        "changed": names,
        "record": told or {},
    }
    return {
        "change_id": change_id,
        "batch_id": batch_id,
        "resource": resource,
        "action": action,
        "record_uuid": record_uuid,
        "domain_uuid": domain_uuid,
        "domain_name": domain_name,
        "old": dict(old) if old is not None else None,
        "changed": names,
        "request_id": request_id,
        "key_id": key_id,
        "event_id": new_change_id(),
        "event": event,
        "told": about,
    }


def note_changes(session: Session, changes: Sequence[Mapping[str, Any]]) -> None:
    """Note changes for every known node, each with the event that tells of it."""
    session.do(_HOLD_NODES)  # by itself: the next statement must see the nodes that were made known meanwhile
    session.do(_NOTE, changes=orjson.dumps(changes, default=str).decode())


def note_change(session: Session, **described: Any) -> UUID:
    """Note one change, as `describe_change` has it; its id."""
    change = describe_change(**described)
    note_changes(session, [change])
    return UUID(str(change["change_id"]))


def read_state(session: Session, change_id: UUID) -> str:
    """``pending``, ``applied`` or ``failed``: what became of a change, or of all changes of a batch, on all nodes.

    A change that no node knows yet is pending: the first node that registers takes it.
    """
    counts = session.row(_STATE, change_id=change_id)
    assert counts is not None
    if counts["pending"] or not counts["nodes"]:
        return "pending"
    return "failed" if counts["failed"] else "applied"


_WAITING = """
select coalesce(max(own.waiting), (select count(*) from (select from pbxapi.change limit %(most)s) as homeless))
  from pbxapi.node
 cross join lateral (
   select count(*) as waiting
     from (select from pbxapi.change_node as n
            where n.node = node.name and n.state = 'pending' limit %(most)s) as pending
 ) as own
"""


def count_waiting(session: Session, most: int) -> int:
    """How many changes wait for the node that has most, counted up to `most`; all while no node is known."""
    return int(session.value(_WAITING, most=most))


_PRUNE = """
with old as (
  select change_id from pbxapi.change as c
   where c.created_at < clock_timestamp() - make_interval(days => %(days)s)
     and exists (select from pbxapi.node)
     and not exists (select from pbxapi.change_node as n
                      where n.change_id = c.change_id and (n.state = 'pending' or n.settle_at is not null))
   order by c.created_at
   limit %(most)s
), nodes as (
  delete from pbxapi.change_node where change_id in (select change_id from old)
)
delete from pbxapi.change where change_id in (select change_id from old)
"""


def prune_changes(session: Session, days: int, most: int = 5000) -> int:
    """Forget at most so many changes older than some days that no node has to do with any more; how many went.

    While no node is known all are kept: they wait for the first.
    """
    return session.run(_PRUNE, days=days, most=most)


_IS_KNOWN = "select exists (select from pbxapi.node where name = %(name)s) as known"

_NEW_NODE = """
insert into pbxapi.node (name, seen_at) values (%(name)s, clock_timestamp())
on conflict (name) do nothing
"""

# Noted while no node was known, or waiting for nodes that were all forgotten.
_ADOPT = """
insert into pbxapi.change_node (change_id, node)
select change_id, %(name)s
  from pbxapi.change as c
 where not exists (select from pbxapi.change_node as n where n.change_id = c.change_id)
"""

_FORGET_STATES = "delete from pbxapi.change_node where node = %(name)s"

_FORGET_LISTENER = "delete from pbxapi.listener where node = %(name)s"

_FORGET_NODE = "delete from pbxapi.node where name = %(name)s"


def add_node(session: Session, name: str) -> bool:
    """Make a node known, in the session's transaction; False if it is. Changes without any node become its own."""
    if session.value(_IS_KNOWN, name=name):
        return False
    session.run(_CHANGE_NODES)
    if not session.run(_NEW_NODE, name=name):
        return False
    session.run(_ADOPT, name=name)
    return True


def forget_node(session: Session, name: str) -> bool:
    """Forget a node with all that waits for it, in the session's transaction; False if it is not known."""
    session.run(_CHANGE_NODES)
    session.run(_FORGET_STATES, name=name)
    session.run(_FORGET_LISTENER, name=name)
    return session.run(_FORGET_NODE, name=name) > 0
