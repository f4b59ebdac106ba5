"""What must hold over all records before one is written: unique values, numbers of one meaning, links that lead
somewhere. Checked for any number of records at once, under locks, since the database has no constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pbxapi.data.database import Row
from pbxapi.errors import ApiError, duplicate, invalid
from pbxapi.plugin.fields import Link, links_in, may_link

if TYPE_CHECKING:
    from pbxapi.plugin.call import Call
    from pbxapi.plugin.resource import Unique

Records = Sequence[Mapping[str, Any]]
Target = tuple[str, str, bool]
"""Table and column that a link leads to, and whether a record that all share will do."""


class Claims:
    """What some records that are about to be written claim; asked for at once, and answered by `faults`.

    Of records that want the same, the first that is right gets it. Other transactions that want it wait until this
    one ends.

    Args:
        old: the record before, of an update of one.
    """

    def __init__(self, call: Call, records: Records, old: Mapping[str, Any] | None = None) -> None:
        changed = [set(r) if old is None else {n for n, v in r.items() if old.get(n) != v} for r in records]
        self._places = range(len(records))
        self._checks: list[_Uniques | _Numbers | _Links] = [
            *(_Uniques(call, unique, records, changed) for unique in call.resource.declaration.uniques),
            _Numbers(call, [_numbers_of(call, r, c) for r, c in zip(records, changed, strict=True)]),
            _Links(call, records, changed),
        ]

    def faults(self) -> list[ApiError | None]:
        """What is wrong with each record; None where nothing is."""
        for check in self._checks:
            check.read()
        return [self._fault(place) for place in self._places]

    def _fault(self, place: int) -> ApiError | None:
        for check in self._checks:
            if fault := check.fault(place):
                return fault
        for check in self._checks:
            check.give(place)
        return None


def check_numbers(call: Call, numbers: Mapping[str, str]) -> None:
    """Check that numbers (field -> number) mean nothing else in this domain yet.

    Raises:
        ApiError: 409 DUPLICATE_ERROR with the field; the message says what has the number.
    """
    check = _Numbers(call, [numbers])
    check.read()
    if fault := check.fault(0):
        raise fault


def _numbers_of(call: Call, record: Mapping[str, Any], changed: set[str]) -> dict[str, str]:
    return {n: str(record[n]) for n in call.resource.declaration.numbers if n in changed and record.get(n)}


class _Uniques:
    """One `Unique` of the resource."""

    def __init__(self, call: Call, unique: Unique, records: Records, changed: Sequence[set[str]]) -> None:
        self._label = call.resource.declaration.label
        self._column = unique.columns[0]
        self._values: list[tuple[str, ...] | None] = [
            tuple(str(record[column]).lower() for column in unique.columns)
            if record.get(self._column) not in unique.free
            and not names.isdisjoint(unique.columns)
            and all(record.get(column) for column in unique.columns)
            else None
            for record, names in zip(records, changed, strict=True)
        ]
        self._wanted = sorted({values for values in self._values if values})
        self._found = self._ask(call, unique, self._wanted) if self._wanted else list

    def _ask(self, call: Call, unique: Unique, wanted: list[tuple[str, ...]]) -> Callable[[], list[Row]]:
        declaration = call.resource.declaration
        everywhere = unique.everywhere(call) if callable(unique.everywhere) else unique.everywhere
        owner = "everywhere" if everywhere else call.caller.domain_uuid
        call.lock_all(("unique", declaration.table, owner, *values) for values in wanted)
        asked = {f"_asked_{n}": [values[n] for values in wanted] for n in range(len(unique.columns))}
        lists = ", ".join(f"%({name})s::text[]" for name in asked)
        same = " and ".join(f"lower(t.{c}::text) = lower(asked.v{n})" for n, c in enumerate(unique.columns))
        text = (
            f"select distinct asked.place from unnest({lists}) with ordinality"
            f" as asked ({', '.join(f'v{n}' for n in range(len(asked)))}, place)"
            f" join {declaration.table} as t on {same}"
            f" where (%(own)s::uuid is null or t.{declaration.id} <> %(own)s)"
            + ("" if everywhere else " and t.domain_uuid = %(domain_uuid)s")
        )
        return call.session.ask(text, **asked, own=call.uuid, domain_uuid=call.caller.domain_uuid)

    def read(self) -> None:
        """Wait for what was asked."""
        self._taken = {self._wanted[row["place"] - 1] for row in self._found()}

    def fault(self, place: int) -> ApiError | None:
        taken = self._values[place] in self._taken
        return duplicate(f"{self._label} already exists", self._column) if taken else None

    def give(self, place: int) -> None:
        if values := self._values[place]:
            self._taken.add(values)


class _Numbers:
    """Numbers that are dialled in the domain: the lower dialplan order would silently win."""

    def __init__(self, call: Call, numbers: Sequence[Mapping[str, str]]) -> None:
        self._label = call.resource.declaration.label
        self._numbers = numbers
        wanted = sorted({number for named in numbers for number in named.values()})
        self._found = self._ask(call, wanted) if wanted else list

    def _ask(self, call: Call, wanted: list[str]) -> Callable[[], list[Row]]:
        domain = call.caller.domain_uuid
        call.lock_all(("number", domain, number) for number in wanted)
        return call.session.ask(
            call.resource.shared["number_taken"],
            numbers=wanted,
            domain_uuid=domain,
            domain_name=call.caller.domain_name,
            own=call.uuid,
        )

    def read(self) -> None:
        """Wait for what was asked."""
        self._taken: dict[str, str] = {}
        for row in self._found():
            self._taken.setdefault(row["number"], row["what"])

    def fault(self, place: int) -> ApiError | None:
        for field, number in self._numbers[place].items():
            what = self._taken.get(number)
            if what == self._label:
                return duplicate(f"{what} already exists", field)
            if what is not None:
                return duplicate(f"The number {number} is taken by a {what.lower()}", field)
        return None

    def give(self, place: int) -> None:
        self._taken |= dict.fromkeys(self._numbers[place].values(), self._label)


class _Links:
    """Links to other records of the domain."""

    def __init__(self, call: Call, records: Records, changed: Sequence[set[str]]) -> None:
        schema = call.resource.schema
        linking = may_link(schema)
        self._links = [
            [
                (place, _target(link), uuid)
                for place, link, uuid in links_in(schema, record, filter(names.__contains__, linking))
            ]
            for record, names in zip(records, changed, strict=True)
        ]
        wanted: dict[Target, set[str]] = {}
        for _, target, uuid in (link for links in self._links for link in links):
            wanted.setdefault(target, set()).add(uuid)
        self._found = {target: ask_linked(call, target, uuids) for target, uuids in wanted.items()}

    def read(self) -> None:
        """Wait for what was asked."""
        self._linked = {target: {row["uuid"] for row in rows()} for target, rows in self._found.items()}

    def fault(self, place: int) -> ApiError | None:
        for where, target, uuid in self._links[place]:
            if UUID(uuid) not in self._linked[target]:
                return dead_link(where)
        return None

    def give(self, place: int) -> None:
        pass


def _target(link: Link) -> Target:
    return link.table, link.column, link.shared


def dead_link(field: str) -> ApiError:
    """400 for a link whose record is not of the caller's domain."""
    return invalid(f"{field} names no record of this domain", field)


def find_linked(call: Call, target: Target, uuids: Iterable[str]) -> set[UUID]:
    """Those of some uuids that a link may lead to."""
    return {row["uuid"] for row in ask_linked(call, target, uuids)()}


def ask_linked(call: Call, target: Target, uuids: Iterable[str]) -> Callable[[], list[Row]]:
    """As `find_linked`, as rows that are there once they are asked for."""
    table, column, shared = target
    owner = "(domain_uuid = %(domain_uuid)s or domain_uuid is null)" if shared else "domain_uuid = %(domain_uuid)s"
    text = f"select {column} as uuid from {table} where {column} = any(%(uuids)s) and {owner}"
    wanted = [UUID(uuid) for uuid in uuids]
    return call.session.ask(text, uuids=wanted, domain_uuid=call.caller.domain_uuid)
