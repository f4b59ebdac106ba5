"""What a device looks like."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError

from pbxapi.plugin import Digits, Link, Nested, Record, Text, TrueFalse, fields

_USER = {"max": 128, "pattern": r"[0-9A-Za-z*#+._@-]+", "expected": "letters, digits and * # + . _ @ -"}
_HOST = {"pattern": r"[0-9A-Za-z._:\[\]-]+", "expected": "a host name or an address, with or without a port"}
_NAME = {"max": 64, "pattern": r"[0-9A-Za-z_-]+", "expected": "letters, digits, _ and -"}


class MacAddress(Text):
    """A MAC address: taken with or without separators, stored as 12 small hexadecimal digits."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        address = re.sub(r"[:.-]", "", str(value)).lower()
        if not isinstance(value, str | int) or not re.fullmatch(r"[0-9a-f]{12}", address):
            raise ValidationError("Invalid MAC address format")
        return address


class DeviceLine(Record):
    """A line; what is not sent of the fields without a default is completed from the settings."""

    device_line_uuid = fields.UUID()
    line_number = Digits(low=1, high=255, load_default="1")
    server_address = Text(**_HOST)
    display_name = Text(load_default="")
    user_id = Text(load_default="", **_USER)
    auth_id = Text(**_USER)
    password = Text(max=128, secret=True)
    label = Text(load_default="")
    enabled = TrueFalse(load_default="true")
    server_address_primary = Text(**_HOST)
    server_address_secondary = Text(**_HOST)
    outbound_proxy_primary = Text(**_HOST)
    outbound_proxy_secondary = Text(**_HOST)
    sip_port = Digits(high=65_535)
    sip_transport = Text(pattern=r"(?i:udp|tcp|tls|dns srv)", expected="udp, tcp, tls or dns srv")
    register_expires = Digits(low=1, high=86_400 * 30)
    shared_line = Text(load_default="", **_NAME)


class DeviceKey(Record):
    """A key; type, line and value are spelled as the vendor's phones want them, as in FusionPBX's editor."""

    device_key_uuid = fields.UUID()
    device_key_category = Text(
        load_default="line",
        pattern=r"line|memory|programmable|expansion(-[1-9])?",
        expected="line, memory, programmable, expansion or expansion-1 to -9",
    )
    device_key_id = Digits(low=1, high=1000)
    device_key_vendor = Text(max=64)
    device_key_type = Text(max=64, load_default="")
    device_key_subtype = Text(max=64, load_default="")
    device_key_line = Digits(high=255, load_default="")
    device_key_value = Text(variables=True, load_default="")
    device_key_extension = Text(variables=True, load_default="")
    device_key_protected = TrueFalse(blank=True, load_default="")
    device_key_label = Text(variables=True, load_default="")
    device_key_icon = Text(variables=True, load_default="")


class DeviceSetting(Record):
    """A setting for this phone alone; it wins over those of the profile, the domain and the system."""

    device_setting_uuid = fields.UUID()
    device_setting_category = Text(load_default="provision", **_NAME)
    device_setting_subcategory = Text(
        label="Setting name", required=True, max=128, pattern=r"[0-9A-Za-z_.-]+", expected="letters, digits, _ . -"
    )
    device_setting_name = Text(load_default="text", **_NAME)
    device_setting_value = Text(max=2000, secret=True)
    device_setting_enabled = TrueFalse(load_default="true")
    device_setting_description = Text(load_default="")


class Device(Record):
    device_uuid = fields.UUID(dump_only=True)
    device_address = MacAddress(label="MAC address", required=True)
    device_vendor = Text(max=64, load_default="")
    device_model = Text(max=64, load_default="")
    device_enabled = TrueFalse(load_default="true")
    device_label = Text(load_default="")
    device_description = Text(max=1000, load_default="")
    device_template = Text(
        max=128,
        pattern=r"[0-9A-Za-z][0-9A-Za-z ._+-]*/[0-9A-Za-z][0-9A-Za-z ._+-]*",
        expected="vendor/model",
        load_default="",
    )
    device_username = Text(load_default="")
    device_password = Text(max=128, secret=True, load_default="")
    device_location = Text(load_default="")
    device_serial_number = Text(load_default="")
    device_firmware_version = Text(load_default="")
    device_profile_uuid = Link("v_device_profiles", "device_profile_uuid", shared=True, load_default="")
    device_user_uuid = Link("v_users", "user_uuid", load_default="")
    device_uuid_alternate = Link("v_devices", "device_uuid", load_default="")
    device_provisioned_date = Text(dump_only=True)
    device_provisioned_method = Text(dump_only=True)
    device_provisioned_ip = Text(dump_only=True)
    device_provisioned_agent = Text(dump_only=True)
    lines = Nested(DeviceLine, many=True, most=64, load_only=True)
    keys = Nested(DeviceKey, many=True, most=500, load_only=True)
    settings = Nested(DeviceSetting, many=True, load_only=True)
    device_lines = Nested(DeviceLine, many=True, most=64)
    device_keys = Nested(DeviceKey, many=True, most=500)
    device_settings = Nested(DeviceSetting, many=True)
