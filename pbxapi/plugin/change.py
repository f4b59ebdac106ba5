"""What an ``effects`` function gets: one change, seen from the node where it is applied."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pbxapi.config import Config
from pbxapi.data.database import Row, Session
from pbxapi.data.settings import Settings, read_settings_each
from pbxapi.data.statements import NUMBER, of_each
from pbxapi.plugin.effects import Folder

if TYPE_CHECKING:
    from pbxapi.plugin.loader import LoadedResource

AHEAD = 200
"""Records that are read at once: enough that round trips no longer count, so few that one statement is quick."""

Place = tuple[UUID, UUID, str]
"""A record's uuid, and the uuid and the name of its domain."""


@dataclass
class Change:
    """One committed change, on its way to one switch node.

    The rows are read when it is applied, not when it was made: whatever order changes come in, the last state
    wins.

    Attributes:
        action: ``create``, ``update`` or ``delete``.
        uuid: of the record.
        old: the values before the change that `Resource.keep` names; empty on create.
        changed: names of the fields that an update changed, secret ones too; empty otherwise.
        config: the settings of the worker.
        hostname: what the node's own switch answers to ``hostname``; begins some cache keys.
        folders: the node's folders that are set, by name.
        known: what was read once for all changes that are applied together.
        together: the records of the resource that these changes are of, in their order.
    """

    resource: LoadedResource
    session: Session
    action: str
    uuid: UUID
    domain_uuid: UUID
    domain_name: str
    old: Mapping[str, Any]
    changed: frozenset[str]
    config: Config
    hostname: str
    folders: frozenset[Folder] = field(default_factory=frozenset)
    known: dict[Hashable, Any] = field(default_factory=dict)
    together: Collection[Place] = ()

    @cached_property
    def current(self) -> Row | None:
        """The record as it is now (``effects.sql``, else ``get.sql``); None once it is gone."""
        return next(iter(self.own(self.resource.current)), None)

    @property
    def options(self) -> Mapping[str, Any]:
        """Values of the plugin's own settings, by the variable's name."""
        return self.resource.options

    def values(self, name: str) -> list[str]:
        """What a field was and is, each once, without empty ones: the old number and the new one."""
        both = (self.old.get(name), (self.current or {}).get(name))
        return list(dict.fromkeys(str(value) for value in both if value))

    def rows(self, statement: str, /, **parameters: Any) -> list[Row]:
        """All rows of one of the resource's statements; ``domain_uuid`` is added."""
        return self.session.rows(self.resource.statement(statement), **self._with_domain(parameters))

    def own(self, statement: str) -> list[Row]:
        """All rows of one of the resource's selects that asks by the record's id, and its domain, alone.

        Read at once for many of the records whose changes are applied together, and so the way to read what each
        of them needs. As `once` has it, what is committed after that has a change of its own.
        """
        found: dict[Place, list[Row]] = self._known("own", statement)
        own = (self.uuid, self.domain_uuid, self.domain_name)
        if own not in found:
            others = (place for place in self.together if place != own and place not in found)
            self._read_each(statement, [own, *islice(others, AHEAD - 1)], found)
        return [dict(row) for row in found[own]]

    def once(self, statement: str, /, **parameters: Any) -> list[Row]:
        """As `rows`, for what does not depend on the record: read once for all changes that are applied together.

        Whatever is committed after that has a change of its own, which is applied later.
        """
        found: dict[UUID, list[Row]] = self._known("once", statement, *sorted(parameters.items()))
        if self.domain_uuid not in found:
            if parameters:
                found[self.domain_uuid] = self.rows(statement, **parameters)
            else:
                places = self._domains(found)
                each: dict[Place, list[Row]] = {}
                self._read_each(statement, places, each)
                found.update({place[1]: each[place] for place in places})
        return found[self.domain_uuid]

    def row(self, statement: str, /, **parameters: Any) -> Row | None:
        """The first row of one of the resource's statements, or None."""
        return self.session.row(self.resource.statement(statement), **self._with_domain(parameters))

    def settings(self, *names: str) -> Settings:
        """FusionPBX's settings ``category/subcategory`` for the change's domain; read once, as `once` has it."""
        found: dict[UUID, Settings] = self._known("settings", *names)
        if self.domain_uuid not in found:
            domains = [domain_uuid for _, domain_uuid, _ in self._domains(found)]
            found.update(read_settings_each(self.session, domains, names))
        return found[self.domain_uuid]

    def _known(self, *what: Hashable) -> dict[Any, Any]:
        """What has been read of something for changes of the resource."""
        found: dict[Any, Any] = self.known.setdefault((self.resource.declaration.name, *what), {})
        return found

    def _domains(self, found: Collection[UUID]) -> list[Place]:
        """A record of this change's domain, and one of each of the next domains that nothing is known of yet."""
        places = {self.domain_uuid: (self.uuid, self.domain_uuid, self.domain_name)}
        for place in self.together:
            if len(places) < AHEAD and place[1] not in found:
                places.setdefault(place[1], place)
        return list(places.values())

    def _read_each(self, statement: str, places: Sequence[Place], found: dict[Place, list[Row]]) -> None:
        resource = self.resource.declaration
        uuids, domains, names = zip(*places, strict=True)
        rows = self.session.rows(
            of_each(self.resource.statement(statement).text, resource.id),
            each_uuid=list(uuids),
            each_domain_uuid=list(domains),
            each_domain_name=list(names),
            **{**resource.parameters, "domains": None},
        )
        found.update((place, []) for place in places)
        for row in rows:
            found[places[row.pop(NUMBER) - 1]].append(row)

    def _with_domain(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        domain = {"domain_uuid": self.domain_uuid, "domain_name": self.domain_name, "domains": None}
        return {**domain, **self.resource.declaration.parameters, **parameters}
