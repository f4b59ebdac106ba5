from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxapi.xml.gateway import gateway_file, gateway_file_name
from pbxapi.xml.text import InvalidValue

from .conftest import bounded, texts

UUID = "6F9619FF-8B86-4D01-B42D-00CF4FC964FF"
PLAIN = {"gateway_uuid": UUID, "gateway": "acme", "enabled": True}
FULL = {
    "username": "u",
    "distinct_to": False,
    "auth_username": "a",
    "password": 'p"&<',
    "realm": "r",
    "from_user": "fu",
    "from_domain": "fd",
    "proxy": "sip.example:5060",
    "register_proxy": "rp",
    "outbound_proxy": "op",
    "expire_seconds": 800,
    "register": True,
    "register_transport": "tls",
    "contact_params": "cp",
    "retry_seconds": 30,
    "extension": "5550100",
    "ping": "25",
    "ping_min": "1",
    "ping_max": "2",
    "contact_in_ping": True,
    "context": "public",
    "caller_id_in_from": True,
    "supress_cng": False,
    "extension_in_contact": True,
}


def gateway(tree, preprocessed, change):
    """(name, params, variables) of the gateway that the switch gets from a file."""
    _, attributes, _, children = tree(preprocessed(gateway_file(PLAIN | change)))
    params = [tuple(child[1].values()) for child in children if child[0] == "param"]
    variables = [tuple(inner[1].values()) for child in children if child[0] == "variables" for inner in child[3]]
    return attributes["name"], params, variables


def test_a_gateway_is_known_by_its_uuid_in_lower_case(tree, preprocessed):
    assert gateway(tree, preprocessed, {}) == (UUID.lower(), [], [])
    lines = gateway_file(PLAIN).splitlines()
    assert (lines[0], lines[-1]) == ("<include>", "</include>")


def test_a_full_gateway_stands_in_the_order_of_fusionpbx(tree, preprocessed):
    name, params, variables = gateway(tree, preprocessed, FULL | {"sip_cid_type": "rpid", "channels": 5})
    assert name == UUID.lower()
    assert params == [
        ("username", "u"),
        ("distinct-to", "false"),
        ("auth-username", "a"),
        ("password", 'p"&<'),
        ("realm", "r"),
        ("from-user", "fu"),
        ("from-domain", "fd"),
        ("proxy", "sip.example:5060"),
        ("register-proxy", "rp"),
        ("outbound-proxy", "op"),
        ("expire-seconds", "800"),
        ("register", "true"),
        ("register-transport", "tls"),
        ("contact-params", "cp"),
        ("retry-seconds", "30"),
        ("extension", "5550100"),
        ("ping", "25"),
        ("ping-min", "1"),
        ("ping-max", "2"),
        ("contact-in-ping", "true"),
        ("context", "public"),
        ("caller-id-in-from", "true"),
        ("supress-cng", "false"),
        ("extension-in-contact", "true"),
    ]
    assert variables == [("sip_cid_type", "rpid")]


@pytest.mark.parametrize(
    ("transport", "written"),
    [("udp", "udp"), ("tcp", "tcp"), ("tls", "tls"), ("ws", "udp"), ("", None), (None, None)],
)
def test_transports_that_fusionpbx_does_not_know_become_udp(transport, written, tree, preprocessed):
    _, params, _ = gateway(tree, preprocessed, {"register_transport": transport})
    assert dict(params).get("register-transport") == written


@pytest.mark.parametrize("enabled", [False, "false", None])
def test_a_disabled_gateway_has_no_file(enabled):
    with pytest.raises(InvalidValue) as refused:
        gateway_file(PLAIN | {"enabled": enabled})
    assert refused.value.key == "enabled"


def test_a_file_is_named_by_the_uuid():
    assert gateway_file_name(UUID) == f"v_{UUID.lower()}.xml"


@pytest.mark.parametrize("uuid", ["", "acme", "../" + UUID, UUID + "\n", None])
def test_what_is_no_uuid_names_neither_file_nor_gateway(uuid):
    with pytest.raises(InvalidValue):
        gateway_file_name(uuid)
    with pytest.raises(InvalidValue):
        gateway_file(PLAIN | {"gateway_uuid": uuid})


@bounded
@given(st.dictionaries(st.sampled_from(sorted(set(FULL) - {"register_transport"})), texts(), max_size=8))
def test_whatever_gateway_is_accepted_reaches_the_switch_whole(tree, preprocessed, change):
    try:
        name, params, _ = gateway(tree, preprocessed, change)
    except InvalidValue:
        return
    assert name == UUID.lower()
    assert dict(params) == {column.replace("_", "-"): value for column, value in change.items() if value}
