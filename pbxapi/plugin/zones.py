"""Time zones: which there are, and which one a domain lives in."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import ValidationError

from pbxapi.plugin.call import Call
from pbxapi.plugin.fields import Text

SETTING = "domain/time_zone"


@cache
def zones() -> frozenset[str]:
    """The names of all time zones, such as ``Europe/Berlin``."""
    return frozenset(available_timezones())


def domain_zone(call: Call) -> ZoneInfo:
    """The time zone of the caller's domain: FusionPBX's setting domain/time_zone, else UTC."""
    name = call.settings(SETTING).get(SETTING, "")
    return ZoneInfo(name if name in zones() else "UTC")


class TimeZone(Text):
    """The name of a time zone, such as ``Europe/Berlin``; may be empty."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text and text not in zones():
            raise ValidationError(f"{self.label} must be the name of a time zone")
        return text
