"""What an IVR menu looks like."""

from __future__ import annotations

from pbxapi.plugin import Digits, Link, Nested, Record, Text, TrueFalse, fields
from pbxapi.plugin.dialling import NUMBER

ACTIONS = ("menu-exec-app", "menu-sub", "menu-top", "menu-back", "menu-exit")

_NAME = r"[0-9A-Za-z_-]+"
_KEYS = r"[0-9*#]{1,16}|/\^[0-9A-Z*#()\[\]{},|?+.\\d-]{1,100}\$/"


class IvrMenuOption(Record):
    ivr_menu_option_uuid = fields.UUID(dump_only=True)
    ivr_menu_option_digits = Text(
        required=True, max=128, pattern=_KEYS, expected="keys of a phone, or an expression such as /^(1[0-9])$/"
    )
    ivr_menu_option_action = Text(
        pattern="|".join(ACTIONS), expected=f"one of {', '.join(ACTIONS)}", load_default="menu-exec-app",
        metadata={"enum": list(ACTIONS)},
    )  # fmt: skip
    ivr_menu_option_param = Text(max=1000, load_default="")
    ivr_menu_option_order = Digits(high=999, load_default="0")
    ivr_menu_option_description = Text(load_default="")
    ivr_menu_option_enabled = TrueFalse(load_default="true")


class IvrMenu(Record):
    ivr_menu_uuid = fields.UUID(dump_only=True)
    ivr_menu_name = Text(required=True)
    ivr_menu_extension = Text(required=True, max=64, pattern=NUMBER, expected="a number that can be dialled")
    ivr_menu_parent_uuid = Link("v_ivr_menus", "ivr_menu_uuid", load_default="")
    ivr_menu_language = Text(max=32, pattern=_NAME, expected="a language such as en", load_default="")
    ivr_menu_dialect = Text(max=32, pattern=_NAME, expected="a dialect such as us", load_default="")
    ivr_menu_voice = Text(max=32, pattern=_NAME, expected="a voice such as callie", load_default="")
    ivr_menu_greet_long = Text(required=True)
    ivr_menu_greet_short = Text(load_default="")
    ivr_menu_invalid_sound = Text(load_default="")
    ivr_menu_exit_sound = Text(load_default="")
    ivr_menu_pin_number = Text(
        max=32, pattern="[0-9]+", expected="digits", secret=True, load_default="", label="IVR menu PIN number"
    )
    ivr_menu_confirm_macro = Text(max=64, pattern=_NAME, expected="the name of a phrase", load_default="")
    ivr_menu_confirm_key = Text(max=1, pattern="[0-9*#]", expected="a key of a phone", load_default="")
    ivr_menu_tts_engine = Text(max=32, pattern=_NAME, expected="a name", load_default="flite")
    ivr_menu_tts_voice = Text(max=32, pattern=_NAME, expected="a name", load_default="rms")
    ivr_menu_confirm_attempts = Digits(high=100, load_default="1")
    ivr_menu_timeout = Digits(high=600_000, load_default="3000", metadata={"description": "Milliseconds."})
    ivr_menu_inter_digit_timeout = Digits(
        high=600_000, load_default="2000", metadata={"description": "Milliseconds."}
    )
    ivr_menu_max_failures = Digits(high=100, load_default="1")
    ivr_menu_max_timeouts = Digits(high=100, load_default="1")
    ivr_menu_digit_len = Digits(low=1, high=64, load_default="5")
    ivr_menu_direct_dial = TrueFalse(load_default="false")
    ivr_menu_ringback = Text(variables=True, load_default="")
    ivr_menu_cid_prefix = Text(
        pattern=r"[^\[\]{}<>,'\"|^$\\]*", expected="free of brackets and quotes", load_default=""
    )
    ivr_menu_exit_app = Text(max=64, load_default="")
    ivr_menu_exit_data = Text(max=1000, load_default="")
    ivr_menu_context = Text(load_default="")
    ivr_menu_enabled = TrueFalse(load_default="true")
    ivr_menu_description = Text(load_default="")
    dialplan_uuid = fields.UUID(dump_only=True)
    ivr_menu_options = Nested(IvrMenuOption, many=True, most=100)


DEFAULTS = {
    "ivr_menu_confirm_attempts": "1",
    "ivr_menu_timeout": "3000",
    "ivr_menu_inter_digit_timeout": "2000",
    "ivr_menu_max_failures": "1",
    "ivr_menu_max_timeouts": "1",
    "ivr_menu_digit_len": "5",
}
"""What stands for an empty number, as in FusionPBX's editor."""
