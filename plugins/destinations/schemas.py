"""What a destination looks like."""

from __future__ import annotations

from pbxapi.plugin import Digits, Link, Nested, Record, Text, TrueFalse, fields

_CONTEXT = {"pattern": r"[0-9A-Za-z._@${}-]+", "expected": "a context such as public or the domain's name"}
_UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


class DestinationAction(Record):
    destination_app = Text(max=64, required=True)
    destination_data = Text(max=4096, variables=True, load_default="")


class DestinationCondition(Record):
    """What happens instead for certain callers."""

    condition_field = Text(
        max=32,
        pattern="caller_id_number|caller_id_number_prefix",
        expected="caller_id_number or caller_id_number_prefix",
        load_default="caller_id_number",
    )
    condition_expression = Text(
        max=64, required=True, pattern=r"\+?[0-9*]+", expected="a telephone number, or how one begins"
    )
    condition_app = Text(max=64, load_default="")
    condition_data = Text(max=4096, variables=True, load_default="")
    condition_description = Text(load_default="")


class Destination(Record):
    destination_uuid = Text(dump_only=True, metadata={"format": "uuid"})
    destination_type = Text(
        max=16, pattern="inbound|outbound|local", expected="inbound, outbound or local", load_default="inbound"
    )
    destination_number = Text(
        max=128,
        required=True,
        pattern=r"(?![0-9]+-[0-9]+$)[0-9A-Za-z*#+._()\[\]|^$?\\{},:-]+",
        expected="one number, or a pattern of one; not a range",
    )
    destination_prefix = Text(max=8, pattern=r"\+?[0-9]+", expected="a country code in digits", load_default="")
    destination_context = Text(required=True, variables=True, **_CONTEXT)
    destination_enabled = TrueFalse(load_default="true")
    destination_description = Text(max=1000, load_default="")
    destination_order = Digits(high=999_999, load_default="100")
    dialplan_uuid = Text(dump_only=True, metadata={"format": "uuid"})
    dialplan_name = Text(load_default="")
    destination_actions = Nested(DestinationAction, many=True, most=50)
    destination_trunk_prefix = Text(max=8, pattern="[0-9]+", expected="digits", load_default="")
    destination_area_code = Text(max=16, pattern="[0-9NXZnxz]+", expected="digits", load_default="")
    destination_condition_field = Text(
        max=64,
        variables=True,
        pattern=r"[a-z_]+|\$\{[A-Za-z_]+\}",
        expected="the name of a field, or a variable such as ${sip_to_user}",
        load_default="",
    )
    destination_number_regex = Text(dump_only=True)
    destination_caller_id_name = Text(load_default="")
    destination_caller_id_number = Text(load_default="")
    destination_cid_name_prefix = Text(load_default="")
    destination_record = TrueFalse(load_default="false")
    destination_hold_music = Text(variables=True, load_default="")
    destination_distinctive_ring = Text(load_default="")
    destination_ringback = Text(variables=True, load_default="")
    destination_accountcode = Text(load_default="")
    destination_type_voice = TrueFalse(load_default="true")
    destination_type_fax = TrueFalse(load_default="false")
    destination_type_text = TrueFalse(load_default="false")
    destination_type_emergency = TrueFalse(load_default="false")
    destination_email = TrueFalse(load_default="false")
    destination_conditions = Nested(DestinationCondition, many=True, most=50)
    destination_app = Text(max=64, load_default="")
    destination_data = Text(max=4096, variables=True, load_default="")
    destination_alternate_app = Text(max=64, load_default="")
    destination_alternate_data = Text(max=4096, variables=True, load_default="")
    fax_uuid = Link("v_fax", "fax_uuid", load_default="")
    user_uuid = Link("v_users", "user_uuid", load_default="")
    group_uuid = Link("v_groups", "group_uuid", shared=True, load_default="")
    provider_uuid = Text(max=36, pattern=_UUID, expected="a uuid", load_default="")


class DestinationRow(Destination):
    """One in a list, where the contract says that the order is a number."""

    destination_order = fields.Integer()
