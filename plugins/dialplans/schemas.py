"""What dialplans look like, and the routes and time conditions that are dialplans too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import ValidationError

from pbxapi.plugin import Digits, Link, Nested, Record, Text, TimeZone, TrueFalse, fields, validate
from pbxapi.plugin.dialling import NUMBER

DIALPLAN_APP = UUID("742714e5-8cdf-32fd-462c-cbe7e3d655db")
INBOUND_APP = UUID("c03b422e-13a8-bd1b-e42b-b6b9b4d27ce4")
OUTBOUND_APP = UUID("8c914ec3-9fc0-8ab5-4cda-6c9288bdc9a3")
TIME_CONDITION_APP = UUID("4b821450-926b-175a-af93-a03c441818b1")
DOCUMENTED_TIME_CONDITION_APP = UUID("4b821450-926b-175a-af93-a03c441f8c30")
"""What the contract says; FusionPBX knows no such application. Read as the real one, never written."""

CONTEXT = {"max": 255, "pattern": r"[0-9A-Za-z._@${}-]+", "expected": "a context such as the domain's name"}
HOSTNAME = {"pattern": r"[0-9A-Za-z][0-9A-Za-z.-]*", "expected": "what the switch answers to `hostname`"}


class AppUuid(Text):
    """The uuid of a FusionPBX application."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text:
            return text
        try:
            uuid = UUID(text)
        except ValueError:
            raise ValidationError(f"{self.label} must be a uuid") from None
        return str(TIME_CONDITION_APP if uuid == DOCUMENTED_TIME_CONDITION_APP else uuid)


class Detail(Record):
    dialplan_detail_tag = Text(
        max=16,
        required=True,
        pattern="condition|regex|action|anti-action",
        expected="condition, regex, action or anti-action",
    )
    dialplan_detail_type = Text(max=255, variables=True, load_default="")
    dialplan_detail_data = Text(max=4096, variables=True, load_default="")
    dialplan_detail_break = Text(
        max=8,
        pattern="on-true|on-false|always|never",
        expected="on-true, on-false, always or never",
        load_default="",
    )
    dialplan_detail_inline = TrueFalse(blank=True, load_default="")
    dialplan_detail_group = Digits(load_default="0")
    dialplan_detail_order = Digits(load_default="")
    dialplan_detail_enabled = TrueFalse(load_default="true")


class Dialplan(Record):
    dialplan_uuid = Text(dump_only=True, metadata={"format": "uuid"})
    app_uuid = AppUuid(max=64, load_default="", metadata={"format": "uuid"})
    hostname = Text(load_default="", **HOSTNAME)
    dialplan_context = Text(load_default="", variables=True, **CONTEXT)
    dialplan_name = Text(required=True)
    dialplan_number = Text(load_default="")
    dialplan_destination = TrueFalse(load_default="false")
    dialplan_continue = TrueFalse(blank=True, load_default="")
    dialplan_order = Digits(high=999_999, load_default="")
    dialplan_enabled = TrueFalse(load_default="true")
    dialplan_description = Text(max=1000, load_default="")
    dialplan_xml = Text(max=200_000, lines=True, variables=True, load_default="")
    details = Nested(Detail, many=True, most=500)


class Action(Record):
    app = Text(max=64, required=True)
    data = Text(max=4096, variables=True, load_default="")


class Route(Dialplan):
    """A dialplan of one application, which its resource sets; its name can be made."""

    app_uuid = Text(dump_only=True, metadata={"format": "uuid"})
    dialplan_name = Text(load_default="")
    name = Text(load_only=True)


class InboundRoute(Route):
    number = Text(load_only=True)
    actions = Nested(Action, many=True, most=50, load_only=True)
    limit = Digits(low=1, high=1_000_000, load_only=True)


class OutboundRoute(Route):
    gateway_uuid = Link("v_gateways", "gateway_uuid", shared=True, load_only=True)
    gateway_2_uuid = Link("v_gateways", "gateway_uuid", shared=True, load_only=True)
    gateway_3_uuid = Link("v_gateways", "gateway_uuid", shared=True, load_only=True)
    expressions = fields.List(Text(required=True), validate=validate.Length(max=50), load_only=True)
    prefix = Text(max=32, pattern="[0-9*#+]+", expected="digits", load_only=True)
    limit = Digits(low=1, high=1_000_000, load_only=True)
    accountcode = Text(load_only=True)
    toll_allow = Text(load_only=True)
    pin_numbers = Text(max=32, pattern="[0-9]+|database", expected="digits, or database", load_only=True)


class Condition(Record):
    """When a group of a time condition takes the call, and what happens then."""

    year = Text()
    yday = Text()
    mon = Text()
    mday = Text()
    week = Text()
    mweek = Text()
    wday = Text()
    hour = Text()
    minute = Text()
    minute_of_day = Text(data_key="minute-of-day", attribute="minute-of-day")
    time_of_day = Text(data_key="time-of-day", attribute="time-of-day")
    date_time = Text(data_key="date-time", attribute="date-time")
    preset = Text(max=64, pattern="[0-9A-Za-z_-]+", expected="the name of a preset")
    actions = Nested(Action, many=True, most=50, required=True)


class TimeCondition(Route):
    extension = Text(max=64, pattern=NUMBER, expected="a number that a phone can dial")
    timezone = TimeZone(max=64)
    conditions = Nested(Condition, many=True, most=49)
    otherwise = Nested(Action, many=True, most=50)
