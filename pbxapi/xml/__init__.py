"""XML for FreeSWITCH, made from FusionPBX's rows: pure functions, which plugins may use too.

What is made here parses, stays whole in FreeSWITCH's line-based preprocessor, and means the same as what
FusionPBX itself would write. What it may do (applications, contexts, gateways) is for the caller to check:
`actions` and `api_calls` list it. Every builder raises `InvalidValue`, a ValueError with the key at fault.

| module | makes |
|---|---|
| dialplan | ``<extension>`` from details; reads and checks a given one |
| destination | a destination's expression, details and dialplan |
| routes | details of inbound and outbound routes and of time conditions, and time conditions back in words |
| applications | dialplans of ring groups, menus, call flows, conferences, fax, queues |
| directory | files of extensions and domains |
| gateway | files of gateways |
| text | escaping, elements, include files |
"""

from __future__ import annotations

from pbxapi.xml.applications import (
    call_center_queue_dialplan,
    call_flow_dialplan,
    conference_center_dialplan,
    conference_dialplan,
    fax_dialplan,
    ivr_menu_dialplan,
    ring_group_dialplan,
)
from pbxapi.xml.destination import destination_details, destination_dialplan, number_regex
from pbxapi.xml.dialplan import (
    Detail,
    actions,
    api_calls,
    attributes,
    exactly,
    from_details,
    is_public,
    looked_at,
    parse,
    relabelled,
    texts,
)
from pbxapi.xml.directory import (
    call_groups,
    domain_file,
    domain_folder_name,
    extension_file,
    extension_file_name,
)
from pbxapi.xml.gateway import gateway_file, gateway_file_name
from pbxapi.xml.routes import (
    Route,
    abbreviation,
    inbound_route,
    outbound_route,
    read_time_condition,
    time_condition,
)
from pbxapi.xml.text import Element, InvalidValue, escape, include_file

__all__ = [
    "Detail",
    "Element",
    "InvalidValue",
    "Route",
    "abbreviation",
    "actions",
    "api_calls",
    "attributes",
    "call_center_queue_dialplan",
    "call_flow_dialplan",
    "call_groups",
    "conference_center_dialplan",
    "conference_dialplan",
    "destination_details",
    "destination_dialplan",
    "domain_file",
    "domain_folder_name",
    "escape",
    "exactly",
    "extension_file",
    "extension_file_name",
    "fax_dialplan",
    "from_details",
    "gateway_file",
    "gateway_file_name",
    "inbound_route",
    "include_file",
    "is_public",
    "ivr_menu_dialplan",
    "looked_at",
    "number_regex",
    "outbound_route",
    "parse",
    "read_time_condition",
    "relabelled",
    "ring_group_dialplan",
    "texts",
    "time_condition",
]
