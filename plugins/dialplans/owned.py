"""Dialplans of records with a number of their own: conferences, ring groups, IVR menus, call flows.

Such a record owns one row of v_dialplans, named by its column dialplan_uuid, and writes its XML; there are no
details (FusionPBX's pages of these applications do the same).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import Call, Change, ClearCacheBelow, Effect
from pbxapi.plugin.dialling import check_context
from pbxapi.xml import InvalidValue, is_public

from .dialplans import clear_contexts, fault, file_effects, is_single

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class OwnedDialplan:
    """How the records of one application write their dialplans.

    The resource says ``uses=OwnedDialplan.USES`` and keeps `kept`; its schema has ``dialplan_uuid``, dump_only.

    Attributes:
        prefix: of the record's columns ``<prefix>_name``, ``_extension``, ``_context``, ``_enabled`` and
            ``_description``.
        app: FusionPBX's uuid of the application, in the dialplan's row.
        order: place among the domain's dialplans.
        xml: makes the XML of a record; raises InvalidValue.
    """

    USES = ("owned_dialplans", "dialplans")

    prefix: str
    app: UUID
    order: int
    xml: Callable[[Call, Record], str]

    @property
    def kept(self) -> tuple[str, ...]:
        """What of the old record `effects` needs."""
        return "dialplan_uuid", self._column("name"), self._column("context")

    def prepare(self, call: Call, record: dict[str, Any], old: Record | None) -> None:
        """Give a record its dialplan, and a context of its domain.

        Raises:
            ApiError: 400 with the field that names a foreign context, or cannot stand in XML.
        """
        context = self._column("context")
        record[context] = record.get(context) or call.caller.domain_name
        if old is None or record[context] != old.get(context):
            check_context(call, record[context], context)
        record["dialplan_uuid"] = record.get("dialplan_uuid") or str(uuid4())
        self._xml(call, record)

    def store(self, call: Call, record: Record) -> None:
        """Write the dialplan of a prepared record; make it again where somebody deleted it."""
        columns = {
            "dialplan_uuid": record["dialplan_uuid"],
            "app_uuid": self.app,
            "dialplan_context": record[self._column("context")],
            "dialplan_name": record[self._column("name")],
            "dialplan_number": record[self._column("extension")],
            "dialplan_xml": self._xml(call, record),
            "dialplan_order": self.order,
            "dialplan_enabled": record[self._column("enabled")],
            "dialplan_description": record[self._column("description")],
        }
        if not call.run("owned_dialplans/update", **columns):
            call.do("owned_dialplans/create", **columns)

    def remove(self, call: Call, record: Record) -> None:
        """The dialplan goes with its record."""
        if record["dialplan_uuid"]:
            call.do("owned_dialplans/delete", dialplan_uuid=record["dialplan_uuid"])

    def effects(self, change: Change) -> Iterator[Effect]:
        """The cache entries of the old and the new context go; the dialplan's file follows."""
        # A record without a context is an older one: its dialplan is in the domain's.
        contexts = change.values(self._column("context")) or [change.domain_name]
        yield from clear_contexts(contexts)
        outside = [context for context in contexts if is_public(context)]
        if outside and is_single(change.row("dialplans/mode")):
            for context in outside:
                yield ClearCacheBelow(f"dialplan:{context}:")
        if "dialplan" in change.folders:
            for uuid in change.values("dialplan_uuid"):
                current = change.row("dialplans/get", dialplan_uuid=UUID(uuid), apps=None)
                yield from file_effects(change, UUID(uuid), self._places(change), current)

    def _xml(self, call: Call, record: Record) -> str:
        # Kept out of the record: it may hold a PIN, and the audit row holds the record.
        try:
            return self.xml(call, record)
        except InvalidValue as error:
            raise fault(error, self._column("name")) from None

    def _places(self, change: Change) -> list[Record]:
        if not change.old:
            return []
        place = {
            "dialplan_context": change.old[self._column("context")] or change.domain_name,
            "dialplan_name": change.old[self._column("name")] or "",
            "dialplan_order": self.order,
        }
        return [place]

    def _column(self, name: str) -> str:
        return f"{self.prefix}_{name}"
