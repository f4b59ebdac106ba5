"""What a call record looks like, and what a list of them can be asked for."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from marshmallow import ValidationError

from pbxapi.plugin import Nested, Record, Text, TrueFalse, fields


class Day(Text):
    """A day of the domain's calendar, YYYY-MM-DD; a date, or empty text."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text:
            return text
        try:
            # fromisoformat alone takes the other forms of ISO 8601 too.
            return date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")
        except ValueError:
            raise ValidationError(f"{self.label} must be a date, YYYY-MM-DD") from None


class CallQuery(Record):
    start_date = Day(metadata={"description": "The first day, YYYY-MM-DD in the domain's time zone."})
    end_date = Day(metadata={"description": "The last day, YYYY-MM-DD in the domain's time zone."})
    direction = Text(
        pattern="inbound|outbound|local",
        expected="inbound, outbound or local",
        metadata={"description": "inbound, outbound or local."},
    )
    extension = Text(max=64, metadata={"description": "Calls of this extension: by its number, or to it."})
    caller_id = Text(metadata={"description": "Part of the caller's name or number."})


class Extension(Record):
    extension_uuid = fields.UUID()
    extension = Text()
    effective_caller_id_name = Text()


class CallRecord(Record):
    xml_cdr_uuid = fields.UUID(dump_only=True)
    direction = Text(dump_only=True)
    caller_id_name = Text(dump_only=True)
    caller_id_number = Text(dump_only=True)
    caller_destination = Text(dump_only=True)
    destination_number = Text(dump_only=True)
    start_stamp = Text(dump_only=True)
    answer_stamp = Text(dump_only=True)
    end_stamp = Text(dump_only=True)
    duration = fields.Integer(dump_only=True)
    billsec = fields.Integer(dump_only=True)
    hangup_cause = Text(dump_only=True)
    recording_file = Text(dump_only=True)
    status = Text(dump_only=True)
    missed_call = TrueFalse(dump_only=True)
    leg = Text(dump_only=True)
    accountcode = Text(dump_only=True)
    record_path = Text(dump_only=True)
    record_name = Text(dump_only=True)
    record_length = fields.Integer(dump_only=True)
    start_epoch = fields.Integer(dump_only=True, allow_none=True)
    answer_epoch = fields.Integer(dump_only=True, allow_none=True)
    end_epoch = fields.Integer(dump_only=True, allow_none=True)
    mduration = fields.Integer(dump_only=True)
    billmsec = fields.Integer(dump_only=True)
    waitsec = fields.Integer(dump_only=True)
    hold_accum_seconds = fields.Integer(dump_only=True)
    pdd_ms = fields.Integer(dump_only=True, allow_none=True)
    source_number = Text(dump_only=True)
    context = Text(dump_only=True)
    default_language = Text(dump_only=True)
    call_disposition = Text(dump_only=True)
    sip_hangup_disposition = Text(dump_only=True)
    hangup_cause_q850 = fields.Integer(dump_only=True, allow_none=True)
    voicemail_message = TrueFalse(dump_only=True)
    sip_call_id = Text(dump_only=True)
    bridge_uuid = Text(dump_only=True)
    originating_leg_uuid = Text(dump_only=True)
    read_codec = Text(dump_only=True)
    read_rate = Text(dump_only=True)
    write_codec = Text(dump_only=True)
    write_rate = Text(dump_only=True)
    remote_media_ip = Text(dump_only=True)
    network_addr = Text(dump_only=True)
    rtp_audio_in_mos = fields.Float(dump_only=True, allow_none=True)
    last_app = Text(dump_only=True)
    last_arg = Text(dump_only=True)
    digits_dialed = Text(dump_only=True, secret=True)
    pin_number = Text(dump_only=True, secret=True)
    extension_uuid = Text(dump_only=True)
    provider_uuid = Text(dump_only=True)
    ring_group_uuid = Text(dump_only=True)
    ivr_menu_uuid = Text(dump_only=True)
    call_center_queue_uuid = Text(dump_only=True)
    cc_side = Text(dump_only=True)
    cc_queue = Text(dump_only=True)
    cc_agent = Text(dump_only=True)
    cc_cause = Text(dump_only=True)
    cc_cancel_reason = Text(dump_only=True)
    cc_queue_joined_epoch = fields.Integer(dump_only=True, allow_none=True)
    cc_queue_answered_epoch = fields.Integer(dump_only=True, allow_none=True)
    cc_queue_terminated_epoch = fields.Integer(dump_only=True, allow_none=True)
    conference_name = Text(dump_only=True)
    conference_uuid = Text(dump_only=True)
    conference_member_id = Text(dump_only=True)
    extension = Nested(Extension, dump_only=True)
