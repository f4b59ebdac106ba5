"""Voicemail boxes, for their own resource and for extensions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pbxapi.plugin import Call, Digits, Emails, Link, Nested, Record, Text, TrueFalse, fields, validate


def hold_numbers(call: Call, *numbers: str) -> None:
    """Let nobody else give a box one of these numbers until the transaction ends; '' is none."""
    call.lock_all(("voicemail", call.caller.domain_uuid, number) for number in {*numbers} - {""})


def new_pin() -> str:
    """Six digits."""
    return f"{secrets.randbelow(1_000_000):06d}"


def box_number(extension: Mapping[str, Any]) -> str:
    """The voicemail_id of an extension: its alias where that is a number, else its own number,
    as FusionPBX's extension editor has it. Empty where neither is a number: such an extension can have no box."""
    numbers = (str(extension.get(name) or "") for name in ("number_alias", "extension"))
    return next(filter(is_box_number, numbers), "")


def is_box_number(number: str) -> bool:
    """Whether a box can have this number."""
    return number.isascii() and number.isdigit()


def folder(domain_name: str, voicemail_id: str) -> str:
    """Where a box keeps its recordings, below the switch's voicemail folder."""
    return f"default/{domain_name}/{voicemail_id}"


_FILE, _KEEP, _TRANSCRIBE = BOX_SETTINGS = (
    "voicemail/voicemail_file",
    "voicemail/keep_local",
    "voicemail/transcription_enabled_default",
)
"""FusionPBX's settings that say what a new box is like."""


def new_box_defaults(call: Call) -> dict[str, str]:
    """What FusionPBX's settings say of a new box."""
    settings = call.settings(*BOX_SETTINGS)
    return {
        "voicemail_file": settings.get(_FILE, "attach"),
        "voicemail_local_after_email": settings.get(_KEEP, "true"),
        "voicemail_transcription_enabled": settings.get(_TRANSCRIBE, "false"),
    }


class VoicemailOption(Record):
    voicemail_option_uuid = fields.UUID(dump_only=True)
    voicemail_option_digits = Text(label="Digits", pattern=r"[0-9]{1,8}", expected="1 to 8 digits", required=True)
    voicemail_option_action = Text(
        max=32, pattern="menu-exec-app", expected="menu-exec-app", load_default="menu-exec-app"
    )
    voicemail_option_param = Text(label="Param", required=True)
    voicemail_option_order = Digits(high=999, load_default="0")
    voicemail_option_description = Text(load_default="")


class Voicemail(Record):
    voicemail_uuid = fields.UUID(dump_only=True)
    voicemail_id = Text(
        label="Voicemail ID", required=True, max=32, pattern=r"[0-9]+", expected="a number, in digits"
    )
    voicemail_password = Text(
        max=32, pattern=r"[0-9]+", expected="digits", secret=True, load_default="", label="Voicemail password"
    )
    voicemail_enabled = TrueFalse(load_default="true")
    voicemail_mail_to = Emails(load_default="")
    voicemail_sms_to = Text(pattern=r"[0-9+]+(,[0-9+]+)*", expected="numbers separated by commas", load_default="")
    voicemail_attach_file = TrueFalse(load_default="true")
    voicemail_file = Text(max=16, pattern="attach|link|listen", expected="attach, link or listen", load_default="")
    voicemail_local_after_email = TrueFalse(load_default="")
    voicemail_local_after_forward = TrueFalse(load_default="true")
    voicemail_tutorial = TrueFalse(load_default="true")
    voicemail_recording_instructions = TrueFalse(load_default="true")
    voicemail_recording_options = TrueFalse(load_default="true")
    voicemail_transcription_enabled = TrueFalse(load_default="")
    voicemail_transcription_prompt_enabled = TrueFalse(load_default="false")
    voicemail_transcription_prompt = Text(max=2000, lines=True, load_default="")
    greeting_id = Digits(high=999, load_default="", label="Greeting")
    voicemail_alternate_greet_id = Text(max=32, pattern=r"[0-9A-Za-z*+._-]+", expected="a number", load_default="")
    alternate_voicemail_enabled = TrueFalse(load_default="false")
    alternate_voicemail_destination = Text(max=64, pattern=r"[0-9*#+]+", expected="a number", load_default="")
    voicemail_description = Text(load_default="")
    voicemail_options = Nested(VoicemailOption, many=True, most=50)
    voicemail_copies = fields.List(
        Link("v_voicemails", "voicemail_uuid"), load_default=list, validate=validate.Length(max=100)
    )
    new_message_count = fields.Integer(dump_only=True)
    saved_message_count = fields.Integer(dump_only=True)
