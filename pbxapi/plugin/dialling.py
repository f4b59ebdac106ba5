"""What a value may make the switch dial: the fence between tenants.

FreeSWITCH picks a dialplan by its context, not by its owner, and its scripts execute or dial what stands in their
columns. So contexts, numbers and actions are checked where they are written (docs/decisions/fence.md). All of it
is lifted for the system's key with ``X-Allow-Global: true``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pbxapi.errors import invalid
from pbxapi.plugin.call import Call
from pbxapi.plugin.fence import APPLICATIONS, Beyond, Fence, Reference
from pbxapi.xml.dialplan import Detail, actions, looked_at, texts
from pbxapi.xml.text import InvalidValue

__all__ = [
    "APPLICATIONS",
    "NUMBER",
    "check_action",
    "check_actions",
    "check_context",
    "check_details",
    "check_xml",
    "split_action",
]

NUMBER = r"[0-9A-Za-z*#+._-]{1,64}"
"""An extension's number, or any other that a phone can dial in the domain."""

_PUBLIC = re.compile(r"[0-9A-Za-z_-]+")

_FOREIGN_DOMAIN = """
select lower(domain_name) as name
  from v_domains
 where lower(domain_name) = any(%(names)s) and domain_uuid <> %(domain_uuid)s
 limit 1
"""
_OWN_BRIDGE = """
select 1 from v_bridges where bridge_destination = %(data)s and domain_uuid = %(domain_uuid)s limit 1
"""

Fields = Callable[[int], tuple[str, str]]
"""The fields of an action's application and of its data, by the action's number from 0."""


def check_context(call: Call, context: str, field: str) -> None:
    """Refuse a context that is not the caller's own.

    Allowed are the domain's name, ``public``, ``public@<domain>`` and the like, and ``<domain>.public``; anything
    for the system's key with ``X-Allow-Global: true``.

    Raises:
        ApiError: 400 with the field.
    """
    domain = call.caller.domain_name
    before, at, after = context.partition("@")
    own = context in (domain, "public", f"{domain}.public")
    carried = bool(at) and after == domain and _PUBLIC.fullmatch(before) is not None
    if not (own or carried or call.caller.allow_global):
        raise invalid(f"{field} must be {domain}, public or a context that carries the domain", field)


def check_actions(call: Call, actions: Iterable[tuple[str, str]], fields: str | Fields) -> None:
    """Refuse actions that reach beyond the caller's domain, or beyond the call.

    The applications are those of `APPLICATIONS` and of the operator's setting PBXAPI_DIALPLAN_APPLICATIONS; of
    the former the data is checked too: contexts, users, conferences, recordings and gateways must be the domain's
    own, and no variable may be set that the switch would run.

    Args:
        actions: (application, data) each.
        fields: the field to name in an error, or a function that gives those of an action.

    Raises:
        ApiError: 400 with the field of the application or of the data.
    """
    if call.caller.allow_global:
        return
    guard = _Guard(call)
    for number, action in enumerate(actions):
        guard.action(*action, *((fields, fields) if isinstance(fields, str) else fields(number)))
    guard.settle()


def check_action(call: Call, application: str, data: str, field: str) -> None:
    """`check_actions` for one; without an application there is nothing to check, and no data may stand.

    Raises:
        ApiError: 400 with the field.
    """
    if application:
        check_actions(call, [(application, data)], field)
    elif data:
        raise invalid(f"{field} needs an application", field)


def split_action(text: str) -> tuple[str, str]:
    """FusionPBX's ``application:data``, parted at the first colon."""
    application, _, data = text.partition(":")
    return application, data


def check_details(call: Call, details: Sequence[Detail], field: str = "details") -> None:
    """`check_actions` for the details of a dialplan, and for what the switch runs while it compares conditions.

    Raises:
        ApiError: 400 with a field such as ``details.3.dialplan_detail_data``.
    """
    if call.caller.allow_global:
        return
    guard = _Guard(call)
    for number, detail in enumerate(details):
        of_type, of_data = (f"{field}.{number}.dialplan_detail_{column}" for column in ("type", "data"))
        # What makes XML of it makes two dollars one.
        data = detail.data.replace("$$", "$")
        if detail.tag in ("action", "anti-action"):
            guard.action(detail.type, data, of_type, of_data)
        else:
            guard.field(detail.type, of_type)
            guard.text(data, of_data)
    guard.settle()


def check_xml(call: Call, xml: str, field: str = "dialplan_xml") -> None:
    """`check_actions` for a dialplan's XML, and for what the switch runs while it compares conditions.

    Raises:
        ApiError: 400 with the field.
    """
    if call.caller.allow_global:
        return
    guard = _Guard(call)
    try:
        for application, data in actions(xml):
            guard.action(application, data, field, field)
        for text in texts(xml):
            guard.text(text, field)
        for text in looked_at(xml):
            guard.field(text, field)
    except InvalidValue as fault:
        raise invalid(f"{field} {fault.reason}", field) from None
    guard.settle()


class _Guard:
    """The fence around the caller's domain, with the field of each thing that it leaves to the database."""

    def __init__(self, call: Call) -> None:
        recordings = (call.settings("switch/recordings").get("switch/recordings"), call.config.recordings_dir)
        allowed = frozenset(call.config.dialplan_applications)
        self._call = call
        self._fence = Fence(call.caller.domain_name, [str(folder) for folder in recordings if folder], allowed)
        self._references: dict[Reference, str] = {}
        self._hosts: dict[str, str] = {}

    def action(self, application: str, data: str, of_application: str, of_data: str) -> None:
        try:
            self._fence.check(application, data)
        except Beyond as beyond:
            # What somebody entered in FusionPBX's list of bridges for this domain is fine.
            if application != "bridge" or not self._row(_OWN_BRIDGE, data=data):
                field = of_application if beyond.application else of_data
                raise invalid(f"{field} {beyond.reason}", field) from None
        for reference in self._fence.references:
            self._references.setdefault(reference, of_data)
        for host in self._fence.hosts:
            self._hosts.setdefault(host, of_data)
        self._fence.references.clear()
        self._fence.hosts.clear()

    def text(self, text: str, field: str) -> None:
        try:
            self._fence.check_text(text)
        except Beyond as beyond:
            raise invalid(f"{field} {beyond.reason}", field) from None

    def field(self, text: str, field: str) -> None:
        try:
            self._fence.check_field(text)
        except Beyond as beyond:
            raise invalid(f"{field} {beyond.reason}", field) from None

    def settle(self) -> None:
        """Look up whose the named records are, and which names are other tenants'."""
        for reference, field in self._references.items():
            self._call.check_link(
                reference.table, reference.column, reference.value, field, shared=reference.shared
            )
        foreign = self._hosts and self._row(_FOREIGN_DOMAIN, names=list(self._hosts))
        if foreign:
            field = self._hosts[foreign["name"]]
            raise invalid(f"{field} reaches beyond the domain", field)

    def _row(self, statement: str, **parameters: Any) -> Mapping[str, Any] | None:
        return self._call.session.row(statement, domain_uuid=self._call.caller.domain_uuid, **parameters)
