"""Gateways as files, where the operator wants files (FusionPBX's default setting switch/sip_profiles).

Order and names follow FusionPBX's Lua script (xml_handler/configuration/sofia.conf.lua).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pbxapi.xml.text import Element, InvalidValue, check_row, include_file, is_true, plain

_PARAMS = (
    "username",
    "distinct_to",
    "auth_username",
    "password",
    "realm",
    "from_user",
    "from_domain",
    "proxy",
    "register_proxy",
    "outbound_proxy",
    "expire_seconds",
    "register",
    "register_transport",
    "contact_params",
    "retry_seconds",
    "extension",
    "ping",
    "ping_min",
    "ping_max",
    "contact_in_ping",
    "context",
    "caller_id_in_from",
    "supress_cng",
    "extension_in_contact",
)
_TRANSPORTS = ("udp", "tcp", "tls")


def gateway_file_name(uuid: UUID | str) -> str:
    """The name of a gateway's file: ``v_<uuid in lower case>.xml``.

    Raises:
        InvalidValue: it is no uuid.
    """
    return f"v_{_name(uuid)}.xml"


def gateway_file(gateway: Mapping[str, Any]) -> str:
    """The file of one gateway, known to FreeSWITCH by its uuid in lower case.

    Args:
        gateway: its row in v_gateways. A column that is NULL or empty is left out; any transport other than
            udp, tcp and tls becomes udp.

    Raises:
        InvalidValue: the gateway is disabled, its uuid is none, or a value cannot stand in XML.
    """
    if not is_true(gateway.get("enabled")):
        raise InvalidValue("enabled", "a disabled gateway has no file")
    check_row(gateway)
    params = []
    for column in _PARAMS:
        value = plain(gateway.get(column))
        if value and column == "register_transport" and value not in _TRANSPORTS:
            value = "udp"
        if value:
            params.append(Element("param", {"name": column.replace("_", "-"), "value": value}))
    cid_type = plain(gateway.get("sip_cid_type"))
    if cid_type:
        variable = Element("variable", {"name": "sip_cid_type", "value": cid_type})
        params.append(Element("variables", {}, [variable]))
    return include_file([Element("gateway", {"name": _name(gateway.get("gateway_uuid"))}, params)])


def _name(uuid: object) -> str:
    try:
        return str(UUID(plain(uuid)))
    except ValueError:
        raise InvalidValue("gateway_uuid", "is no uuid") from None
