"""The forms in which a destination's number is dialled, stored and found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pbxapi.xml import is_public

_PLAIN = re.compile(r"[0-9A-Za-z*#+_-]+(?:\.[0-9A-Za-z*#+_-]+)*")


def is_pattern(number: str) -> bool:
    """Whether a number stands for several."""
    return re.search(r"[()\[\]|^$?\\{}.]|^[0-9+*#]*[NXZnxz][0-9NXZnxz+*#]*$", number) is not None


def dialled_forms(destination: Mapping[str, Any]) -> list[str]:
    """What a caller may have dialled, as FusionPBX's script compares it (dialplan.lua, mode single)."""
    prefix, trunk, area, number = _parts(destination)
    forms = (
        f"{prefix}{area}{number}",
        f"{trunk}{area}{number}",
        f"{prefix}{number}",
        f"+{prefix}{number}",
        f"+{prefix}{area}{number}",
        f"{area}{number}",
        number,
    )
    return list(dict.fromkeys(form for form in forms if _PLAIN.fullmatch(form)))


def whole_forms(destination: Mapping[str, Any]) -> list[str]:
    """The number with its country code, with and without the area code; what must be unique."""
    prefix, _, area, number = (part.lstrip("+") for part in _parts(destination))
    return list(dict.fromkeys((f"{prefix}{number}", f"{prefix}{area}{number}")))


def bare_number(destination: Mapping[str, Any]) -> str:
    """The number alone, without a leading ``+``."""
    return _parts(destination)[3].lstrip("+")


def outside_contexts(domain: str, context: str) -> list[str]:
    """The contexts in which a call from outside can have been looked up by its number."""
    contexts = ["public", f"public@{domain}", f"{domain}.public"]
    return list(dict.fromkeys([*contexts, *([context] if is_public(context) else [])]))


def _parts(destination: Mapping[str, Any]) -> tuple[str, ...]:
    columns = ("destination_prefix", "destination_trunk_prefix", "destination_area_code", "destination_number")
    return tuple(str(destination.get(column) or "") for column in columns)
