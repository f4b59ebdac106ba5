"""What a ring group looks like."""

from __future__ import annotations

from pbxapi.plugin import Digits, Emails, Link, Nested, Record, Text, TrueFalse, fields, validate
from pbxapi.plugin.dialling import NUMBER

STRATEGIES = ("simultaneous", "sequence", "enterprise", "rollover", "random")

# FusionPBX's script writes these into a dial string as they are.
_IN_A_DIAL_STRING = r"[^\[\]{}<>,'\"|^$\\]*"
_PLAIN = "free of brackets, quotes, commas and other marks of a dial string"


class RingGroupDestination(Record):
    ring_group_destination_uuid = fields.UUID(dump_only=True)
    destination_number = Text(required=True, max=64, pattern=r"[0-9A-Za-z._+-]+", expected="a number")
    destination_delay = Digits(high=999, load_default="0", metadata={"description": "Seconds."})
    destination_timeout = Digits(high=999, load_default="30", metadata={"description": "Seconds; 0 skips it."})
    destination_prompt = Text(
        pattern="[12]", expected="empty, 1 or 2", load_default="", metadata={"enum": ["", "1", "2"]}
    )
    destination_enabled = TrueFalse(load_default="true")
    destination_description = Text(load_default="")


class RingGroup(Record):
    ring_group_uuid = fields.UUID(dump_only=True)
    ring_group_name = Text(required=True)
    ring_group_extension = Text(required=True, max=64, pattern=NUMBER, expected="a number that can be dialled")
    ring_group_strategy = Text(
        pattern="|".join(STRATEGIES), expected=f"one of {', '.join(STRATEGIES)}", load_default="simultaneous",
        metadata={"enum": list(STRATEGIES)},
    )  # fmt: skip
    ring_group_call_timeout = Digits(high=86_400, load_default="30", metadata={"description": "Seconds."})
    ring_group_greeting = Text(load_default="")
    ring_group_exit_key = Text(max=1, pattern="[0-9*#]", expected="a key of a phone", load_default="")
    ring_group_timeout_app = Text(max=64, load_default="")
    ring_group_timeout_data = Text(max=1000, load_default="")
    ring_group_caller_id_name = Text(pattern=_IN_A_DIAL_STRING, expected=_PLAIN, load_default="")
    ring_group_caller_id_number = Text(pattern=r"\+?[0-9A-Za-z]+", expected="a number", max=64, load_default="")
    ring_group_cid_name_prefix = Text(pattern=_IN_A_DIAL_STRING, expected=_PLAIN, load_default="")
    ring_group_cid_number_prefix = Text(
        pattern=r"[0-9A-Za-z*#+._-]+", expected="a number", max=64, load_default=""
    )
    ring_group_distinctive_ring = Text(
        pattern=r"[^\[\]{},'\"|^$\\]*", expected="free of brackets, quotes and commas", load_default=""
    )
    ring_group_ringback = Text(variables=True, load_default="")
    ring_group_call_screen_enabled = TrueFalse(load_default="false")
    ring_group_call_forward_enabled = TrueFalse(load_default="false")
    ring_group_follow_me_enabled = TrueFalse(load_default="false")
    ring_group_missed_call_app = Text(
        pattern="email", expected="email", load_default="", metadata={"enum": ["", "email"]}
    )
    ring_group_missed_call_data = Emails(load_default="")
    ring_group_forward_enabled = TrueFalse(load_default="false")
    ring_group_forward_destination = Text(
        max=64, pattern=r"[0-9A-Za-z._+-]+", expected="a number", load_default=""
    )
    ring_group_forward_toll_allow = Text(
        pattern=r"[0-9A-Za-z_., :-]*", expected="names separated by commas", load_default=""
    )
    ring_group_wait_announcement = Text(load_default="")
    ring_group_wait_interval = Digits(high=86_400, load_default="", metadata={"description": "Seconds."})
    ring_group_context = Text(load_default="")
    ring_group_enabled = TrueFalse(load_default="true")
    ring_group_description = Text(load_default="")
    dialplan_uuid = fields.UUID(dump_only=True)
    ring_group_destinations = Nested(RingGroupDestination, many=True, most=200)
    ring_group_users = fields.List(
        Link("v_users", "user_uuid"), load_default=list, validate=validate.Length(max=200)
    )
