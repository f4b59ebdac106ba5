"""Conferences: rooms with a number, each with the dialplan that it owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from marshmallow import ValidationError
from pbxapi_plugins.dialplans.owned import OwnedDialplan

from pbxapi.plugin import (
    Call,
    Digits,
    Emails,
    Link,
    Plugin,
    Record,
    Resource,
    Sort,
    Text,
    TrueFalse,
    fields,
    invalid,
    validate,
)
from pbxapi.xml import conference_dialplan

FLAGS = (
    "mute", "deaf", "mute-detect", "dist-dtmf", "moderator", "nomoh", "endconf", "mintwo", "ghost", "join-only",
    "join-vid-floor", "no-minimize-encoding", "video-bridge", "vmute", "wait-mod", "waste",
)  # fmt: skip
"""Flags that a member of a conference can have (FreeSWITCH, mod_conference)."""

DEFAULT_PROFILE = "default"
"""What FreeSWITCH has without any configuration."""


class Flags(Text):
    """Flags of those that join, each once, parted by ``|``; a comma is taken for one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        flags = [flag for flag in text.replace(",", "|").split("|") if flag]
        for flag in flags:
            if flag not in FLAGS:
                raise ValidationError(f"{self.label} must be of {', '.join(FLAGS)}")
        return "|".join(dict.fromkeys(flags))


class Conference(Record):
    conference_uuid = fields.UUID(dump_only=True)
    dialplan_uuid = Text(dump_only=True)
    conference_name = Text(
        label="Conference name", required=True, pattern=r"[0-9A-Za-z-][0-9A-Za-z -]*",
        expected="letters, digits, blanks and -",
    )  # fmt: skip
    conference_extension = Text(
        label="Extension number", required=True, max=32, pattern=r"[0-9]+", expected="a number, in digits"
    )
    conference_pin_number = Text(
        label="PIN number", max=32, pattern=r"[0-9]+", expected="digits", secret=True, load_default=""
    )
    conference_profile = Text(label="Profile", max=64, load_default=DEFAULT_PROFILE)
    conference_flags = Flags(label="Flags", load_default="")
    conference_email_address = Emails(label="E-mail address", load_default="")
    conference_account_code = Text(
        label="Account code", pattern=r"[0-9A-Za-z_.@+-]+", expected="letters, digits and _.@+-", load_default=""
    )
    conference_order = Digits(label="Order", high=999, load_default="")
    conference_context = Text(label="Context", load_default="")
    conference_enabled = TrueFalse(load_default="true")
    conference_description = Text(load_default="")
    conference_users = fields.List(
        Link("v_users", "user_uuid"), load_default=list, validate=validate.Length(max=200)
    )


def _xml(call: Call, conference: Mapping[str, Any]) -> str:
    return conference_dialplan(conference, domain_name=call.caller.domain_name)


dialplan = OwnedDialplan(
    prefix="conference", app=UUID("b81412e8-7253-91f4-e48e-42fc2c9a38d9"), order=333, xml=_xml
)


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """The profile must be there: the switch takes any word for one, and starts the room with other settings."""
    profile = record["conference_profile"] = record["conference_profile"] or DEFAULT_PROFILE
    known = profile == DEFAULT_PROFILE or (old is not None and profile == old["conference_profile"])
    if not known and call.row("profile", profile=profile) is None:
        raise invalid("Profile is not a conference profile of this system", "conference_profile")
    record["conference_users"] = list(dict.fromkeys(record["conference_users"]))
    dialplan.prepare(call, record, old)


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The dialplan, and the users, which replace those that were there."""
    dialplan.store(call, record)
    if "conference_users" in call.data:
        uuid = record["conference_uuid"]
        call.do("delete_users", conference_uuid=uuid)
        for user in record["conference_users"]:
            call.do("add_user", conference_uuid=uuid, conference_user_uuid=uuid4(), user_uuid=user)


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """Users and dialplan go with the conference."""
    call.do("delete_users", conference_uuid=record["conference_uuid"])
    dialplan.remove(call, record)


conferences = Resource(
    name="conferences",
    label="Conference",
    id="conference_uuid",
    schema=Conference,
    table="v_conferences",
    uses=OwnedDialplan.USES,
    app_uuid=dialplan.app,
    row=(
        "conference_uuid",
        "conference_name",
        "conference_extension",
        "conference_profile",
        "conference_flags",
        "conference_enabled",
        "conference_description",
    ),
    search=("conference_name", "conference_extension", "conference_description"),
    sort={
        "conference_extension": Sort("conference_extension"),
        "conference_name": Sort("conference_name"),
        "conference_profile": Sort("conference_profile"),
        "conference_description": Sort("conference_description"),
    },
    filters=("conference_name", "conference_extension", "conference_profile", "conference_enabled"),
    numbers=("conference_extension",),
    prepare=prepare,
    store=store,
    remove=remove,
    keep=dialplan.kept,
    effects=dialplan.effects,
)

plugin = Plugin(name="conferences", version="1.0.0", resources=(conferences,))
