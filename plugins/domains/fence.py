"""Which settings of a domain a key may write: a setting can reach beyond the domain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pbxapi.plugin import REDACTED, Call, forbidden, invalid, zones

_SECRET = re.compile(r"(?:.*_)?(?:passwd|password|passphrase|secret|token|key|pin|credential)s?", re.I)

_EXECUTED = frozenset({"domain/dial_string", "fax/variable"})
"""What the switch executes as it stands: the dial string of every phone, variables of every fax call."""

_OPERATORS = re.compile(
    r"(?:api|authentication|cache|dialplan|limit|log|login|server|session|switch|system)/.*"
    r"|.*/(?:.*_)?(?:path|dir|location|command)"
    r"|cdr/archive_.*|destinations/dialplan_mode|domain/cidr|fax/cover_(?:font|logo)|users/unique",
    re.I,
)
"""What says how many records a domain may have, how its users log in, and where files of the host are."""

_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[0-9A-Za-z]{2,8})?")


def is_secret(setting: Mapping[str, Any]) -> bool:
    """Whether a setting is a password, a key or the like, by its name."""
    return any(_SECRET.fullmatch(setting[part]) for part in ("subcategory", "name"))


def check_reach(call: Call, setting: Mapping[str, Any], field: str) -> None:
    """Refuse a setting that this key may not write.

    Args:
        setting: as it would be.
        field: its place in the input, such as ``settings.0``.

    Raises:
        ApiError: 400 or 403 with the field.
    """
    key = _name(setting)
    if key.lower() in _EXECUTED and not call.caller.allow_global:
        raise invalid(
            f"{key} reaches beyond the domain; only the system's key may set it, with X-Allow-Global: true",
            f"{field}.subcategory",
        )
    if call.caller.domains is not None:
        if _OPERATORS.fullmatch(key) or setting["name"].lower() == "dir":
            raise forbidden(f"{key} is the operator's: this key may not set it", f"{field}.subcategory")
        value = setting["value"]
        if "${" in value or ".." in re.split(r"[/\\]", value):
            raise invalid(f"The value of {key} reaches beyond the domain", f"{field}.value")


def check_value(setting: Mapping[str, Any], field: str) -> None:
    """Refuse a value that the setting's type cannot have; an empty one is none.

    Args:
        setting: as it was sent.
        field: its place in the input, such as ``settings.0``.

    Raises:
        ApiError: 400 with the field.
    """
    key, type_, value, field = _name(setting), setting["name"], setting.get("value", ""), f"{field}.value"
    if value == REDACTED and is_secret(setting):
        raise invalid(f"The value of {key} is hidden here: leave it out to keep what is stored", field)
    if not value:
        return
    if type_ == "boolean" and value not in ("true", "false"):
        raise invalid(f'The value of {key} must be "true" or "false"', field)
    if (type_ == "numeric" or key.startswith("limit/")) and not _NUMBER.fullmatch(value):
        raise invalid(f"The value of {key} must be a number", field)
    if type_ == "uuid" and not _UUID.fullmatch(value):
        raise invalid(f"The value of {key} must be a uuid", field)
    if key == "domain/time_zone" and value not in zones():
        raise invalid(f"The value of {key} must be the name of a time zone", field)
    if key == "domain/language" and not _LANGUAGE.fullmatch(value):
        raise invalid(f"The value of {key} must be a language code such as en-us", field)


def _name(setting: Mapping[str, Any]) -> str:
    return f"{setting['category']}/{setting['subcategory']}"
