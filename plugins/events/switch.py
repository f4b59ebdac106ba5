"""What the switches tell: calls, registrations, gateways, voicemail; and when nobody heard them."""

from __future__ import annotations

from typing import Any

from pbxapi.plugin import EventType

_TEXT = {"type": "string"}
_UUID = {"type": "string", "format": "uuid"}
_MOMENT = {"type": "string", "format": "date-time"}
_NODE = {"type": "string", "description": "The switch node."}
_SECONDS = {"type": ["integer", "null"], "minimum": 0}

_CALL: dict[str, Any] = {
    "node": _NODE,
    "uuid": {"type": "string", "description": "This leg's; of an A leg also that of its call record."},
    "call_uuid": {"type": "string", "description": "Of the leg that called; the same for all legs of a call."},
    "leg": {"enum": ["a", "b"], "description": "a: it called. b: it was called on another leg's behalf."},
    "direction": {
        "type": ["string", "null"],
        "description": "As in call records: inbound, outbound or local; null until the dialplan has said so.",
    },
    "leg_direction": {
        "type": ["string", "null"],
        "description": "inbound: from a phone or trunk to the switch; outbound: the other way.",
    },
    "caller_id_name": _TEXT,
    "caller_id_number": _TEXT,
    "destination_number": _TEXT,
    "start_stamp": {"type": ["string", "null"], "format": "date-time"},
}
_CALL_EXAMPLE = {
    "node": "node1",
    "uuid": "5f0c8a52-2f9e-4d57-9a59-0c1a7f3f8e11",
    "call_uuid": "5f0c8a52-2f9e-4d57-9a59-0c1a7f3f8e11",
    "leg": "a",
    "direction": "local",
    "leg_direction": "inbound",
    "caller_id_name": "Anna Berg",
    "caller_id_number": "1001",
    "destination_number": "1002",
    "start_stamp": "2026-11-23T16:15:47.120Z",
}
_ANSWER = {"answer_stamp": {"type": ["string", "null"], "format": "date-time"}}
_ANSWER_EXAMPLE = {"answer_stamp": "2026-11-23T16:15:52.480Z"}
_FIGURES: dict[str, Any] = {
    **_ANSWER,
    "end_stamp": {"type": ["string", "null"], "format": "date-time"},
    "duration": {**_SECONDS, "description": "Seconds from the start to the end."},
    "billsec": {**_SECONDS, "description": "Seconds from the answer to the end; 0 without an answer."},
    "hangup_cause": _TEXT,
    "sip_hangup_disposition": {"type": ["string", "null"], "description": "Who ended it, as the switch says it."},
}
_FIGURES_EXAMPLE = {
    **_ANSWER_EXAMPLE,
    "end_stamp": "2026-11-23T16:17:02.010Z",
    "duration": 75,
    "billsec": 70,
    "hangup_cause": "NORMAL_CLEARING",
    "sip_hangup_disposition": "recv_bye",
}

_PHONE: dict[str, Any] = {
    "node": _NODE,
    "user": {"type": "string", "description": "The extension's number, as the phone registered it."},
    "domain": _TEXT,
    "contact": {"type": "string", "description": "The phone's SIP address."},
    "agent": _TEXT,
    "profile": _TEXT,
    "network_ip": _TEXT,
    "network_port": {"type": ["integer", "null"]},
}
_PHONE_EXAMPLE = {
    "node": "node1",
    "user": "1001",
    "domain": "pbx.example.com",
    "contact": "sip:1001@192.0.2.17:5060",
    "agent": "Yealink SIP-T46U",
    "profile": "internal",
    "network_ip": "192.0.2.17",
    "network_port": 5060,
}

_GATEWAY: dict[str, Any] = {
    "node": _NODE,
    "gateway_uuid": _UUID,
    "gateway": {"type": "string", "description": "Its name."},
    "state": {
        "type": "string",
        "description": "Of its registration, as the switch calls it: REGED, FAIL_WAIT ...",
    },
    "ping_status": {"type": "string", "description": "UP or DOWN, what its pings say."},
}
_GATEWAY_EXAMPLE = {
    "node": "node1",
    "gateway_uuid": "9a5f6a5c-31d0-4f6f-8f6f-8ac5a0d0c001",
    "gateway": "Example Carrier",
}

_MESSAGE: dict[str, Any] = {
    "node": _NODE,
    "voicemail_uuid": _UUID,
    "voicemail_id": {"type": "string", "description": "The box's number."},
    "voicemail_message_uuid": _UUID,
    "caller_id_name": _TEXT,
    "caller_id_number": _TEXT,
    "message_length": {"type": "integer", "description": "Seconds."},
    "left_stamp": _MOMENT,
}
_MESSAGE_EXAMPLE = {
    "node": "node1",
    "voicemail_uuid": "2f4b8c1e-7d7a-4a0e-bb38-5d2c9d0a1002",
    "voicemail_id": "1002",
    "voicemail_message_uuid": "5f0c8a52-2f9e-4d57-9a59-0c1a7f3f8e11",
    "caller_id_name": "Anna Berg",
    "caller_id_number": "1001",
    "message_length": 14,
    "left_stamp": "2026-11-23T16:16:10Z",
}

_GAP: dict[str, Any] = {
    "node": _NODE,
    "from": {**_MOMENT, "description": "All that the switch told before has been told."},
    "to": {**_MOMENT, "description": "All that it tells from here on is told."},
    "reason": _TEXT,
}
_GAP_EXAMPLE = {
    "node": "node1",
    "from": "2026-11-23T16:20:00.250Z",
    "to": "2026-11-23T16:20:11.900Z",
    "reason": "the connection was lost",
}


def _type(
    name: str, description: str, scope: str, properties: dict[str, Any], example: dict[str, Any]
) -> EventType:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "examples": [example],
    }
    return EventType(name, description, schema, scope)


EVENTS = (
    _type("call.started", "A leg of a call began.", "active-calls:read", _CALL, _CALL_EXAMPLE),
    _type(
        "call.answered",
        "A leg was answered.",
        "active-calls:read",
        _CALL | _ANSWER,
        _CALL_EXAMPLE | _ANSWER_EXAMPLE,
    ),
    _type(
        "call.ended",
        "A leg ended; with its figures.",
        "active-calls:read",
        _CALL | _FIGURES,
        _CALL_EXAMPLE | _FIGURES_EXAMPLE,
    ),
    _type(
        "registration.gained",
        "A phone registered that was not registered.",
        "dashboard:read",
        _PHONE | {"expires": {**_SECONDS, "description": "Seconds for which it is registered."}},
        _PHONE_EXAMPLE | {"expires": 3600},
    ),
    _type(
        "registration.lost",
        "A phone is registered no longer.",
        "dashboard:read",
        _PHONE | {"reason": {"enum": ["unregistered", "expired", "disconnected"]}},
        _PHONE_EXAMPLE | {"reason": "expired"},
    ),
    _type(
        "gateway.up",
        "A gateway can be called through.",
        "gateways:read",
        _GATEWAY,
        _GATEWAY_EXAMPLE | {"state": "REGED", "ping_status": "UP"},
    ),
    _type(
        "gateway.down",
        "A gateway cannot be called through.",
        "gateways:read",
        _GATEWAY,
        _GATEWAY_EXAMPLE | {"state": "FAIL_WAIT", "ping_status": "DOWN"},
    ),
    _type(
        "voicemail.left",
        "Somebody left a message in a voicemail box.",
        "voicemails:read",
        _MESSAGE,
        _MESSAGE_EXAMPLE,
    ),
    _type(
        "switch.gap",
        "For a time nobody heard what a switch node told: it may be missing.",
        "events:read",
        _GAP,
        _GAP_EXAMPLE,
    ),
)
