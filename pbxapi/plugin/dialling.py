"""What a value may make the switch dial: the fence between tenants.

FreeSWITCH picks a dialplan by its context, not by its owner, and its scripts execute or dial what stands in their
columns. So contexts, numbers and actions are checked where they are written (docs/decisions.md 33).
"""

from __future__ import annotations

import re

from pbxapi.errors import invalid
from pbxapi.plugin.call import Call

NUMBER = r"[0-9A-Za-z*#+._-]{1,64}"
"""An extension's number, or any other that a phone can dial in the domain."""

_PUBLIC = re.compile(r"[0-9A-Za-z_-]+")


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
