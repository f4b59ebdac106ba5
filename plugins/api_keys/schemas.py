"""What an API key looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import ValidationError

from pbxapi.plugin import Digits, Record, Text, TrueFalse, fields, validate
from pbxapi.plugin.keys import NAME_MOST, OVERLAP_MOST, moment, network, rate, scope

_PREVIOUS = "Until when the key before this one is good too"


class Spelled(Text):
    """A text with one spelling: `spell` answers it, or raises ValueError with what is wrong."""

    def __init__(self, spell: Callable[[str], str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._spell = spell

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return self._spell(text) if text else text
        except ValueError as error:
            raise ValidationError(f"{self.label} {error}") from None


def _list(inner: Text, label: str, **kwargs: Any) -> fields.List:
    words = {
        "required": f"{label} is required",
        "null": f"{label} is required",
        "invalid": f"{label} must be a list",
    }
    return fields.List(
        inner,
        error_messages=words,
        validate=validate.Length(max=200, error=f"{label} must not have more than 200 entries"),
        **kwargs,
    )


class ApiKey(Record):
    api_key_uuid = fields.UUID(dump_only=True)
    name = Text(required=True, max=NAME_MOST)
    hint = Text(dump_only=True, metadata={"description": "The last four characters of the key"})
    domains = _list(
        Text(required=True, label="Domain"),
        "Domains",
        metadata={"description": 'uuids or names; ["*"] for every domain; that of the request when left out'},
    )
    scopes = _list(Spelled(scope, required=True, max=100, label="Scope"), "Scopes", required=True)
    networks = _list(
        Spelled(network, required=True, max=64, label="Network"),
        "Networks",
        load_default=list,
        metadata={"description": "From where the key may be used; empty for anywhere"},
    )
    rate_limit = Spelled(rate, max=32, load_default="", metadata={"description": "Such as 600/minute"})
    enabled = TrueFalse(load_default="true")
    expires_at = Spelled(moment, max=40, load_default="", metadata={"description": "Such as 2030-12-31T23:59:59Z"})
    previous_until = Text(dump_only=True, metadata={"description": _PREVIOUS})
    last_used_at = Text(dump_only=True)
    created_at = Text(dump_only=True)
    created_by = Text(dump_only=True, metadata={"description": "The key that made it: its uuid, or system"})


class Rotation(Record):
    overlap = Digits(
        high=OVERLAP_MOST, load_default="0", metadata={"description": "Seconds for which the old key stays good"}
    )


class IssuedKey(Record):
    api_key_uuid = fields.UUID()
    key = Text(metadata={"description": "The key, which is shown this once"})
    previous_until = Text(metadata={"description": _PREVIOUS})
