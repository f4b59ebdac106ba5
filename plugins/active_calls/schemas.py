"""What calls in progress look like, and what can be asked of them."""

from __future__ import annotations

from pbxapi.plugin import Digits, Record, Text, TrueFalse, fields
from pbxapi.plugin.dialling import NUMBER

_NUMBER = rf"(?!-){NUMBER}"
_NUMBER_WORDS = "digits, letters, and * # + . _ -, not beginning with -"


class ActiveCall(Record):
    uuid = Text(metadata={"description": "Of this leg."})
    call_uuid = Text(metadata={"description": "Of the leg that called; the same for all legs of a call."})
    direction = Text(metadata={"description": "inbound: from a phone or trunk to the switch; outbound: from it."})
    caller_id_name = Text()
    caller_id_number = Text()
    destination = Text()
    state = Text()
    call_state = Text(metadata={"description": "RINGING, EARLY, ACTIVE, HELD ..."})
    created = Text()
    created_epoch = fields.Integer(allow_none=True)
    hostname = Text()
    controllable = TrueFalse(metadata={"description": "false where its id is no uuid."})


class Switched(Record):
    on = TrueFalse(required=True, label="On")


class Transfer(Record):
    destination = Text(
        max=64,
        required=True,
        label="Destination",
        pattern=_NUMBER,
        expected=_NUMBER_WORDS,
        metadata={"description": "What the domain's own phones could dial."},
    )


class Originate(Record):
    extension = Text(max=64, required=True, label="Extension", pattern=_NUMBER, expected=_NUMBER_WORDS)
    destination = Text(
        max=64,
        required=True,
        label="Destination",
        pattern=_NUMBER,
        expected=_NUMBER_WORDS,
        metadata={"description": "Dialled in the domain once the extension has answered."},
    )
    caller_id_name = Text(
        max=80,
        label="Caller ID name",
        pattern=r"[\w .*#+-]*",
        expected="letters, digits, blanks, and . _ * # + -",
        metadata={"description": "Shown by the ringing phone; the destination when left out."},
    )
    caller_id_number = Text(
        max=64,
        label="Caller ID number",
        pattern=_NUMBER,
        expected=_NUMBER_WORDS,
        metadata={"description": "Shown by the ringing phone; the destination when left out."},
    )
    timeout = Digits(
        low=5,
        high=120,
        label="Timeout",
        metadata={"description": "Seconds that the phone rings; 30 when left out."},
    )
    auto_answer = TrueFalse(label="Auto answer", metadata={"description": "Ask the phone to answer by itself."})


class Originated(Record):
    uuid = fields.UUID(metadata={"description": "Of the leg to the extension, in events and call records too."})
