"""What a user looks like."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from pbxapi.plugin import Emails, Link, Nested, Record, Text, TimeZone, TrueFalse, fields

_NAMES_MOST = 100


class Password(Text):
    """A password that bcrypt takes whole: it reads no more than 72 bytes."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text.encode()) > 72:
            raise ValidationError(f"{self.label} must not be longer than 72 bytes")
        return text


class GroupName(Text):
    """The name of a group; also taken in the form in which an answer shows it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            value = value.get("group_name", "")
        return super()._deserialize(value, attr, data, **kwargs)


class GroupNames(fields.List[Any]):
    """Names of groups, each once."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) > _NAMES_MOST:
            raise ValidationError(f"Groups must not have more than {_NAMES_MOST} entries")
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


class Extension(Record):
    extension_uuid = fields.UUID()
    extension = Text()


class User(Record):
    user_uuid = fields.UUID(dump_only=True)
    username = Text(label="Username", required=True, pattern=r"\S(?:.*\S)?", expected="without spaces at its ends")
    password = Password(label="Password", required=True, load_only=True, secret=True)
    user_email = Emails(most=1, max=254, label="E-mail", load_default="")
    user_enabled = TrueFalse(load_default="true")
    user_status = Text(
        max=64, pattern=r"[0-9A-Za-z ()_-]*", expected="a status such as Available", load_default=""
    )
    user_language = Text(
        label="Language",
        max=16,
        pattern=r"[A-Za-z]{2,3}(?:-[0-9A-Za-z]{2,8})?",
        expected="a language code such as en or en-us",
        load_default="",
    )
    user_time_zone = TimeZone(label="Time zone", load_default="")
    user_type = Text(pattern=r"default|virtual|", expected="default or virtual", load_default="default")
    api_key = Text(
        label="API key",
        pattern=r"[!-~]{31,255}",
        expected="31 to 255 characters without spaces",
        load_only=True,
        secret=True,
        load_default="",
    )
    groups = GroupNames(
        GroupName(required=True, label="Group"),
        load_default=list,
        error_messages={"invalid": "Groups must be a list", "null": "Groups must be a list"},
        metadata={
            "description": "Names of groups; answered as objects with name and description.",
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": {
                            "group_name": {"type": "string"},
                            "group_description": {"type": "string"},
                        },
                        "required": ["group_name"],
                    },
                ]
            },
        },
    )
    contact_uuid = Link("v_contacts", "contact_uuid", label="Contact", load_default="")
    contact_name_given = Text(load_default="")
    contact_name_family = Text(load_default="")
    contact_organization = Text(load_default="")
    contact_email = Emails(most=1, max=254, label="Contact e-mail", load_default="")
    contact_url = Text(
        max=1000,
        pattern=r"(?:https?://)?[\w.-]+(?::[0-9]{1,5})?(?:[/?#][^\s\"'<>\\]*)?",
        expected="a web address",
        load_default="",
    )
    contact_nickname = Text(load_default="")
    extensions = Nested(Extension, many=True, dump_only=True)
