"""What a domain looks like, and a setting of one."""

from __future__ import annotations

from typing import Any

from pbxapi.plugin import Digits, Nested, Record, Text, TrueFalse, fields


class Counts(Record):
    extensions = fields.Integer()
    users = fields.Integer()
    gateways = fields.Integer()
    devices = fields.Integer()
    voicemails = fields.Integer()
    destinations = fields.Integer()


class Word(Text):
    """A part of a setting's name; it becomes part of a cache key, and so of a file name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max=128, pattern=r"[0-9A-Za-z_-][0-9A-Za-z_.-]*", expected="letters, digits, _ . and -", **kwargs
        )


class Domain(Record):
    domain_uuid = fields.UUID(dump_only=True)
    domain_name = Text(dump_only=True)
    domain_enabled = TrueFalse(dump_only=True)
    domain_description = Text(dump_only=True)
    domain_parent_uuid = Text(dump_only=True)
    counts = Nested(Counts, dump_only=True)


class Value(Text):
    """A setting's value: text of any length that a setting has, JSON true and false too."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool):
            value = "true" if value else "false"
        return super()._deserialize(value, attr, data, **kwargs)


class Setting(Record):
    """What is not sent of a setting that the domain has stays as it is."""

    domain_setting_uuid = fields.UUID(dump_only=True)
    category = Word(required=True)
    subcategory = Word(required=True)
    name = Word(
        required=True,
        metadata={"description": "The type: text, boolean, numeric, array, code, uuid, name, dir ..."},
    )
    value = Value(max=65_536, lines=True, variables=True)
    order = Digits(high=1_000_000)
    enabled = TrueFalse()
    description = Text(max=1000)


class Settings(Record):
    settings = Nested(Setting, many=True, most=500, required=True)
