"""Changes and nodes as the operator sees them: list, show, try again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pbxapi.data.change import CHANNEL
from pbxapi.data.database import Session

Row = dict[str, Any]

_STATE_OF = """
       case when count(n.node) = 0 or bool_or(n.state = 'pending') then 'pending'
            when bool_or(n.state = 'failed') then 'failed'
            else 'applied' end
"""

_CHANGES = f"""
select c.change_id, c.created_at, c.resource, c.action, c.record_uuid, coalesce(c.domain_name, '') as domain,
       {_STATE_OF} as state, coalesce(max(n.error), '') as error
  from pbxapi.change as c
  left join pbxapi.change_node as n using (change_id)
 group by c.change_id
having %(state)s::text is null or {_STATE_OF} = %(state)s
 order by c.change_id desc
 limit %(most)s
"""

_CHANGE = """
select change_id, created_at, resource, action, record_uuid, coalesce(domain_name, '') as domain,
       coalesce(request_id, '') as request_id, coalesce(key_id, '') as key_id
  from pbxapi.change
 where change_id = %(change_id)s
"""

_CHANGE_NODES = """
select node, state, attempts, due_at, applied_at, coalesce(error, '') as error
  from pbxapi.change_node
 where change_id = %(change_id)s
 order by node
"""

_RETRY = """
update pbxapi.change_node
   set state = 'pending', attempts = 0, due_at = clock_timestamp()
 where (state = 'failed' and %(changes)s::uuid[] is null)
    or (state in ('failed', 'pending') and change_id = any(%(changes)s))
"""

_WAKE = f"select pg_notify('{CHANNEL}', '')"

_NODES = """
select node.name, coalesce(node.hostname, '') as hostname, coalesce(node.switchname, '') as switchname,
       node.seen_at, coalesce(node.seen_at > now() - interval '15 seconds', false) as up,
       count(c.change_id) filter (where c.state = 'pending') as pending,
       count(c.change_id) filter (where c.state = 'failed') as failed,
       coalesce(node.error, '') as error
  from pbxapi.node
  left join pbxapi.change_node as c on c.node = node.name and c.state <> 'applied'
 group by node.name
 order by node.name
"""


def list_changes(session: Session, state: str | None, most: int) -> list[Row]:
    """The newest changes of all domains.

    Rows of change_id, created_at, resource, action, record_uuid, domain, state and error.

    Args:
        state: ``pending``, ``applied`` or ``failed``; None for all.
        most: how many rows at most.
    """
    return session.rows(_CHANGES, state=state, most=most)


def show_change(session: Session, change_id: UUID) -> tuple[Row, list[Row]] | None:
    """One change, and what became of it on each node; None where there is none (or no longer)."""
    change = session.row(_CHANGE, change_id=change_id)
    return (change, session.rows(_CHANGE_NODES, change_id=change_id)) if change else None


def retry_changes(session: Session, changes: Sequence[UUID] | None) -> int:
    """Have changes tried again at once; how many rows of nodes that makes.

    Args:
        changes: which; those that still wait for their next attempt count too. None for all that have failed.
    """
    tried = session.run(_RETRY, changes=None if changes is None else list(changes))
    session.run(_WAKE)
    return tried


def list_nodes(session: Session) -> list[Row]:
    """The nodes: name, hostname, switchname, seen_at, up, pending, failed, error."""
    return session.rows(_NODES)
