"""What is asked of the switch, and how its answers are judged.

`raw` gives answers letter for letter as measured on FreeSWITCH; `simulator` shows that the commands do something.
"""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest

from pbxapi.errors import SwitchRefused, SwitchUnavailable
from pbxapi.switch import commands

BROKEN = "[[error near line 108]: unexpected closing tag </section>]"

GATEWAY = """\
<include>
<gateway name="{name}">
<param name="username" value="u"/><param name="password" value="p"/><param name="proxy" value="{proxy}"/>
<param name="register" value="{register}"/>
</gateway>
</include>
"""

UUID = "5b0e1bb4-3a0f-4c9c-8a8b-0c8f4c9b2e11"


def write_gateway(tmp_path, name=UUID, proxy="sip.example.net", register="true"):
    text = GATEWAY.format(name=name, proxy=proxy, register=register)
    (tmp_path / "conf/sip_profiles/external" / f"{name}.xml").write_text(text)


# Reading the XML


def test_a_reload_that_worked_says_nothing(simulator, switch):
    commands.reload_xml(switch)
    assert simulator.reloads == 1


def test_a_reload_of_broken_files_is_refused_with_the_switchs_own_words(raw, event_socket):
    raw.answers["reloadxml"] = f"+OK {BROKEN}\n"
    with pytest.raises(SwitchRefused, match=r"error near line 108.*unexpected closing tag </section>"):
        commands.reload_xml(event_socket)


def test_a_reload_may_take_longer_than_other_commands(simulator, switch):
    simulator.reload_seconds = 1.3
    commands.reload_xml(switch)


def test_a_rescan_finds_new_gateways(tmp_path, simulator, switch):
    write_gateway(tmp_path)
    commands.rescan(switch, "external")
    assert commands.gateway_status(switch, UUID).state == "REGED"


def test_a_changed_gateway_must_be_killed_before_the_rescan(tmp_path, simulator, switch):
    write_gateway(tmp_path)
    commands.rescan(switch, "external")
    write_gateway(tmp_path, proxy="sip2.example.net")
    commands.rescan(switch, "external")
    assert commands.gateway_status(switch, UUID).proxy == "sip:sip.example.net"
    assert commands.kill_gateway(switch, "external", UUID) is True
    commands.rescan(switch, "external")
    assert commands.gateway_status(switch, UUID).proxy == "sip:sip2.example.net"


@pytest.mark.parametrize(
    "answer",
    [
        f"Reload XML {BROKEN}\n+OK scan complete\n",
        "Reload XML [Success]\n-ERR cannot find config for profile external\n",
        "Invalid Profile [external]",
        "-ERR sofia Command not found!\n",
    ],
)
def test_a_rescan_that_did_not_work_is_refused_though_the_switch_may_say_ok(raw, event_socket, answer):
    raw.answers["sofia profile external rescan"] = answer
    with pytest.raises(SwitchRefused) as caught:
        commands.rescan(event_socket, "external")
    assert str(caught.value) == f"sofia profile external rescan: {answer.strip()}"


def test_access_lists_are_read_again(simulator, switch):
    commands.reload_acl(switch)
    assert simulator.commands == ["reloadacl"]
    simulator.break_xml("[error near line 108]: unexpected closing tag </section>")
    with pytest.raises(SwitchRefused, match="line 108"):
        commands.reload_acl(switch)


def test_an_access_list_says_whom_it_lets_in(simulator, switch):
    simulator.access_lists["workers"] = [ip_network("192.0.2.0/24")]
    assert commands.in_access_list(switch, "192.0.2.7", "workers") is True
    assert commands.in_access_list(switch, "198.51.100.7", "workers") is False
    assert commands.in_access_list(switch, "192.0.2.7", "nosuch") is False
    for address, name in (("192.0.2.7\n", "workers"), ("192.0.2.7", "workers\n"), ("pbx", "workers")):
        with pytest.raises(ValueError):
            commands.in_access_list(switch, address, name)


# Gateways


def test_killing_a_gateway_twice_is_no_error(tmp_path, simulator, switch):
    write_gateway(tmp_path)
    commands.rescan(switch, "external")
    assert commands.kill_gateway(switch, "external", UUID) is True
    assert commands.kill_gateway(switch, "external", UUID) is False
    assert commands.gateway_status(switch, UUID) is None


def test_killing_a_gateway_of_a_profile_that_does_not_run_is_refused(simulator, switch):
    with pytest.raises(SwitchRefused, match=r"Invalid Profile \[nosuch\]"):
        commands.kill_gateway(switch, "nosuch", UUID)


@pytest.mark.parametrize("name", ["_all_", "_ALL_"])
def test_no_name_kills_all_gateways_at_once(simulator, switch, name):
    with pytest.raises(ValueError, match="not the name of a gateway"):
        commands.kill_gateway(switch, "external", name)
    assert simulator.commands == []


@pytest.mark.parametrize("state", ["REGED", "TRYING", "FAIL_WAIT", "NOREG"])
def test_a_gateways_state_is_told(tmp_path, simulator, switch, state):
    write_gateway(tmp_path)
    commands.rescan(switch, "external")
    simulator.set_gateway_state(UUID, state, "DOWN")
    assert commands.gateway_status(switch, UUID) == commands.GatewayStatus(
        name=UUID,
        profile="external",
        proxy="sip:sip.example.net",
        state=state,
        status="DOWN",
        retry="29s" if state in ("TRYING", "FAIL_WAIT") else "",
    )


def test_all_gateways_are_told(tmp_path, simulator, switch):
    assert commands.gateways(switch) == []
    write_gateway(tmp_path, "one")
    write_gateway(tmp_path, "two", register="false")
    commands.rescan(switch, "external")
    assert {gateway.name: gateway.state for gateway in commands.gateways(switch)} == {
        "one": "REGED",
        "two": "NOREG",
    }


def test_a_gateway_whose_values_are_no_xml_hides_no_other(raw, event_socket):
    raw.answers["sofia xmlstatus gateway"] = (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<gateways>\n'
        "  <gateway>\n    <name>one</name>\n    <username>a&b<c</username>\n    <state>REGED</state>\n"
        "    <status>UP</status>\n  </gateway>\n"
        "  <gateway>\n    <name>two</name>\n    <proxy>zoë\x01</proxy>\n    <state>NOREG</state>\n"
        "    <status>UP</status>\n  </gateway>\n</gateways>\n"
    )
    found = commands.gateways(event_socket)
    assert [(gateway.name, gateway.state) for gateway in found] == [("one", "REGED"), ("two", "NOREG")]


@pytest.mark.parametrize("ask", [commands.gateways, commands.profiles, commands.channels])
def test_an_answer_that_is_no_list_is_refused(raw, event_socket, ask):
    with pytest.raises(SwitchRefused, match="-ERR no reply"):
        ask(event_socket)


# Profiles and registrations


def test_running_profiles_are_told_once_each(raw, event_socket):
    entries = "".join(
        f"<{kind}>\n<name>{name}</name>\n<type>{kind}</type>\n<data>{data}</data>\n"
        f"<state>{state}</state>\n</{kind}>\n"
        for kind, name, data, state in [
            ("profile", "external", "sip:mod_sofia@127.0.0.1:5090", "RUNNING (0)"),
            ("gateway", UUID, "sip:u@sip.example.net", "REGED"),
            ("profile", "internal", "sip:mod_sofia@127.0.0.1:5060", "RUNNING (2)"),
            ("profile", "internal", "sip:mod_sofia@127.0.0.1:5061", "RUNNING (2) (TLS)"),
            ("alias", "127.0.0.1", "internal", "ALIASED"),
        ]
    )
    raw.answers["sofia xmlstatus"] = f"<?xml version='1.0'?>\n<profiles>\n{entries}</profiles>\n"
    assert commands.profiles(event_socket) == ["external", "internal"]


def test_registrations_of_all_running_profiles_are_told(simulator, switch):
    simulator.register("101", "example.com", agent="Yealink <T46U> & 'co'", contact="sip:101@192.0.2.7:5062")
    simulator.register("trunk", "example.net", profile="external", network_ip="192.0.2.9")
    found = commands.registrations(switch, commands.profiles(switch))
    assert [(phone.user, phone.realm, phone.profile) for phone in found] == [
        ("101", "example.com", "internal"),
        ("trunk", "example.net", "external"),
    ]
    phone = found[0]
    assert phone.agent == "Yealink <T46U> & 'co'"
    assert phone.contact == '"" <sip:101@192.0.2.7:5062>'
    assert (phone.network_ip, phone.network_port, phone.host) == ("127.0.0.1", "5066", "east")
    assert phone.status.startswith("Registered(UDP)(unknown) exp(")


def test_a_profile_that_does_not_run_here_has_no_registrations(simulator, switch):
    simulator.register("101", "example.com")
    assert len(commands.registrations(switch, ["nosuch", "internal"])) == 1
    assert commands.registrations(switch, ["external"]) == []


def test_a_phone_is_its_authenticated_realms_not_the_one_it_writes(simulator, switch):
    simulator.register("101", "victim.example.com", realm="attacker.example.com")
    (phone,) = commands.registrations(switch, ["internal"])
    assert phone.realm == "attacker.example.com"
    assert phone.domain == "victim.example.com"


REGISTRATION = """\
    <registration>
        <call-id>{call_id}</call-id>
        <user>101@example.com</user>
        <contact>&quot;&quot; &lt;sip:101@127.0.0.1:5066&gt;</contact>
        <agent>{agent}</agent>
        <status>Registered(UDP)(unknown) exp(2026-11-23 16:21:44) expsecs(360)</status>
        <ping-status>Reachable</ping-status>
        <ping-time>0.00</ping-time>
        <host>vm</host>
        <network-ip>127.0.0.1</network-ip>
        <network-port>5066</network-port>
        <sip-auth-user>10%231</sip-auth-user>
        <sip-auth-realm>example.com</sip-auth-realm>
        <mwi-account>101@example.com</mwi-account>
    </registration>
"""


def registered(*registrations: str) -> str:
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<profile>\n  <registrations>\n'
        + "".join(registrations)
        + "  </registrations>\n</profile>\n"
    )


@pytest.mark.parametrize(
    "call_id",
    [
        "</call-id><user>1@victim</user><sip-auth-realm>victim</sip-auth-realm><call-id>",
        "</call-id></registration><registration><user>1@victim</user></registration><registration><call-id>",
        *(f"x{gap}<registration>{gap}<sip-auth-realm>victim</sip-auth-realm>{gap}" for gap in "\r\x0b\x85\u2028"),
    ],
)
def test_a_call_id_cannot_forge_a_registration_of_another_domain(raw, event_socket, call_id):
    raw.answers["sofia xmlstatus profile internal reg"] = registered(
        REGISTRATION.format(call_id="1-11828@127.0.0.1", agent="x"),
        REGISTRATION.format(call_id=call_id, agent="x"),
    )
    found = commands.registrations(event_socket, ["internal"])
    assert [(phone.user, phone.realm) for phone in found] == [("101", "example.com")] * 2


def test_registrations_that_are_no_xml_are_read_all_the_same(raw, event_socket):
    raw.answers["sofia xmlstatus profile internal reg"] = registered(
        REGISTRATION.format(call_id="a&b<c", agent="zoë &amp; &apos;co&apos;\x01\x1b")
    ).encode("latin-1")
    (phone,) = commands.registrations(event_socket, ["internal"])
    assert phone.call_id == "a&b<c"
    assert phone.agent == "zo\ufffd & 'co'"
    assert phone.auth_user == "10#1"


def test_registrations_in_an_unknown_layout_are_an_error_and_not_an_empty_list(raw, event_socket):
    text = registered(REGISTRATION.format(call_id="x", agent="x")).replace("\n", "")
    raw.answers["sofia xmlstatus profile internal reg"] = text
    with pytest.raises(SwitchRefused):
        commands.registrations(event_socket, ["internal"])


def test_all_profiles_together_have_one_deadline(simulator, switch):
    simulator.slow(0.2)
    start = time.monotonic()
    with pytest.raises(SwitchUnavailable):
        commands.registrations(switch, ["internal"] * 10, timeout=0.5)
    assert time.monotonic() - start < 1.2


def test_flushing_forgets_one_user_only(simulator, switch):
    for user in ("101", "102"):
        simulator.register(user, "example.com")
    commands.flush_registrations(switch, "internal", "101@example.com")
    assert [phone.user for phone in commands.registrations(switch, ["internal"])] == ["102"]


@pytest.mark.parametrize("user", ["", "reboot", "101", "@example.com", "101@", "101@a b", "1-2@127.0.0.1 reboot"])
def test_flushing_without_a_user_is_not_possible(simulator, switch, user):
    with pytest.raises(ValueError, match="not the name of"):
        commands.flush_registrations(switch, "internal", user)
    assert simulator.commands == []


# Calls


def test_no_calls_are_an_empty_list(simulator, switch):
    assert commands.channels(switch) == []


def test_calls_are_told_with_all_their_columns(simulator, switch):
    call = simulator.start_call("5550001111", "101", cid_name='Zoë "Z" O\'Hara')
    (row,) = commands.channels(switch)
    assert (row["uuid"], row["context"], row["cid_name"]) == (call, "public", 'Zoë "Z" O\'Hara')


def test_calls_with_raw_control_characters_are_told(raw, event_socket):
    raw.answers["show channels as json"] = '{"row_count":1,"rows":[{"uuid":"1","cid_name":"a\tb"}]}'
    assert commands.channels(event_socket) == [{"uuid": "1", "cid_name": "a\tb"}]


@pytest.mark.parametrize("answer", ["-ERR SQL disabled, no data available!\n", "[]", "null", '{"row_count":1,"r'])
def test_an_answer_that_is_no_table_is_refused(raw, event_socket, answer):
    raw.answers["show channels as json"] = answer
    with pytest.raises(SwitchRefused):
        commands.channels(event_socket)


def test_a_calls_variable_is_told_and_none_where_it_is_not_set(simulator, switch):
    call = simulator.start_call(variables={"domain_uuid": UUID})
    assert commands.channel_variable(switch, call, "domain_uuid") == UUID
    assert commands.channel_variable(switch, call, "accountcode") is None
    simulator.end_call(call)
    assert commands.channel_variable(switch, call, "domain_uuid") is None


def test_a_call_whose_id_an_outside_caller_chose_is_asked_for_only_if_that_is_safe(simulator, switch):
    simulator.start_call(uuid="a84b4c76e66710@192.0.2.1", variables={"domain_uuid": UUID})
    assert commands.channel_variable(switch, "a84b4c76e66710@192.0.2.1", "domain_uuid") == UUID
    before = list(simulator.commands)
    for uuid in ("x domain_uuid", "'x", '"x', "x\\", "x\n\napi hupall", "", "zoë"):
        assert commands.channel_variable(switch, uuid, "domain_uuid") is None
    assert simulator.commands == before


# The rest


def test_a_user_of_the_directory_exists(tmp_path, simulator, switch):
    (tmp_path / "conf/directory/example.com.xml").write_text(
        '<include>\n<domain name="example.com"><users><user id="101"/></users></domain>\n</include>\n'
    )
    assert commands.user_exists(switch, "101", "example.com") is False
    commands.reload_xml(switch)
    assert commands.user_exists(switch, "101", "example.com") is True
    assert commands.user_exists(switch, "*97", "example.com") is False


def test_a_mailboxs_phones_are_told(simulator, switch):
    commands.message_waiting(switch, "101@example.com")
    assert simulator.commands == ["luarun app.lua voicemail mwi 101@example.com"]


def test_a_switch_without_lua_refuses_to_tell_a_mailboxs_phones(raw, event_socket):
    raw.answers["luarun app.lua voicemail mwi 101@example.com"] = "-ERR luarun Command not found!\n"
    with pytest.raises(SwitchRefused, match="luarun"):
        commands.message_waiting(event_socket, "101@example.com")


def test_the_two_names_of_a_switch_are_kept_apart(simulator, switch):
    assert commands.host_name(switch) == "pbx1"
    assert commands.switch_name(switch) == "east"


def test_a_switch_that_cannot_say_its_name_is_no_name(raw, event_socket):
    with pytest.raises(SwitchRefused, match="hostname: -ERR no reply"):
        commands.host_name(event_socket)


def test_a_global_variable_is_told_and_none_where_it_is_not_set(tmp_path, simulator, switch):
    assert commands.global_variable(switch, "conf_dir") == str(tmp_path / "conf")
    assert commands.global_variable(switch, "nosuch") is None


INJECTED = ["", " ", "a b", "external\n\napi hupall", "external\n", "a'b", "a/b", "a;b", "${x}", "naïve"]


@pytest.mark.parametrize("name", INJECTED)
@pytest.mark.parametrize(
    "ask",
    [
        lambda switch, name: commands.rescan(switch, name),
        lambda switch, name: commands.kill_gateway(switch, name, UUID),
        lambda switch, name: commands.kill_gateway(switch, "external", name),
        lambda switch, name: commands.gateway_status(switch, name),
        lambda switch, name: commands.registrations(switch, [name]),
        lambda switch, name: commands.flush_registrations(switch, name, "101@example.com"),
        lambda switch, name: commands.message_waiting(switch, f"101@{name}"),
        lambda switch, name: commands.message_waiting(switch, f"{name}@example.com"),
        lambda switch, name: commands.user_exists(switch, name, "example.com"),
        lambda switch, name: commands.user_exists(switch, "101", name),
        lambda switch, name: commands.global_variable(switch, name),
        lambda switch, name: commands.channel_variable(switch, UUID, name),
    ],
)
def test_a_name_that_is_more_than_a_name_never_reaches_the_switch(simulator, switch, ask, name):
    with pytest.raises(ValueError, match="not the name of"):
        ask(switch, name)
    assert simulator.commands == []


# The switch as it lives


def test_a_mute_switch_fails_every_question_in_time(simulator, switch):
    commands.host_name(switch)
    simulator.mute()
    start = time.monotonic()
    with pytest.raises(SwitchUnavailable):
        commands.channels(switch, timeout=0.3)
    assert time.monotonic() - start < 1.0
    start = time.monotonic()
    with pytest.raises(SwitchUnavailable):
        commands.channels(switch)
    assert time.monotonic() - start < 1.0
    simulator.unmute()
    assert commands.channels(switch) == []


def test_a_slow_switch_is_waited_for_until_the_deadline(simulator, switch):
    simulator.slow(0.3)
    assert commands.host_name(switch) == "pbx1"
    with pytest.raises(SwitchUnavailable):
        commands.gateways(switch, timeout=0.1)


def test_a_switch_that_restarts_is_found_again_without_a_failed_command(simulator, switch):
    commands.host_name(switch)
    simulator.drop_connections()
    assert commands.host_name(switch) == "pbx1"
    simulator.go_away()
    with pytest.raises(SwitchUnavailable, match="refused"):
        commands.host_name(switch)
    simulator.come_back()
    assert commands.host_name(switch) == "pbx1"


def test_a_switch_that_changed_its_password_is_named(simulator, switch):
    simulator.refuse_auth()
    with pytest.raises(SwitchUnavailable, match="authentication refused") as caught:
        commands.host_name(switch)
    assert simulator.password not in str(caught.value)
