"""PIN numbers: what callers type before a route that asks for one lets them out.

FusionPBX's script reads the row at every call (pin_number.lua), so a change has nothing to do on a switch.
"""

from __future__ import annotations

from uuid import UUID

from pbxapi.plugin import Plugin, Record, Resource, Text, TrueFalse, fields


class PinNumber(Record):
    pin_number_uuid = fields.UUID(dump_only=True)
    pin_number = Text(
        label="PIN number", required=True, max=20, pattern=r"[0-9]{2,20}", expected="2 to 20 digits", secret=True
    )
    accountcode = Text(pattern=r"[0-9A-Za-z_.@+-]+", expected="letters, digits and _.@+-", load_default="")
    enabled = TrueFalse(load_default="true")
    description = Text(load_default="")


pin_numbers = Resource(
    name="pin-numbers",
    label="PIN number",
    id="pin_number_uuid",
    schema=PinNumber,
    table="v_pin_numbers",
    sql="pin_numbers",
    app_uuid=UUID("4b88ccfb-cb98-40e1-a5e5-33389e14a388"),
    row=("pin_number_uuid", "accountcode", "enabled", "description"),
    search=("accountcode", "description"),
    sort=("description", "accountcode"),
    filters=("accountcode", "enabled", "description"),
    unique=("pin_number",),
)

plugin = Plugin(name="pin-numbers", version="1.0.0", resources=(pin_numbers,))
