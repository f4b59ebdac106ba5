"""From the changes of a batch to one plan: what each wants of a node, computed from the rows as they are now."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable
from typing import Any
from uuid import UUID

from pbxapi.changes.apply import Plan
from pbxapi.changes.nodes import folder_names
from pbxapi.config import Config
from pbxapi.data.database import STALE, Database, DatabaseError, Row, Session
from pbxapi.plugin import Change, Effect, Note, Refresh
from pbxapi.plugin.change import Place
from pbxapi.plugin.loader import LoadedResource, Registry
from pbxapi.switch.node import Node

log = logging.getLogger(__name__)


class Planning:
    """Computes the effects of a batch.

    What is read for one of its changes is read for many of them at once (`Change.own`), and a record that several
    refresh is computed once.

    Args:
        session: for reads.
        node: where the effects will be applied.
        batch: the rows of the changes.

    Attributes:
        plan: what was computed so far.
        failed: the changes whose effects could not be computed, with the reasons.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        registry: Registry,
        session: Session,
        node: Node,
        batch: Iterable[Row],
    ) -> None:
        self.plan = Plan()
        self.failed: dict[UUID, str] = {}
        self._config = config
        self._database = database
        self._registry = registry
        self._session = session
        self._node = node
        self._folders = folder_names(node)
        self._known: dict[Hashable, Any] = {}
        self._together: dict[str, dict[Place, None]] = {}
        self._refreshed: dict[tuple[str, Place], _Refreshed] = {}
        self._waiting: list[tuple[_Refreshed, set[UUID]]] = []
        for row in batch:
            self._together.setdefault(row["resource"], {})[_place(row)] = None

    def add(self, row: Row) -> None:
        """Plan a change's own effects; the records that it refreshes wait for `refresh`.

        Raises:
            SwitchError: the switch does not say its name, and never has.
            DatabaseError: the connection is lost.
        """
        change_id: UUID = row["change_id"]
        hostname = self._node.hostname
        try:
            resource = self._registry.resources.get(row["resource"])
            if resource is None:
                raise LookupError(f"no plugin serves the resource {row['resource']}")
            effects = self._compute(
                resource, _place(row), hostname, row["action"], row["old"] or {}, row["changed"] or ()
            )
        except Exception as error:
            self._note_fault(error, {change_id})
            return
        self.plan.add(change_id, [effect for effect in effects if not isinstance(effect, Refresh)])
        own = (row["resource"], _place(row))
        self._note_refreshed(effects, own[1], {change_id}, but=own)

    def refresh(self) -> None:
        """Plan the effects of the records that were to be refreshed, and of those that they refresh.

        A fault in them is the fault of the changes that wanted them; what is left out of them concerns whoever
        wrote them.

        Raises:
            As `add`.
        """
        for record, wanting in self._waiting:
            new = wanting - record.wanted_by
            record.wanted_by |= new
            if not new:
                continue
            if record.effects is None and not record.fault:
                try:
                    record.effects = self._compute(record.resource, record.place, self._node.hostname, "update")
                except Exception as error:
                    record.fault = self._note_fault(error, new)
            for change_id in new:
                if record.fault:
                    self.failed.setdefault(change_id, record.fault)
                own = (e for e in record.effects or () if not isinstance(e, Refresh | Note))
                self.plan.add(change_id, own)
            self._note_refreshed(record.effects or (), record.place, new)
        self._waiting = []

    def _note_refreshed(
        self,
        effects: Iterable[Effect],
        place: Place,
        wanting: set[UUID],
        *,
        but: tuple[str, Place] | None = None,
    ) -> None:
        _, domain_uuid, domain_name = place
        for effect in effects:
            if not isinstance(effect, Refresh):
                continue
            key = (effect.resource, (effect.uuid, domain_uuid, domain_name))
            resource = self._registry.resources.get(effect.resource)
            if resource is None or key == but:
                continue
            self._together.setdefault(effect.resource, {})[key[1]] = None
            record = self._refreshed.setdefault(key, _Refreshed(resource, key[1]))
            self._waiting.append((record, wanting))

    def _compute(
        self,
        resource: LoadedResource,
        place: Place,
        hostname: str,
        action: str,
        old: dict[str, Any] | None = None,
        changed: Iterable[str] = (),
    ) -> list[Effect]:
        if resource.declaration.effects is None:
            return []
        uuid, domain_uuid, domain_name = place
        change = Change(
            resource=resource,
            session=self._session,
            action=action,
            uuid=uuid,
            domain_uuid=domain_uuid,
            domain_name=domain_name,
            old=old or {},
            changed=frozenset(changed),
            config=self._config,
            hostname=hostname,
            folders=self._folders,
            known=self._known,
            together=self._together.get(resource.declaration.name, {}),
        )
        try:
            return list(resource.declaration.effects(change))
        except STALE:
            # FusionPBX was upgraded meanwhile: once more, with statements made for its tables as they are now.
            self._registry.look(self._database, 0.0)
            return list(resource.declaration.effects(change))

    def _note_fault(self, error: Exception, changes: set[UUID]) -> str:
        """Whatever a plugin's effects function raises is its changes' fault, not the batch's; what it was."""
        if isinstance(error, DatabaseError) and self._session.lost:
            raise error
        reason = f"{type(error).__name__}: {error}"
        for change_id in changes:
            log.error("the effects of change %s cannot be computed", change_id, exc_info=error)
            self.failed.setdefault(change_id, reason)
        return reason


class _Refreshed:
    """A record whose effects changes of the batch want, beside their own."""

    def __init__(self, resource: LoadedResource, place: Place) -> None:
        self.resource = resource
        self.place = place
        self.wanted_by: set[UUID] = set()
        self.effects: list[Effect] | None = None
        self.fault = ""


def _place(row: Row) -> Place:
    return row["record_uuid"], row["domain_uuid"], row["domain_name"]
