"""What a webhook and its deliveries look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from pbxapi.plugin import REDACTED, Digits, Record, Text, TrueFalse, fields, validate

from . import guard

OVERLAP_MOST = 30 * 24 * 3600
STATES = ["active", "failing", "paused", "disabled"]
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,2046}[\x21-\x7e])?")
_OURS = {
    "host", "content-length", "content-type", "content-encoding", "connection", "keep-alive", "proxy-connection",
    "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "expect",
    "accept-encoding", "user-agent",
}  # fmt: skip
_HEADERS_MOST = 20


class Url(Text):
    """A URL that a webhook may have, as far as can be told without looking up its host."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            guard.parse(text)
        except ValueError as error:
            raise ValidationError(f"{self.label} {error}") from None
        return text


class Headers(fields.Dict):
    """Headers of a request, name to value. The values may hold tokens, and count as secrets."""

    secret = True

    def __init__(self, **kwargs: Any) -> None:
        words = "Headers must be an object of names and values"
        super().__init__(error_messages={"invalid": words, "null": words}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            raise self.make_error("invalid")
        if len(value) > _HEADERS_MOST:
            raise ValidationError(f"Headers must not have more than {_HEADERS_MOST} entries")
        faults = {name: [fault] for name, text in value.items() if (fault := _header_fault(name, text))}
        if len({name.lower() for name in value}) < len(value):
            raise ValidationError("Headers must not name one twice")
        if faults:
            raise ValidationError(faults)
        return dict(value)


def _header_fault(name: str, value: Any) -> str:
    if not _TOKEN.fullmatch(name):
        return "Headers must have names of letters, digits and -"
    if name.lower() in _OURS or name.lower().startswith("webhook-"):
        return f"The header {name} is not for you to set"
    if value == REDACTED:
        return f"The value of {name} is hidden here: send it, or leave headers out to keep what is stored"
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        return f"The value of {name} must be up to 2048 printable ASCII characters"
    return ""


class Webhook(Record):
    webhook_uuid = fields.UUID(dump_only=True)
    url = Url(required=True, label="url", max=guard.URL_MOST, metadata={"format": "uri"})
    host = Text(dump_only=True, metadata={"description": "Host and port of the URL, which a list shows of it"})
    event_types = fields.List(
        Text(
            required=True,
            max=100,
            pattern=r"[a-z0-9.-]{0,80}(?:\*[a-z0-9.-]{0,80}){0,2}",
            expected="a type such as extension.created, or a pattern such as extension.* with at most two *",
            label="Event type",
        ),
        required=True,
        validate=validate.Length(1, 100, error="event_types must have 1 to 100 entries"),
        error_messages={
            "required": "event_types is required",
            "null": "event_types is required",
            "invalid": "event_types must be a list",
        },
        metadata={"description": "Types such as extension.created, or patterns such as extension.*"},
    )
    description = Text(max=1000, load_default="")
    enabled = TrueFalse(load_default="true", metadata={"description": "true also ends a pause"})
    headers = Headers(load_default=dict, metadata={"description": "Headers of the requests; values are secret"})
    all_domains = TrueFalse(
        load_default="false",
        metadata={"description": "The events of every domain and of the whole system; set when it is made"},
    )
    signature = fields.String(
        load_default="hmac",
        validate=validate.OneOf(["hmac", "ed25519"], error="signature must be hmac or ed25519"),
        metadata={"description": "How deliveries are signed; set when it is made"},
    )
    secret = Text(
        load_only=True,
        secret=True,
        max=128,
        load_default="",
        metadata={"description": "whsec_... or whsk_...; made when left out; taken when the webhook is made"},
    )
    public_key = Text(dump_only=True, metadata={"description": "whpk_..., which verifies ed25519 signatures"})
    previous_until = Text(dump_only=True, metadata={"description": "Until when the secret before signs too"})
    state = Text(dump_only=True, metadata={"enum": STATES})
    failing_since = Text(dump_only=True)
    paused_at = Text(dump_only=True)
    last_success_at = Text(dump_only=True)
    last_error = Text(dump_only=True)
    created_at = Text(dump_only=True)


class IssuedWebhook(Record):
    webhook_uuid = fields.UUID()
    secret = Text(metadata={"description": "whsec_..., shown this once; none where the signature is ed25519"})
    public_key = Text(metadata={"description": "whpk_... where the signature is ed25519"})


class Rotation(Record):
    overlap = Digits(
        high=OVERLAP_MOST, load_default="0", metadata={"description": "Seconds for which the old secret signs too"}
    )
    secret = Text(
        secret=True, max=128, load_default="", metadata={"description": "The new one; made when left out"}
    )


class RotatedWebhook(IssuedWebhook):
    previous_until = Text()


class Delivery(Record):
    delivery_uuid = fields.UUID(dump_only=True)
    event_id = fields.UUID(dump_only=True, metadata={"description": "The header webhook-id"})
    type = Text(dump_only=True)
    sequence = fields.Integer(dump_only=True, metadata={"description": "As in the payload; 0 for a test"})
    state = Text(dump_only=True, metadata={"enum": ["waiting", "delivered", "failed"]})
    attempts = fields.Integer(dump_only=True)
    status = fields.Integer(
        dump_only=True, allow_none=True, metadata={"description": "HTTP status of the last attempt"}
    )
    latency = fields.Integer(
        dump_only=True, allow_none=True, metadata={"description": "Milliseconds of the last attempt"}
    )
    response = Text(dump_only=True, metadata={"description": "The beginning of the last answer"})
    error = Text(dump_only=True)
    created_at = Text(dump_only=True)
    last_attempt_at = Text(dump_only=True)
    next_attempt_at = Text(dump_only=True)


class Tested(Record):
    delivery_uuid = fields.UUID()
    delivered = TrueFalse()
    status = fields.Integer(allow_none=True)
    latency = fields.Integer()
    response = Text()
    error = Text()


class Moment(Text):
    """A time with its offset from UTC, such as 2030-12-31T23:59:59Z."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text:
            return None
        try:
            return fields.AwareDateTime(format="iso").deserialize(text)
        except ValidationError:
            raise ValidationError(f"{self.label} must be a time such as 2030-12-31T23:59:59Z") from None


class Replay(Record):
    delivery_uuid = fields.UUID(error_messages={"invalid_uuid": "delivery_uuid must be a uuid"})
    since = Moment(data_key="from", label="from", max=40)
    until = Moment(data_key="to", label="to", max=40)


class Replayed(Record):
    deliveries = fields.Integer(metadata={"description": "How many are sent again"})
