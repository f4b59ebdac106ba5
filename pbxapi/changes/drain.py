"""The drain: all that is pending for one node, computed from the current rows, applied, marked.

It is the worker's only job. A wake-up names the node and nothing else, so that a burst of changes is one drain, a
lost job costs only the relay's next look, and no order of jobs can bring an old value back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson

from pbxapi.changes.apply import Applying, Plan, Task
from pbxapi.changes.nodes import folder_names, read_node
from pbxapi.config import Config
from pbxapi.data.database import UNAVAILABLE, Database, Row, Session
from pbxapi.errors import SwitchError, SwitchUnavailable
from pbxapi.plugin import Change, Effect, Note, Refresh
from pbxapi.plugin.loader import Registry
from pbxapi.switch.event_socket import EventSocket
from pbxapi.switch.node import Node

log = logging.getLogger(__name__)

BATCH = 500
SECONDS = 20.0
"""A drain ends after this, so that RQ sees a living worker; the relay wakes the next one."""

SETTLE_SECONDS = 2.0
"""The switch's Lua may have read the old row just before the commit and write its cache entry just after our
delete, where it would stay for ever. So entries are deleted again this much later."""

_LOCK = "select pg_try_advisory_lock(hashtextextended(%(name)s, 7063)) as locked"
_UNLOCK = "select pg_advisory_unlock(hashtextextended(%(name)s, 7063))"

_TAKE = """
select c.change_id, c.resource, c.action, c.record_uuid, c.domain_uuid, c.domain_name, c.old, c.changed,
       n.attempts
  from pbxapi.change_node as n
  join pbxapi.change as c using (change_id)
 where n.node = %(node)s and n.state = 'pending'
   and n.due_at <= clock_timestamp()
 order by n.due_at
 limit %(most)s
"""

_APPLIED = """
update pbxapi.change_node as n
   set state = 'applied', applied_at = clock_timestamp(), error = done.note,
       settle_keys = done.keys,
       settle_at = case when done.keys is null then null
                        else clock_timestamp() + make_interval(secs => %(seconds)s) end
  from jsonb_to_recordset(%(done)s::jsonb) as done(change_id uuid, keys text[], note text)
 where n.change_id = done.change_id and n.node = %(node)s
"""

_FAILED = """
update pbxapi.change_node
   set attempts = attempts + 1,
       error = %(error)s,
       state = case when attempts + 1 >= %(most)s then 'failed' else 'pending' end,
       due_at = clock_timestamp() + make_interval(secs => %(pause)s)
 where change_id = %(change_id)s and node = %(node)s
"""

_WAITING = """
update pbxapi.change_node set error = %(error)s
 where node = %(node)s and change_id = any(%(changes)s) and error is distinct from %(error)s
"""

_NODE = "select hostname, reload_wanted, attempts from pbxapi.node where name = %(node)s"

_OWE = "update pbxapi.node set reload_wanted = %(wanted)s where name = %(node)s"

_AWAY = """
update pbxapi.node
   set attempts = attempts + 1, error = %(error)s,
       retry_at = clock_timestamp() + make_interval(secs => %(pause)s)
 where name = %(node)s
"""

_BACK = "update pbxapi.node set attempts = 0, error = null, retry_at = null where name = %(node)s and attempts > 0"

_SETTLE = """
with due as (
  select change_id, node, settle_keys from pbxapi.change_node
   where node = %(node)s and settle_at <= clock_timestamp()
   order by settle_at
   limit %(most)s
)
select change_id, settle_keys from due
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

        Only one drain of a node runs at a time, whatever process it is in.
        """
        seen = 0
        with self._alone() as alone:
            if not alone:
                return 0
            end = time.monotonic() + SECONDS
            with self._database.reading() as session:
                node = read_node(self._config, session, self._name, self._event_socket)
                try:
                    while time.monotonic() < end and (batch := self._take(session)):
                        seen += len(batch)
                        self._apply(session, node, batch)
                    self._settle(session, node)
                    session.run(_BACK, node=self._name)
                except SwitchUnavailable as error:
                    self._note_away(session, str(error))
        return seen

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        name = f"drain:{self._name}"
        with self._database.lend() as connection:
            locked = connection.execute(_LOCK, {"name": name}).fetchone()
            alone = bool(locked and locked["locked"])
            try:
                yield alone
            finally:
                if alone and not connection.closed:
                    connection.execute(_UNLOCK, {"name": name})

    def _take(self, session: Session) -> list[Row]:
        return session.rows(_TAKE, node=self._name, most=BATCH)

    def _apply(self, session: Session, node: Node, batch: list[Row]) -> None:
        known = session.row(_NODE, node=self._name) or {"hostname": None, "reload_wanted": False}
        hostname = self._hostname(node, known["hostname"])
        plan = Plan()
        failed: dict[UUID, str] = {}
        for row in batch:
            self._plan_change(plan, failed, session, row, node, hostname)
        applying = Applying(node, plan, self._tasks, known["reload_wanted"], self._owe(session))
        try:
            applying.run()
        except SwitchUnavailable as error:
            changes = [row["change_id"] for row in batch]
            session.run(_WAITING, node=self._name, changes=changes, error=str(error))
            raise
        self._mark(session, batch, plan, {**applying.failed, **failed})

    def _hostname(self, node: Node, remembered: str | None) -> str:
        try:
            return node.hostname
        except SwitchError:
            # The switch is away: its files can be put right all the same, under the name that it last said.
            if remembered is None:
                raise
            node.__dict__["hostname"] = remembered
            return remembered

    def _plan_change(
        self, plan: Plan, failed: dict[UUID, str], session: Session, row: Row, node: Node, hostname: str
    ) -> None:
        """Plan a change's own effects, then those of the records that it refreshes, each once."""
        change_id: UUID = row["change_id"]
        own = Refresh(row["resource"], row["record_uuid"])
        waiting = [own]
        for record in waiting:
            try:
                effects = self._effects(session, row, record, node, hostname, own=record is own)
            except SwitchUnavailable:
                raise
            except Exception as error:
                # Whatever a plugin's effects function raises is its change's fault, not the batch's.
                log.exception("the effects of change %s cannot be computed", change_id)
                failed.setdefault(change_id, f"{type(error).__name__}: {error}")
                continue
            waiting += [e for e in dict.fromkeys(effects) if isinstance(e, Refresh) and e not in waiting]
            # What is left out of another record concerns whoever wrote that one.
            unwanted = Refresh if record is own else (Refresh, Note)
            plan.add(change_id, [e for e in effects if not isinstance(e, unwanted)])

    def _effects(
        self, session: Session, row: Row, record: Refresh, node: Node, hostname: str, *, own: bool
    ) -> list[Effect]:
        resource = self._registry.resources.get(record.resource)
        if resource is None:
            if not own:
                return []
            raise LookupError(f"no plugin serves the resource {record.resource}")
        if resource.declaration.effects is None:
            return []
        change = Change(
            resource=resource,
            session=session,
            action=row["action"] if own else "update",
            uuid=record.uuid,
            domain_uuid=row["domain_uuid"],
            domain_name=row["domain_name"],
            old=(row["old"] or {}) if own else {},
            changed=frozenset((row["changed"] or ()) if own else ()),
            config=self._config,
            hostname=hostname,
            folders=folder_names(node),
        )
        return list(resource.declaration.effects(change))

    def _owe(self, session: Session) -> Any:
        def note(wanted: bool) -> None:
            session.run(_OWE, node=self._name, wanted=wanted)

        return note

    def _mark(self, session: Session, batch: list[Row], plan: Plan, failed: Mapping[UUID, str]) -> None:
        keys, notes = plan.keys(), plan.notes()
        done = [
            {
                "change_id": row["change_id"],
                "keys": keys.get(row["change_id"]),
                "note": notes.get(row["change_id"], "")[:2000] or None,
            }
            for row in batch
            if row["change_id"] not in failed
        ]
        session.run(_APPLIED, node=self._name, done=orjson.dumps(done).decode(), seconds=SETTLE_SECONDS)
        attempts = {row["change_id"]: row["attempts"] for row in batch}
        for change_id, reason in failed.items():
            log.warning("change %s cannot be applied on node %s: %s", change_id, self._name, reason)
            session.run(
                _FAILED,
                node=self._name,
                change_id=change_id,
                error=reason[:2000],
                most=self._config.changes_attempts,
                pause=min(2.0 ** attempts[change_id], 300.0),
            )

    def _settle(self, session: Session, node: Node) -> None:
        while due := session.rows(_SETTLE, node=self._name, most=BATCH):
            keys = dict.fromkeys(key for row in due for key in row["settle_keys"])
            node.clear_cache(key for key in keys if not key.endswith("*"))
            for key in keys:
                if key.endswith("*"):
                    node.cache.delete_matching(key.removesuffix("*"))
            session.run(_SETTLED, node=self._name, changes=[row["change_id"] for row in due])

    def _note_away(self, session: Session, reason: str) -> None:
        known = session.row(_NODE, node=self._name)
        attempts = known["attempts"] if known else 0
        log.warning("node %s: %s", self._name, reason)
        session.run(_AWAY, node=self._name, error=reason, pause=min(0.5 * 2.0 ** min(attempts, 10), 10.0))


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
