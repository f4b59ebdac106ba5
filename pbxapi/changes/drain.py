"""The drain: all that is pending for one node, computed from the current rows, applied, marked.

It is the worker's only job. A wake-up names the node and nothing else, so that a burst of changes is one drain, a
lost job costs only the relay's next look, and no order of jobs can bring an old value back.

It may be cut off between any two lines: what is not marked is done again, and all effects may be done twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID, uuid4

import orjson

from pbxapi.changes.apply import Applying, Plan, Task, cleared_again
from pbxapi.changes.nodes import read_node
from pbxapi.changes.planning import Planning
from pbxapi.config import Config
from pbxapi.data.change import CHANNEL
from pbxapi.data.database import UNAVAILABLE, Database, Row, Session
from pbxapi.errors import SwitchBarred, SwitchError, SwitchRefused, SwitchUnavailable
from pbxapi.plugin import Effect
from pbxapi.plugin.change import AHEAD
from pbxapi.plugin.loader import Registry
from pbxapi.switch.event_socket import EventSocket
from pbxapi.switch.node import Node

log = logging.getLogger(__name__)

BATCH = 2000
"""Changes that are applied together: what one request or one part of an import makes costs one reload."""

SECONDS = 20.0
"""A drain begins nothing new after this, so that RQ sees a living worker; the relay wakes the next one."""

SECONDS_WHOLE = 30.0
"""So much longer it goes on with changes that were made together, so that they cost one reload."""

SETTLE_SECONDS = 2.0
"""The switch's Lua may have read the old row just before the commit and write its cache entry just after our
delete, where it would stay for ever. So entries are deleted again this much later."""

PAUSE_MOST = 300.0
"""Seconds between two attempts at most; they begin at one second and double."""

_AWAY_MOST = 10.0

# Held by a transaction, so that it goes with it however the drain ends; between its two statements the transaction
# holds nothing else, no snapshot either.
_NO_TIMEOUT = "set local idle_in_transaction_session_timeout = 0"
_LOCK = "select pg_try_advisory_xact_lock(hashtextextended(%(name)s, 7063)) as locked"

_TAKE = """
select c.change_id, c.resource, c.action, c.record_uuid, c.domain_uuid, c.domain_name, c.old, c.changed,
       c.batch_id
  from pbxapi.change_node as n
  join pbxapi.change as c using (change_id)
 where n.node = %(node)s and n.state = 'pending'
   and n.due_at <= clock_timestamp()
 order by n.due_at
 limit %(most)s
"""

_MARK = """
with marked as (
update pbxapi.change_node as n
   set state = case when done.error is null then 'applied'
                    when n.attempts + 1 >= %(most)s then 'failed'
                    else 'pending' end,
       attempts = n.attempts + case when done.error is null then 0 else 1 end,
       due_at = case when done.error is null then n.due_at
                     else clock_timestamp() + make_interval(secs => least(2.0 ^ n.attempts, %(pause)s)) end,
       applied_at = case when done.error is null then clock_timestamp() end,
       error = coalesce(done.error, done.note),
       settle_keys = coalesce(done.keys, n.settle_keys),
       settle_at = case when done.keys is null then n.settle_at
                        else clock_timestamp() + make_interval(secs => %(settle)s) end
  from jsonb_to_recordset(%(done)s::jsonb) as done(change_id uuid, error text, keys text[], note text)
 where n.change_id = done.change_id and n.node = %(node)s
returning n.state
)
update pbxapi.node
   set applied = applied + (select count(*) from marked where state = 'applied'),
       failures = failures + (select count(*) from marked where state <> 'applied')
 where name = %(node)s
"""

# Two nodes that end a change at the same moment must not each take the other for the one that is still at work.
_HOLD = "select change_id from pbxapi.change where change_id = any(%(changes)s) order by change_id for update"

_TELL = f"""
with told as (
  insert into pbxapi.event (event_id, type, domain_uuid, domain_name, resource, record_uuid, data)
  select gen_random_uuid(), 'change.' || state.state, c.domain_uuid, c.domain_name, c.resource, c.record_uuid,
         jsonb_build_object('change_id', c.change_id, 'resource', c.resource, 'action', c.action,
                            'uuid', c.record_uuid, 'state', state.state, 'nodes', state.nodes)
    from pbxapi.change as c
   cross join lateral (
     select case when bool_or(n.state = 'failed') then 'failed' else 'applied' end as state,
            bool_or(n.state = 'pending') as pending,
            jsonb_agg(jsonb_build_object('node', n.node, 'state', n.state, 'error', n.error)
                      order by n.node) as nodes
       from pbxapi.change_node as n where n.change_id = c.change_id
   ) as state
   where c.change_id = any(%(changes)s) and not state.pending
  returning 1
)
select pg_notify('{CHANNEL}', '') from told limit 1
"""

_WAITING = """
update pbxapi.change_node set error = %(error)s
 where node = %(node)s and change_id = any(%(changes)s) and error is distinct from %(error)s
"""

_NODE = "select hostname, reload_wanted, attempts from pbxapi.node where name = %(node)s"

_OWE = """
update pbxapi.node set reload_wanted = %(owed)s, reloads = reloads + %(done)s::int where name = %(node)s
"""

_AWAY = """
update pbxapi.node
   set attempts = attempts + 1, error = %(error)s,
       retry_at = clock_timestamp() + make_interval(secs => least(0.5 * 2.0 ^ least(attempts, 10), %(most)s))
 where name = %(node)s
"""

_BACK = "update pbxapi.node set attempts = 0, error = null, retry_at = null where name = %(node)s and attempts > 0"

_SETTLE = """
select change_id, settle_keys
  from pbxapi.change_node
 where node = %(node)s and settle_at <= clock_timestamp()
 order by settle_at
 limit %(most)s
"""

_SETTLED = """
update pbxapi.change_node set settle_at = null, settle_keys = null
 where node = %(node)s and change_id = any(%(changes)s)
"""


class NodeDrain:
    """Drains one node.

    Args:
        node: its name.
        event_socket: of its switch.
        registry: whose effects.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        registry: Registry,
        node: str,
        event_socket: EventSocket,
    ) -> None:
        self._config = config
        self._database = database
        self._registry = registry
        self._name = node
        self._event_socket = event_socket
        self._tasks: Mapping[tuple[str, str], Task] = {
            (plugin.name, name): task
            for plugin in registry.plugins
            if plugin.plugin is not None and not plugin.error
            for name, task in plugin.plugin.tasks.items()
        }

    def run(self) -> int:
        """Apply what is pending, then settle what is due; how many changes were looked at.

        Only one drain of a node runs at a time, whatever process it is in; a node that is not known has none.
        """
        seen = 0
        self._registry.look(self._database)
        with self._alone() as alone, self._database.reading() as session:
            known = session.row(_NODE, node=self._name) if alone else None
            if known is None:
                return 0
            node = read_node(self._config, session, self._name, self._event_socket, known["hostname"])
            end = time.monotonic() + SECONDS
            try:
                while time.monotonic() < end:
                    batch = self._take(session)
                    if batch:
                        seen += self._apply(session, node, batch, end)
                    # Between batches too: while changes come without end, what is due must not pile up.
                    self._settle(session, node)
                    if not batch:
                        break
                session.run(_BACK, node=self._name)
            except SwitchError as error:
                log.warning("node %s: %s", self._name, error)
                self._note_stop(session, str(error))
            except UNAVAILABLE:
                raise
            except Exception as error:
                # Nothing foreseen: it shows with the node, and is tried again like a switch that is away.
                log.exception("the drain of node %s fell", self._name)
                self._note_stop(session, f"{type(error).__name__}: {error}")
        return seen

    def _note_stop(self, session: Session, reason: str) -> None:
        session.run(_AWAY, node=self._name, error=_storable(reason), most=_AWAY_MOST)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with self._database.lend() as connection, connection.transaction():
            connection.execute(_NO_TIMEOUT)
            locked = connection.execute(_LOCK, {"name": f"drain:{self._name}"}).fetchone()
            yield bool(locked and locked["locked"])

    def mend(self, effects: Iterable[Effect]) -> list[str] | None:
        """Apply effects that no change wants; the reasons of those that failed. None while another drain runs.

        Raises:
            SwitchError: the switch is away, or does not say its name.
        """
        with self._alone() as alone, self._database.reading() as session:
            known = session.row(_NODE, node=self._name) if alone else None
            if known is None:
                return None
            node = read_node(self._config, session, self._name, self._event_socket, known["hostname"])
            plan = Plan()
            for effect in effects:
                plan.add(uuid4(), [effect])
            applying = self._applying(session, node, plan)
            applying.run()
            return list(applying.failed.values())

    def _take(self, session: Session) -> list[Row]:
        return session.rows(_TAKE, node=self._name, most=BATCH)

    def _apply(self, session: Session, node: Node, batch: list[Row], end: float) -> int:
        """Apply a batch, or as much of it as can be computed in time; how many changes."""
        planning = Planning(self._config, self._database, self._registry, session, node, batch)
        plan, failed = planning.plan, planning.failed
        changes: list[UUID] = []
        batch_id: UUID | None = None
        applying = self._applying(session, node, plan)
        try:
            for row in batch:
                now = time.monotonic()
                whole = row["batch_id"] is not None and row["batch_id"] == batch_id
                if changes and now >= (end + SECONDS_WHOLE if whole else end):
                    break
                batch_id = row["batch_id"]
                changes.append(row["change_id"])
                planning.add(row)
                if len(changes) % AHEAD == 0:
                    planning.refresh()
            planning.refresh()
            applying.run()
        except (SwitchBarred, SwitchRefused) as error:
            # It stays so until somebody mends it: that is a failure of each.
            changes = changes or [row["change_id"] for row in batch]
            self._mark(changes, plan, {**dict.fromkeys(changes, str(error)), **applying.failed, **failed})
            raise
        except SwitchUnavailable as error:
            changes = changes or [row["change_id"] for row in batch]
            session.run(_WAITING, node=self._name, changes=changes, error=_storable(str(error)))
            raise
        self._mark(changes, plan, {**applying.failed, **failed})
        return len(changes)

    def _applying(self, session: Session, node: Node, plan: Plan) -> Applying:
        known = session.row(_NODE, node=self._name)

        def note_reload(owed: bool, done: bool) -> None:
            session.run(_OWE, node=self._name, owed=owed, done=done)

        return Applying(node, plan, self._tasks, bool(known and known["reload_wanted"]), note_reload)

    def _mark(self, changes: list[UUID], plan: Plan, failed: Mapping[UUID, str]) -> None:
        """Store what became of changes. Keys that were deleted are deleted again whatever became of the rest."""
        keys, notes = plan.keys(), plan.notes()
        for change_id, reason in failed.items():
            log.warning("change %s cannot be applied on node %s: %s", change_id, self._name, reason)
        done = [
            {
                "change_id": change_id,
                "error": _storable(failed[change_id]) if change_id in failed else None,
                "keys": [key for key in keys.get(change_id, ()) if key == _storable(key)] or None,
                "note": _storable(notes.get(change_id, "")) or None,
            }
            for change_id in changes
        ]
        with self._database.writing() as writing:
            writing.do(_HOLD, changes=changes)
            writing.do(
                _MARK,
                node=self._name,
                done=orjson.dumps(done).decode(),
                most=self._config.changes_attempts,
                pause=PAUSE_MOST,
                settle=SETTLE_SECONDS,
            )
            writing.do(_TELL, changes=changes)

    def _settle(self, session: Session, node: Node) -> None:
        """Delete keys again. A change whose keys cannot be deleted now is applied once more, and so has a face."""
        while due := session.rows(_SETTLE, node=self._name, most=BATCH):
            plan = Plan()
            for row in due:
                plan.add(row["change_id"], cleared_again(row["settle_keys"]))
            applying = self._applying(session, node, plan)
            applying.clear_cache()
            changes = [row["change_id"] for row in due]
            session.run(_SETTLED, node=self._name, changes=[c for c in changes if c not in applying.failed])
            if applying.failed:
                self._mark(list(applying.failed), plan, applying.failed)


def _storable(text: str) -> str:
    """Text that PostgreSQL can store, in JSON too, whatever an exception or a plugin put in."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()[:2000]


_drains: dict[str, NodeDrain] = {}


def serve(node: str, drain_of_node: NodeDrain) -> None:
    """Make this process the one that drains a node."""
    _drains[node] = drain_of_node


def drain(node: str) -> int:
    """The RQ job: drain a node that this process serves. What PostgreSQL cuts short, the relay starts again."""
    try:
        return _drains[node].run()
    except UNAVAILABLE as error:
        log.warning("node %s: PostgreSQL is away (%s)", node, type(error).__name__)
        return 0
