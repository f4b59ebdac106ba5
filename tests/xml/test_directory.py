from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxapi.xml.directory import (
    call_groups,
    domain_file,
    domain_folder_name,
    extension_file,
    extension_file_name,
)
from pbxapi.xml.text import InvalidValue

from .conftest import bounded, texts

DOMAIN = "tenant.example"
PLAIN = {
    "extension": "101",
    "extension_uuid": "e",
    "domain_uuid": "d",
    "password": "s<cr>t",
    "user_context": DOMAIN,
    "call_timeout": 30,
    "enabled": True,
}


def build(change=None, voicemail=None, dial_string="user/${dialed_user}", **rest):
    return extension_file(PLAIN | (change or {}), voicemail, domain_name=DOMAIN, dial_string=dial_string, **rest)


def user(tree, preprocessed, content):
    """(attributes, params, variables) of the user that the switch gets from a file."""
    _, attributes, _, (params, variables) = tree(preprocessed(content))
    return (
        attributes,
        [tuple(param[1].values()) for param in params[3]],
        [tuple(variable[1].values()) for variable in variables[3]],
    )


def test_include_stands_on_lines_of_its_own():
    lines = build().splitlines()
    assert (lines[0], lines[-1]) == ("<include>", "</include>")


def test_a_plain_extension_has_what_every_extension_has(tree, preprocessed):
    attributes, params, variables = user(tree, preprocessed, build())
    assert attributes == {"id": "101"}
    assert params == [
        ("password", "s<cr>t"),
        ("reverse-auth-user", "101"),
        ("reverse-auth-pass", "s<cr>t"),
        ("vm-enabled", "true"),
        ("dial-string", "user/${dialed_user}"),
        ("verto-context", DOMAIN),
        ("verto-dialplan", "XML"),
        ("jsonrpc-allowed-methods", "verto"),
        ("jsonrpc-allowed-event-channels", "demo,conference,presence"),
    ]
    assert variables == [
        ("domain_uuid", "d"),
        ("domain_name", DOMAIN),
        ("extension_uuid", "e"),
        ("call_timeout", "30"),
        ("caller_id_name", "101"),
        ("caller_id_number", "101"),
        ("presence_id", "101@tenant.example"),
        ("user_context", DOMAIN),
        ("limit_max", "5"),
        ("record_stereo", "true"),
        ("transfer_fallback_extension", "operator"),
        ("export_vars", "domain_name,domain_uuid"),
    ]


FULL = {
    "number_alias": "5550101",
    "cidr": "192.0.2.0/24",
    "mwi_account": "101@d",
    "auth_acl": "office",
    "max_registrations": "2",
    "call_group": "sales",
    "call_screen_enabled": True,
    "user_record": "all",
    "hold_music": "local_stream://x",
    "toll_allow": "local",
    "accountcode": "acme",
    "effective_caller_id_name": "Ann & Bob",
    "effective_caller_id_number": "101",
    "outbound_caller_id_name": "Acme",
    "outbound_caller_id_number": "5550100",
    "emergency_caller_id_name": "Acme HQ",
    "emergency_caller_id_number": "5550199",
    "missed_call_app": "email",
    "missed_call_data": "a@b.example",
    "directory_first_name": "Ann",
    "directory_last_name": "Lee",
    "directory_visible": "true",
    "directory_exten_visible": True,
    "limit_max": "3",
    "limit_destination": "!USER_BUSY",
    "sip_force_contact": "NDLB-connectile-dysfunction",
    "sip_force_expires": "60",
    "nibble_account": "1",
    "absolute_codec_string": "PCMU",
    "force_ping": True,
    "sip_bypass_media": "proxy-media",
    "forward_busy_enabled": True,
    "forward_busy_destination": "102",
    "forward_no_answer_destination": "103",
    "follow_me_enabled": True,
    "extension_language": "de",
    "extension_dialect": "at",
    "extension_voice": "anna",
}


def test_a_full_extension_stands_in_the_order_of_fusionpbx(tree, preprocessed):
    voicemail = {
        "voicemail_enabled": True,
        "voicemail_password": "4711",
        "voicemail_mail_to": "ann@b.example",
        "voicemail_attach_file": "true",
        "voicemail_local_after_email": False,
    }
    settings = [
        {
            "extension_setting_type": "param",
            "extension_setting_name": "p",
            "extension_setting_value": "1",
            "extension_setting_enabled": True,
        },
        {
            "extension_setting_type": "variable",
            "extension_setting_name": "v",
            "extension_setting_value": "2",
            "extension_setting_enabled": "true",
        },
        {
            "extension_setting_type": "variable",
            "extension_setting_name": "off",
            "extension_setting_value": "3",
            "extension_setting_enabled": False,
        },
    ]
    content = build(FULL, voicemail, settings=settings, user_uuid="u", contact_uuid="c")
    attributes, params, variables = user(tree, preprocessed, content)
    assert attributes == {"id": "101", "cidr": "192.0.2.0/24", "number-alias": "5550101"}
    assert params[3:] == [
        ("vm-enabled", "true"),
        ("vm-password", "4711"),
        ("vm-email-all-messages", "true"),
        ("vm-attach-file", "true"),
        ("vm-keep-local-after-email", "false"),
        ("vm-mailto", "ann@b.example"),
        ("MWI-Account", "101@d"),
        ("auth-acl", "office"),
        ("dial-string", "user/${dialed_user}"),
        ("verto-context", DOMAIN),
        ("verto-dialplan", "XML"),
        ("jsonrpc-allowed-methods", "verto"),
        ("jsonrpc-allowed-event-channels", "demo,conference,presence"),
        ("max-registrations-per-extension", "2"),
        ("p", "1"),
    ]
    assert variables[3:] == [
        ("user_uuid", "u"),
        ("contact_uuid", "c"),
        ("call_timeout", "30"),
        ("caller_id_name", "101"),
        ("caller_id_number", "5550101"),
        ("presence_id", "101@tenant.example"),
        ("call_group", "sales"),
        ("call_screen_enabled", "true"),
        ("user_record", "all"),
        ("hold_music", "local_stream://x"),
        ("toll_allow", "local"),
        ("accountcode", "acme"),
        ("user_context", DOMAIN),
        ("effective_caller_id_name", "Ann & Bob"),
        ("effective_caller_id_number", "101"),
        ("outbound_caller_id_name", "Acme"),
        ("outbound_caller_id_number", "5550100"),
        ("emergency_caller_id_name", "Acme HQ"),
        ("emergency_caller_id_number", "5550199"),
        ("missed_call_app", "email"),
        ("missed_call_data", "a@b.example"),
        ("directory_full_name", "Ann Lee"),
        ("directory-visible", "true"),
        ("directory-exten-visible", "true"),
        ("limit_max", "3"),
        ("limit_destination", "!USER_BUSY"),
        ("sip-force-contact", "NDLB-connectile-dysfunction"),
        ("sip-force-expires", "60"),
        ("nibble_account", "1"),
        ("absolute_codec_string", "PCMU"),
        ("force_ping", "true"),
        ("proxy_media", "true"),
        ("forward_busy_enabled", "true"),
        ("forward_busy_destination", "102"),
        ("forward_no_answer_destination", "103"),
        ("follow_me_enabled", "true"),
        ("default_language", "de"),
        ("default_dialect", "at"),
        ("default_voice", "anna"),
        ("record_stereo", "true"),
        ("transfer_fallback_extension", "operator"),
        ("export_vars", "domain_name,domain_uuid"),
        ("v", "2"),
    ]


@pytest.mark.parametrize(
    ("change", "dial_string", "dialled"),
    [
        (
            {},
            None,
            "{sip_invite_domain=tenant.example,presence_id=101@tenant.example}${sofia_contact(*/101@tenant.example)}",
        ),
        ({"dial_string": "user/own"}, "setting", "user/own"),
        ({"dial_string": "user/own", "do_not_disturb": True}, "setting", "error/user_busy"),
        ({}, "setting", "setting"),
    ],
)
def test_the_dial_string_is_the_nearest_there_is(change, dial_string, dialled, tree, preprocessed):
    _, params, _ = user(tree, preprocessed, build(change, dial_string=dial_string))
    assert dict(params)["dial-string"] == dialled


def test_a_virtual_extension_cannot_register(tree, preprocessed):
    _, params, _ = user(tree, preprocessed, build({"extension_type": "virtual", "auth_acl": "office"}))
    assert dict(params)["auth-acl"] == "virtual.e"


@pytest.mark.parametrize("elsewhere", ["do_not_disturb", "forward_all_enabled"])
def test_follow_me_is_off_while_calls_go_elsewhere(elsewhere, tree, preprocessed):
    _, _, variables = user(tree, preprocessed, build({"follow_me_enabled": True, elsewhere: "true"}))
    assert dict(variables)[elsewhere] == "true"
    assert "follow_me_enabled" not in dict(variables)


def test_the_alias_can_be_the_presence_id(tree, preprocessed):
    content = build({"number_alias": "55"}, number_as_presence_id=True)
    assert dict(user(tree, preprocessed, content)[2])["presence_id"] == "55@tenant.example"


@pytest.mark.parametrize("enabled", [False, "false", None, ""])
def test_a_disabled_extension_has_no_file(enabled):
    with pytest.raises(InvalidValue) as refused:
        build({"enabled": enabled})
    assert refused.value.key == "enabled"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"change": {"password": "secret\x00"}}, "password"),
        ({"voicemail": {"voicemail_mail_to": "\x1b"}}, "voicemail_mail_to"),
        ({"settings": [{"extension_setting_value": "\x01"}]}, "extension_setting_value"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_column_and_without_the_value(arguments, key):
    with pytest.raises(InvalidValue) as refused:
        build(**arguments)
    assert refused.value.key == key
    assert "secret" not in str(refused.value)


@bounded
@given(st.dictionaries(st.sampled_from(sorted({*FULL, "password", "dial_string"})), texts(), max_size=8))
def test_whatever_extension_is_accepted_reaches_the_switch_whole(tree, preprocessed, change):
    try:
        content = build(change)
    except InvalidValue:
        return
    attributes, params, variables = user(tree, preprocessed, content)
    assert attributes["id"] == "101"
    assert dict(params)["password"] == change.get("password", PLAIN["password"])
    for column in ("hold_music", "accountcode", "effective_caller_id_name", "toll_allow"):
        assert dict(variables).get(column, "") == change.get(column, "")
    assert variables[-1] == ("export_vars", "domain_name,domain_uuid")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("101", "v_101.xml"),
        ("*72", "v_72.xml"),
        ("a b", "v_a_b.xml"),
        ("../../etc/passwd", "v_....etcpasswd.xml"),
        ("a:b<c>d|e'f\"g?h\\i", "v_abcdefghi.xml"),
    ],
)
def test_a_file_is_named_after_the_number(number, name):
    assert extension_file_name(number) == name


@pytest.mark.parametrize("number", ["", "*", "1\n2", "1\x00"])
def test_a_number_that_names_no_file_is_refused(number):
    with pytest.raises(InvalidValue):
        extension_file_name(number)


@bounded
@given(texts())
def test_no_file_name_leaves_its_folder(number):
    try:
        name = extension_file_name(number)
    except InvalidValue:
        return
    assert "/" not in name
    assert "\\" not in name
    assert name.isprintable()


def test_a_domain_takes_in_its_folder_and_points_to_its_groups(tree, preprocessed):
    content = domain_file(DOMAIN, {"sales & co": ["101", "102"], "support": ["101"]})
    lines = [line.strip() for line in content.splitlines()]
    assert lines.count("<include>") == 1
    assert '<X-PRE-PROCESS cmd="include" data="tenant.example/*.xml"/>' in lines
    _, attributes, _, (params, groups) = tree(preprocessed(content))
    assert attributes == {"name": DOMAIN, "alias": "true"}
    assert [param[1]["name"] for param in params[3]] == [
        "jsonrpc-allowed-methods",
        "jsonrpc-allowed-event-channels",
    ]
    assert [(group[1]["name"], [member[1] for member in group[3][0][3]]) for group in groups[3]] == [
        (DOMAIN, []),
        ("sales & co", [{"id": "101", "type": "pointer"}, {"id": "102", "type": "pointer"}]),
        ("support", [{"id": "101", "type": "pointer"}]),
    ]


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a*", 'a"/>', "a b", "a\n", "$${x}", "ä"])
def test_a_domain_whose_name_names_no_folder_is_refused(name):
    with pytest.raises(InvalidValue):
        domain_folder_name(name)
    with pytest.raises(InvalidValue):
        domain_file(name, {})


def test_call_groups_are_parted_by_commas_and_semicolons():
    assert call_groups(" sales, support;;x ") == ["sales", "support", "x"]
    assert call_groups(None) == []
