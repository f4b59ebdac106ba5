"""Call control: the domain's own calls and no others, and no value that is more than a value."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxapi.app import create_app
from pbxapi.changes.live import answer_here
from pbxapi.errors import SwitchUnavailable
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN_UUID, SECOND_DOMAIN_UUID
from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.switch.event_socket import EventSocket
from pbxapi.testing import NODE, Client, Pbx, Reply, close_pbx, make_pbx

CHANGES = ("uuid_kill", "uuid_transfer", "uuid_hold", "uuid_audio", "originate", "bgapi")


@pytest.fixture(scope="module")
def house(
    postgres: EmbeddedPostgres,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    pbx_settings: Mapping[str, Any],
) -> Iterator[Pbx]:
    """One telephone system for all tests of the module."""
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("calls"), service_url=url_of_role(url), **pbx_settings)
        yield system
        close_pbx(system)


@pytest.fixture
def pbx(house: Pbx) -> Pbx:
    """Without calls and phones."""
    house.switch.calls.clear()
    house.switch.registrations.clear()
    house.switch.commands.clear()
    return house


def do(client: Client, uuid: object, verb: str, **body: Any) -> Reply:
    if client.family == "php":
        return client.request("POST", f"/active-calls/{verb}.php", body, query={"uuid": str(uuid)})
    return client.request("POST", f"/active-calls/{uuid}/{verb}", body)


def call_of(pbx: Pbx, *, answered: bool = True, **more: Any) -> str:
    """A call of the first domain."""
    call = pbx.switch.start_call("1001", "1002", **{"context": pbx.domain, **more})
    if answered:
        pbx.switch.answer_call(call)
    return call


def did(pbx: Pbx) -> list[str]:
    """The commands that change something, of all that the switch got."""
    return [command for command in pbx.switch.commands if command.startswith(CHANGES)]


def callstate(pbx: Pbx, uuid: str) -> str:
    return pbx.switch.calls[uuid].row["callstate"]


# Seeing


def test_a_domain_sees_its_own_calls_leg_by_leg(pbx: Pbx, either_client: Client) -> None:
    caller = call_of(pbx)
    callee = call_of(pbx, direction="outbound", call_uuid=caller)
    call_of(pbx, context=pbx.other_domain)
    trunk = call_of(pbx, context="public", variables={"domain_uuid": str(DOMAIN_UUID)})
    call_of(pbx, context="public", presence_id=f"1001@{pbx.domain}")
    listed = either_client.list("active-calls")
    assert {row["uuid"] for row in listed} == {caller, callee, trunk}
    by_uuid = {row["uuid"]: row for row in listed}
    assert by_uuid[callee]["call_uuid"] == caller
    assert by_uuid[caller]["call_state"] == "ACTIVE"
    assert either_client.get("active-calls", caller) == by_uuid[caller]


def test_another_domains_call_does_not_exist(pbx: Pbx, either_client: Client) -> None:
    theirs = call_of(pbx, context=pbx.other_domain)
    claimed = call_of(pbx, context=pbx.domain, variables={"domain_uuid": str(SECOND_DOMAIN_UUID)})
    nobodys = call_of(pbx, context="public", presence_id=f"1001@{pbx.domain}", accountcode=pbx.domain)
    for uuid in (theirs, claimed, nobodys, str(uuid4())):
        replies = [
            either_client.call("active-calls", "get", uuid),
            either_client.call("active-calls", "delete", uuid),
            do(either_client, uuid, "hangup"),
            do(either_client, uuid, "transfer", destination="1002"),
            do(either_client, uuid, "hold", on=True),
            do(either_client, uuid, "mute", on="true"),
        ]
        assert {(reply.status, reply.error["code"], reply.error["message"]) for reply in replies} == {
            (404, "NOT_FOUND", "Active call not found")
        }
    assert did(pbx) == []
    assert set(pbx.switch.calls) == {theirs, claimed, nobodys}


def test_a_call_whose_id_is_no_uuid_is_seen_and_cannot_be_controlled(pbx: Pbx, client: Client) -> None:
    call_of(pbx, uuid="a84b4c76e66710@192.0.2.7")
    (row,) = client.list("active-calls")
    assert (row["uuid"], row["controllable"]) == ("a84b4c76e66710@192.0.2.7", "false")
    assert do(client, row["uuid"], "hangup").status == 400
    assert did(pbx) == []


# Control


@pytest.mark.parametrize("way", ["delete", "hangup"])
def test_a_call_is_hung_up(pbx: Pbx, either_client: Client, way: str) -> None:
    call, other = call_of(pbx), call_of(pbx)
    reply = either_client.call("active-calls", "delete", call) if way == "delete" else do(either_client, call, way)
    assert (reply.status, reply.body) == (200, {"success": True, "message": "The call was ended"})
    assert list(pbx.switch.calls) == [other]
    assert do(either_client, call, "hangup").status == 404


def test_a_call_is_transferred_within_its_domain(pbx: Pbx, either_client: Client) -> None:
    call = call_of(pbx, context="public", variables={"domain_uuid": str(DOMAIN_UUID)})
    assert do(either_client, call, "transfer", destination="*99").status == 200
    row = pbx.switch.calls[call].row
    assert (row["dest"], row["dialplan"], row["context"]) == ("*99", "XML", pbx.domain)


def test_a_phone_is_held_and_taken_back_and_asking_twice_is_the_same(pbx: Pbx, either_client: Client) -> None:
    call = call_of(pbx)
    for on, expected in (("true", "HELD"), ("true", "HELD"), ("false", "UNHELD"), ("false", "UNHELD")):
        assert do(either_client, call, "hold", on=on).status == 200
        assert callstate(pbx, call) == expected


def test_a_phone_is_muted_and_heard_again(pbx: Pbx, either_client: Client) -> None:
    call = call_of(pbx)
    assert do(either_client, call, "mute", on=True).status == 200
    assert pbx.switch.calls[call].muted
    assert do(either_client, call, "mute", on=False).status == 200
    assert not pbx.switch.calls[call].muted


@pytest.mark.parametrize("verb", ["hold", "mute"])
def test_a_call_that_rings_cannot_be_held_or_muted(pbx: Pbx, client: Client, verb: str) -> None:
    call = call_of(pbx, answered=False)
    reply = do(client, call, verb, on=True)
    assert (reply.status, reply.error["code"]) == (409, "CALL_NOT_ANSWERED")
    assert did(pbx) == []


def test_a_call_whose_switch_is_mute_is_left_as_it_is(pbx: Pbx, client: Client) -> None:
    call = call_of(pbx)
    pbx.switch.mute()
    try:
        for reply in (do(client, call, "hangup"), client.call("active-calls", "list")):
            assert (reply.status, reply.error["code"]) == (503, "SWITCH_UNAVAILABLE")
    finally:
        pbx.switch.unmute()


# Click to call


def originate(client: Client, **body: Any) -> Reply:
    path = "/active-calls/originate.php" if client.family == "php" else "/active-calls"
    return client.request("POST", path, {"extension": "1001", "destination": "1002", **body})


def made(pbx: Pbx, uuid: str) -> Any:
    """The call that the switch makes a moment later."""
    end = time.monotonic() + 5
    while uuid not in pbx.switch.calls:
        assert time.monotonic() < end
        time.sleep(0.01)
    return pbx.switch.calls[uuid]


def test_an_extension_is_rung_and_then_dials(pbx: Pbx, either_client: Client) -> None:
    pbx.switch.register("1001", pbx.domain)
    reply = originate(either_client, caller_id_name="Zoë Quinn", caller_id_number="+15550100", timeout=20)
    assert reply.status == 202
    call = made(pbx, reply.data["uuid"])
    assert (call.row["dest"], call.row["dialplan"], call.row["context"]) == ("1002", "XML", pbx.domain)
    assert call.row["name"] == f"user/1001@{pbx.domain}"
    expected = {
        "origination_uuid": reply.data["uuid"],
        "origination_caller_id_name": "Zoë Quinn",
        "origination_caller_id_number": "+15550100",
        "domain_uuid": str(DOMAIN_UUID),
        "domain_name": pbx.domain,
        "originate_timeout": "20",
        "click_to_call": "true",
    }
    assert expected.items() <= call.variables.items()
    assert "sip_auto_answer" not in call.variables
    # It is the domain's, from the first moment, and can be controlled.
    assert reply.data["uuid"] in {row["uuid"] for row in either_client.list("active-calls")}
    assert do(either_client, reply.data["uuid"], "hangup").status == 200


def test_the_ringing_phone_shows_what_it_will_dial_unless_told_otherwise(pbx: Pbx, client: Client) -> None:
    pbx.switch.register("1001", pbx.domain)
    call = made(pbx, originate(client, destination="*98", auto_answer=True).data["uuid"])
    assert call.variables["origination_caller_id_name"] == "*98"
    assert call.variables["origination_caller_id_number"] == "*98"
    assert call.variables["sip_auto_answer"] == "true"


def test_ringing_holds_up_nobody_who_asks_the_switch(pbx: Pbx, client: Client) -> None:
    pbx.switch.register("1001", pbx.domain)
    assert originate(client).status == 202
    (command,) = [command for command in pbx.switch.commands if "originate" in command and "bgapi" in command]
    assert command.startswith("bgapi originate {")


def test_only_what_can_be_rung_is_rung(pbx: Pbx, client: Client) -> None:
    reply = originate(client)
    assert (reply.status, reply.error["code"]) == (409, "NOT_REGISTERED")
    pbx.run("update v_extensions set enabled = false where extension = '1003'")
    for extension in ("9999", "1003"):
        refused = originate(client, extension=extension)
        assert (refused.status, refused.error["field"]) == (400, "extension")
    pbx.switch.register("1001", pbx.other_domain)
    assert originate(client).status == 409
    assert did(pbx) == []


def test_a_repeated_click_with_the_same_key_rings_once(pbx: Pbx, client: Client) -> None:
    pbx.switch.register("1001", pbx.domain)
    body = {"extension": "1001", "destination": "1002"}
    replies = [
        client.request("POST", "/active-calls", body, headers={"Idempotency-Key": "click-1"}) for _ in range(3)
    ]
    assert {reply.data["uuid"] for reply in replies} == {replies[0].data["uuid"]}
    made(pbx, replies[0].data["uuid"])
    assert len([command for command in did(pbx) if command.startswith("bgapi")]) == 1


# Values

SMUGGLED = [
    "1002\n\napi hupall",
    "1002\r\n\r\napi fsctl shutdown",
    "1002 XML public",
    "1002' XML 'public",
    "1002}",
    "{origination_uuid=x}1002",
    "1002,domain_uuid=1",
    "^^:1002",
    "1002|error/USER_BUSY",
    "${system(touch /tmp/x)}",
    "$${x}",
    "&system(id)",
    "-both",
    "-bleg",
    "1002;1003",
    "1002@other.example.com",
    "sofia/gateway/x/1002",
    "10\\02",
    '"1002"',
    "\u2028",
    "１００２",
    "1" * 65,
    "",
]


def test_no_value_becomes_a_second_command(pbx: Pbx, client: Client) -> None:
    pbx.switch.register("1001", pbx.domain)
    call = call_of(pbx)
    for value in SMUGGLED:
        replies = [
            ("destination", do(client, call, "transfer", destination=value)),
            ("destination", originate(client, destination=value)),
            ("extension", originate(client, extension=value)),
            *([("caller_id_number", originate(client, caller_id_number=value))] if value else []),
        ]
        for field, reply in replies:
            assert (reply.status, reply.error["field"]) == (400, field), (value, reply.body)
    assert did(pbx) == []


NAMES = ["O'Brien", "a,b=c", "x}user/1002@y", "${x}", "a\nb", "^^x", "a|b", 'a"b', "a\\b", "<x>", "a" * 81]


def test_a_name_that_could_be_more_than_a_name_is_refused(pbx: Pbx, client: Client) -> None:
    pbx.switch.register("1001", pbx.domain)
    for value in NAMES:
        reply = originate(client, caller_id_name=value)
        assert (reply.status, reply.error["field"]) == (400, "caller_id_name"), value
    assert did(pbx) == []


def test_the_switchs_own_words_are_no_numbers(pbx: Pbx, client: Client) -> None:
    pbx.switch.register("1001", pbx.domain)
    for word in ("undef", "UNDEF"):
        assert originate(client, destination=word).error["field"] == "destination"
        assert originate(client, caller_id_number=word).error["field"] == "caller_id_number"


WHOLE = re.compile(
    r"bgapi originate \{origination_uuid=[0-9a-f-]{36},origination_caller_id_name='[\w .*#+-]*',"
    r"origination_caller_id_number=[0-9A-Za-z*#+._-]+,domain_uuid=[0-9a-f-]{36},domain_name=[0-9A-Za-z._-]+,"
    r"presence_id=1001@[0-9A-Za-z._-]+,click_to_call=true,ignore_early_media=true,originate_timeout=30,"
    r"call_timeout=30\}user/1001@[0-9A-Za-z._-]+ [0-9A-Za-z*#+._][0-9A-Za-z*#+._-]* XML [0-9A-Za-z._-]+"
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    destination=st.text(max_size=12) | st.from_regex(r"[0-9*#+,{}' -]{1,8}", fullmatch=True),
    name=st.text(max_size=12) | st.from_regex(r"[A-Za-z',{}=$ ]{1,8}", fullmatch=True),
)
def test_whatever_is_sent_the_switch_gets_one_command_of_one_shape(
    pbx: Pbx, client: Client, destination: str, name: str
) -> None:
    if not pbx.switch.registrations:
        pbx.switch.register("1001", pbx.domain)
    before = len(pbx.switch.commands)
    reply = originate(client, destination=destination, caller_id_name=name)
    sent = [command for command in pbx.switch.commands[before:] if command.startswith("bgapi")]
    if reply.status == 202:
        (command,) = sent
        assert WHOLE.fullmatch(command), command
    else:
        assert reply.status == 400
        assert sent == []


def test_a_name_in_the_database_that_could_be_more_than_a_name_is_not_said(pbx: Pbx, client: Client) -> None:
    pbx.run("update v_extensions set number_alias = '1004', extension = '1004} &park()' where extension = '1004'")
    reply = originate(client, extension="1004")
    assert (reply.status, reply.error["code"]) == (409, "SWITCH_REFUSED")
    assert did(pbx) == []


# Keys


def test_seeing_controlling_and_calling_are_scopes_of_their_own(pbx: Pbx, client: Client) -> None:
    call = call_of(pbx)
    pbx.switch.register("1001", pbx.domain)

    def with_scope(*scopes: str) -> Client:
        body = {"name": "k", "scopes": list(scopes)}
        key = client.request("POST", "/api-keys", body).data["key"]
        return Client(pbx.app, pbx.domain, key)

    reading, writing, calling = (with_scope(f"active-calls:{scope}") for scope in ("read", "write", "originate"))
    assert [row["uuid"] for row in reading.list("active-calls")] == [call]
    assert do(reading, call, "hangup").status == 403
    assert originate(writing).status == 403
    assert writing.call("active-calls", "list").status == 403
    assert do(calling, call, "hangup").status == 403
    assert originate(calling).status == 202
    assert do(writing, call, "hangup").status == 200


# Several nodes


@pytest.fixture
def second_switch(pbx: Pbx) -> Iterator[SwitchSimulator]:
    with SwitchSimulator(hostname="switch2", database_url=pbx.superuser_url) as switch:
        yield switch


Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


@pytest.fixture
def two_nodes(pbx: Pbx, second_switch: SwitchSimulator) -> Iterator[Client]:
    """The API before two nodes."""
    second = EventSocket(second_switch.host, second_switch.port, second_switch.password)

    def ask(question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        claims: list[str] = []

        def claim() -> bool:
            claims.append(question)
            return len(claims) == 1

        return {
            node: answer_here(socket, question, arguments, claim)
            for node, socket in ((NODE, pbx.socket), ("node2", second))
        }

    app = create_app(pbx.config, ask)
    yield Client(app, pbx.domain)
    app.extensions["pbxapi"].database.close()
    second.close()


def test_a_call_is_controlled_on_the_node_that_has_it(
    pbx: Pbx, second_switch: SwitchSimulator, two_nodes: Client
) -> None:
    call = second_switch.start_call("1001", "1002", context=pbx.domain)
    second_switch.answer_call(call)
    assert [row["hostname"] for row in two_nodes.list("active-calls")] == ["switch2"]
    assert do(two_nodes, call, "hold", on=True).status == 200
    assert second_switch.calls[call].row["callstate"] == "HELD"
    assert do(two_nodes, call, "hangup").status == 200
    assert did(pbx) == []


def test_an_extension_is_rung_by_one_node_even_if_it_is_registered_with_two(
    pbx: Pbx, second_switch: SwitchSimulator, two_nodes: Client
) -> None:
    for switch in (pbx.switch, second_switch):
        switch.register("1001", pbx.domain)
    assert originate(two_nodes).status == 202
    commands = [*pbx.switch.commands, *second_switch.commands]
    assert len([command for command in commands if command.startswith("bgapi")]) == 1


def test_an_extension_is_rung_where_it_is_registered(
    pbx: Pbx, second_switch: SwitchSimulator, two_nodes: Client
) -> None:
    second_switch.register("1001", pbx.domain)
    uuid = originate(two_nodes).data["uuid"]
    end = time.monotonic() + 5
    while uuid not in second_switch.calls:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert did(pbx) == []


def test_what_is_not_known_to_have_been_done_is_said_so(pbx: Pbx) -> None:
    def ask(question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        raise SwitchUnavailable("a switch node does not say whether it was done")

    app = create_app(pbx.config, ask)
    reply = do(Client(app, pbx.domain), UUID(int=1), "hangup")
    assert (reply.status, reply.error["code"]) == (503, "SWITCH_UNAVAILABLE")
    app.extensions["pbxapi"].database.close()
