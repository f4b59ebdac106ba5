"""Where ring groups, IVR menus and call flows send a call: pairs of an application and its data.

FusionPBX's scripts execute whatever stands in these columns, so the pair is checked, not the application alone:
what its editors offer, for the caller's own domain (app/destinations/resources/classes/destinations.php).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pbxapi.plugin import Call, invalid
from pbxapi.plugin.dialling import NUMBER, check_actions

_PLAYED = r"[^/\\]+|(?:tone|silence)_stream://.+"
_DATA = {
    "bridge": r".+",
    "hangup": r"[A-Z_]*",
    "lua": r"streamfile\.lua [0-9A-Za-z_. +-]+",
    "phrase": r"[0-9A-Fa-f-]{36}",
    "playback": _PLAYED,
}

APPLICATIONS = (*_DATA, "transfer")
"""The applications of a target."""


def check_target(call: Call, application: str, data: str, fields: tuple[str, str]) -> None:
    """Refuse a target that FusionPBX's editors would not offer, or that reaches beyond the domain.

    Allowed are ``transfer`` with ``number XML domain`` or ``hangup``; ``hangup``; ``playback`` of tones or a
    recording's file name; ``lua`` with ``streamfile.lua file``; ``phrase`` with the uuid of an own phrase;
    ``bridge`` to users, gateways and bridges of the domain; and the operator's own applications. Nothing at all is
    fine.

    Args:
        fields: the names of the application's and of the data's field.

    Raises:
        ApiError: 400 with one of the fields.
    """
    of_application, of_data = fields
    if not application:
        if data:
            raise invalid(f"{of_application} is required beside {of_data}", of_application)
        return
    if call.caller.allow_global or application in call.config.dialplan_applications:
        return
    if application == "transfer":
        domain = call.caller.domain_name
        if data != "hangup" and not re.fullmatch(f"{NUMBER} XML {re.escape(domain)}", data):
            raise invalid(f"{of_data} must be: number XML {domain}", of_data)
    elif application not in _DATA:
        raise invalid(f"{of_application} must be one of {', '.join(APPLICATIONS)}", of_application)
    elif not re.fullmatch(_DATA[application], data):
        raise invalid(f"{of_data} is not what {application} may be given here", of_data)
    check_actions(call, [(application, data)], lambda _: fields)


def check_sound(call: Call, sound: str, field: str) -> None:
    """Refuse a sound that is not the switch's, a phrase, tones, or a recording of the domain.

    Raises:
        ApiError: 400 with the field.
    """
    if sound:
        check_actions(call, [("playback", sound)], field)


def check_own_context(call: Call, record: Mapping[str, Any], before: Mapping[str, Any], field: str) -> None:
    """Refuse a context other than the domain's own for a number that is dialled inside; an older one may stay.

    Raises:
        ApiError: 400 with the field.
    """
    domain = call.caller.domain_name
    if record[field] not in ("", domain, before.get(field)) and not call.caller.allow_global:
        raise invalid(f"{field} must be {domain}", field)
