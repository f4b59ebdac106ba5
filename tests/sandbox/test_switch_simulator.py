"""The switch simulator: what it says on the wire, and what it makes of files and rows, is what a switch does."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import ESL
import psycopg
import pytest

from pbxapi.sandbox.sample import CLOSED_DOMAIN, DOMAIN, uuid_of
from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.sandbox.switch_xml import XmlBroken, parse

DOMAIN_FILE = """<include>
  <domain name="example.com">
    <params>
      <param name="dial-string" value="${sofia_contact(${dialed_user}@${dialed_domain})}"/>
    </params>
    <groups>
      <group name="default">
        <users>
          <X-PRE-PROCESS cmd="include" data="example.com/*.xml"/>
        </users>
      </group>
    </groups>
  </domain>
</include>
"""
FAULT = "[error near line 108]: unexpected closing tag </section>"


def wait_until(holds: Callable[[], Any], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Client:
    """A bare socket that speaks the event socket's protocol."""

    def __init__(self, port: int, password: str | None = "ClueCon") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._stream = self.socket.makefile("rb")
        if password is not None:
            assert self.raw(len(b"Content-Type: auth/request\n\n")) == b"Content-Type: auth/request\n\n"
            assert self.command(f"auth {password}")[0]["Reply-Text"] == "+OK accepted"

    def raw(self, count: int) -> bytes:
        return self._stream.read(count)

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def frame(self) -> tuple[dict[str, str], str]:
        headers: dict[str, str] = {}
        while line := self._stream.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            headers[name] = value
        return headers, self._stream.read(int(headers.get("Content-Length", 0))).decode()

    def command(self, text: str) -> tuple[dict[str, str], str]:
        self.send(f"{text}\n\n")
        return self.frame()

    def api(self, text: str) -> str:
        headers, body = self.command(f"api {text}")
        assert headers["Content-Type"] == "api/response"
        return body

    def event(self) -> dict[str, str]:
        headers, body = self.frame()
        if headers["Content-Type"] == "text/event-json":
            return json.loads(body)
        assert headers["Content-Type"] == "text/event-plain"
        head, _, rest = body.partition("\n\n")
        pairs = (line.partition(": ") for line in head.splitlines())
        return {name: unquote(value) for name, _, value in pairs} | ({"_body": rest} if rest else {})

    def at_end(self) -> bool:
        return self._stream.read(1) == b""

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for folder in ("directory/example.com", "sip_profiles/external", "sip_profiles/internal", "dialplan"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "directory/example.com.xml").write_text(DOMAIN_FILE)
    return tmp_path


@pytest.fixture
def switch(conf: Path) -> Iterator[SwitchSimulator]:
    with SwitchSimulator(conf, hostname="vm") as simulator:
        yield simulator


@pytest.fixture
def connect(switch: SwitchSimulator) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connected(password: str | None = "ClueCon") -> Client:
        clients.append(Client(switch.port, password))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


def write_user(conf: Path, number: str, **attributes: str) -> Path:
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    file = conf / "directory/example.com" / f"v_{number}.xml"
    file.write_text(
        f'<include>\n<user id="{number}"{more}>\n<params>\n<param name="password" value="pass-{number}"/>\n'
        '</params>\n<variables>\n<variable name="user_context" value="example.com"/>\n</variables>\n</user>\n'
        "</include>\n"
    )
    return file


def write_gateway(conf: Path, name: str, profile: str = "external", **params: str) -> Path:
    lines = "".join(f'<param name="{key.replace("_", "-")}" value="{value}"/>\n' for key, value in params.items())
    file = conf / "sip_profiles" / profile / f"v_{name}.xml"
    file.write_text(f'<include>\n<gateway name="{name}">\n{lines}</gateway>\n</include>\n')
    return file


# The wire


def test_it_asks_for_the_password_and_takes_the_right_one(connect):
    client = connect(password=None)
    assert client.raw(28) == b"Content-Type: auth/request\n\n"
    client.send("auth ClueCon\n\n")
    good = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
    assert client.raw(len(good)) == good


def test_a_wrong_password_is_refused_once_and_the_connection_closed(connect, switch):
    client = connect(password=None)
    client.frame()
    client.send("auth wrong\n\n")
    refusal = b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"
    assert client.raw(len(refusal)) == refusal
    assert client.frame()[0]["Content-Type"] == "text/disconnect-notice"
    assert client.at_end()
    assert switch.commands == []


def test_nothing_is_obeyed_before_the_password(connect, switch):
    client = connect(password=None)
    client.frame()
    assert client.command("api reloadxml")[0]["Reply-Text"] == "-ERR command not found"
    assert switch.reloads == 0


def test_an_answer_is_framed_by_its_length_in_bytes(client, switch):
    switch.variables["greeting"] = "Grüße"
    client.send("api global_getvar greeting\n\n")
    answer = "Content-Type: api/response\nContent-Length: 7\n\nGrüße".encode()
    assert client.raw(len(answer)) == answer


def test_commands_that_arrive_in_one_packet_are_answered_in_order(client):
    client.send("api hostname\n\napi switchname\n\n\napi global_getvar local_ip_v4\n\n")
    assert [client.frame()[1] for _ in range(3)] == ["vm", "vm", "127.0.0.1"]


def test_exit_says_bye_and_closes(client):
    assert client.command("exit")[0]["Reply-Text"] == "+OK bye"
    headers, notice = client.frame()
    assert headers["Content-Type"] == "text/disconnect-notice"
    assert notice.startswith("Disconnected, goodbye.\n")
    assert client.at_end()


def test_a_job_answers_with_its_uuid_and_later_with_an_event(client):
    client.command("event plain BACKGROUND_JOB")
    headers, _ = client.command("bgapi user_exists id 101 example.com\nJob-UUID: our-own")
    assert headers["Reply-Text"] == "+OK Job-UUID: our-own"
    assert headers["Job-UUID"] == "our-own"
    event = client.event()
    assert event["Event-Name"] == "BACKGROUND_JOB"
    assert (event["Job-UUID"], event["Job-Command"]) == ("our-own", "user_exists")
    assert event["Job-Command-Arg"] == "id 101 example.com"
    assert event["_body"] == "false"


def test_a_job_gets_a_uuid_of_its_own_when_it_brings_none(client):
    client.command("event json BACKGROUND_JOB")
    uuid = client.command("bgapi hostname")[0]["Job-UUID"]
    assert client.event()["Job-UUID"] == uuid
    assert client.api("bgapi hostname") == f"+OK Job-UUID: {client.event()['Job-UUID']}\n"


def test_plain_events_are_url_encoded_and_json_events_are_not(connect, switch):
    plain, json_ = connect(), connect()
    assert plain.command("event plain MESSAGE_WAITING")[0]["Reply-Text"] == "+OK event listener enabled plain"
    assert json_.command("event json MESSAGE_WAITING")[0]["Reply-Text"] == "+OK event listener enabled json"
    switch.message_waiting("101", "example.com", new=2, saved=1)
    headers, content = plain.frame()
    assert headers["Content-Length"] == str(len(content.encode()))
    assert "MWI-Message-Account: sip%3A101%40example.com\n" in content
    assert "MWI-Voice-Message: 2/1%20(0/0)\n" in content
    assert content.endswith("\n\n")
    assert json_.event()["MWI-Message-Account"] == "sip:101@example.com"


def test_only_the_events_that_were_asked_for_arrive(client, switch):
    client.command("event json CHANNEL_CREATE CUSTOM sofia::register")
    switch.message_waiting("101", "example.com", new=1)
    switch.register("101", "example.com")
    switch.unregister("101", "example.com")
    switch.start_call()
    assert client.event()["Event-Subclass"] == "sofia::register"
    assert client.event()["Event-Name"] == "CHANNEL_CREATE"


def test_all_brings_custom_events_too_and_nixevent_takes_some_away(client, switch):
    client.command("event json ALL")
    assert client.command("nixevent MESSAGE_WAITING")[0]["Reply-Text"] == "+OK events nixed"
    switch.message_waiting("101", "example.com", new=1)
    switch.fire("HEARTBEAT", {})
    assert client.event()["Event-Name"] == "HEARTBEAT"
    assert client.command("noevents")[0]["Reply-Text"] == "+OK no longer listening for events"
    assert client.command("noevents")[0]["Reply-Text"] == "-ERR not listening for events"
    switch.fire("HEARTBEAT", {})
    assert client.api("hostname") == "vm"


def test_a_filter_lets_through_what_fits_it(client, switch):
    client.command("event json CHANNEL_CREATE")
    assert client.command("filter Caller-Context example.com")[0]["Reply-Text"] == (
        "+OK filter added. [Caller-Context]=[example.com]"
    )
    switch.start_call(context="other.com")
    wanted = switch.start_call(context="example.com")
    assert client.event()["Unique-ID"] == wanted
    client.command("filter delete all")
    client.command("filter Caller-Context /^other/")
    switch.start_call(context="example.com")
    switch.start_call(context="other.com")
    assert client.event()["Caller-Context"] == "other.com"


def test_event_without_a_known_name_is_refused(client):
    assert client.command("event plain")[0]["Reply-Text"] == "-ERR no keywords supplied"
    assert client.command("event plain NO_SUCH_EVENT")[0]["Reply-Text"] == "-ERR no keywords supplied"
    assert client.command("nonsense")[0]["Reply-Text"] == "-ERR command not found"


def test_a_sent_event_reaches_all_subscribers_and_is_kept(connect, switch):
    sender, listener = connect(), connect()
    listener.command("event json CUSTOM fusion::file")
    reply, _ = sender.command(
        "sendevent CUSTOM\nEvent-Name: CUSTOM\nEvent-Subclass: fusion::file\nAPI-Command: cache\n"
        "API-Command-Argument: delete directory:101@example.com"
    )
    event = listener.event()
    assert reply["Reply-Text"] == f"+OK {event['Event-UUID']}"
    assert event["API-Command-Argument"] == "delete directory:101@example.com"
    assert [sent["API-Command"] for sent in switch.events_received] == ["cache"]


def test_event_sequence_counts_up_without_gaps(client, switch):
    client.command("event json HEARTBEAT")
    for _ in range(3):
        switch.fire("HEARTBEAT", {})
    first, second, third = (int(client.event()["Event-Sequence"]) for _ in range(3))
    assert (second, third) == (first + 1, first + 2)


def test_events_wait_until_the_running_command_has_answered(client):
    client.command("event json RELOADXML")
    client.send("api reloadxml\n\n")
    assert client.frame()[1] == "+OK [Success]\n"
    assert client.event()["Event-Name"] == "RELOADXML"


# python-ESL


def test_python_esl_connects_asks_and_is_answered(switch):
    connection = ESL.ESLconnection("127.0.0.1", str(switch.port), "ClueCon")
    assert connection.connected() == 1
    assert connection.api("reloadxml").getBody() == "+OK [Success]\n"
    assert connection.api("user_exists", "id 101 example.com").getBody() == "false"
    connection.disconnect()


def test_python_esl_is_refused_with_a_wrong_password(switch):
    assert ESL.ESLconnection("127.0.0.1", str(switch.port), "wrong").connected() == 0


@pytest.mark.parametrize("form", ["json", "plain"])
def test_python_esl_receives_events(switch, form):
    connection = ESL.ESLconnection("127.0.0.1", str(switch.port), "ClueCon")
    connection.events(form, "ALL")
    switch.register("101", "example.com", agent="Phöne 1.0; x")
    event = connection.recvEventTimed(5000)
    assert event.getHeader("Event-Subclass") == "sofia::register"
    assert event.getHeader("user-agent") == "Phöne 1.0; x"
    assert event.getHeader("from-user") == "101"
    connection.disconnect()


def test_python_esl_sends_events_and_runs_jobs(switch):
    connection = ESL.ESLconnection("127.0.0.1", str(switch.port), "ClueCon")
    connection.events("plain", "CUSTOM fusion::file")
    event = ESL.ESLevent("CUSTOM", "fusion::file")
    event.addHeader("API-Command-Argument", "delete dialplan:example.com")
    event.addBody("with a body")
    connection.sendEvent(event)
    echoed = connection.recvEventTimed(5000)
    assert echoed.getHeader("API-Command-Argument") == "delete dialplan:example.com"
    assert echoed.getBody() == "with a body"
    assert switch.events_received[0]["_body"] == "with a body"
    connection.events("plain", "BACKGROUND_JOB")
    job = connection.bgapi("hostname").getHeader("Job-UUID")
    done = connection.recvEventTimed(5000)
    assert (done.getHeader("Job-UUID"), done.getBody()) == (job, "vm")
    connection.disconnect()


# Answers

ANSWERS = {
    "reloadxml": "+OK [Success]\n",
    "acl 127.0.0.1 loopback.auto": "true",
    "acl 192.0.2.1 loopback.auto": "false",
    "acl 192.0.2.1 nosuch": "false",
    "reloadacl": "+OK acl reloaded\n",
    "sofia profile external rescan": "Reload XML [Success]\n+OK scan complete\n",
    "sofia profile nosuch rescan": "Invalid Profile [nosuch]",
    "sofia profile external": "Invalid Args!\n",
    "sofia profile external nosuch": "-ERR Unknown command!\n",
    "sofia profile external stopgw g": "-ERR Unknown command!\n",
    "sofia profile external killgw nosuch": "-ERR no such gateway.\n",
    "sofia profile external killgw": "-ERR missing gw name\n",
    "sofia profile external startgw g": "Reload XML [Success]\n+OK start gateway g complete\n",
    "sofia profile internal flush_inbound_reg": "+OK flushing all registrations\n",
    "sofia profile internal flush_inbound_reg 101@example.com reboot": (
        "+OK rebooting all registrations matching specified call_id\n"
    ),
    "sofia status gateway nosuch": "Invalid Gateway!\n",
    "sofia xmlstatus gateway nosuch": "Invalid Gateway!\n",
    "sofia xmlstatus profile nosuch reg": "Invalid Profile!\n",
    "sofia nosuch": "Unknown Command [nosuch]\n",
    "show registrations as json": '{"row_count": 0}\n',
    "show channels as json": '{"row_count": 0}\n',
    "show calls as json": '{"row_count": 0}\n',
    "show channels count as json": '{"row_count":0,"rows":[]}',
    "show channels": "\n0 total.\n",
    "user_exists id 101 example.com": "false",
    "user_data 101@example.com param password": "-ERR no reply\n",
    "xml_flush_cache id 101 example.com": "+OK cleared 0 entries\n",
    "memcache delete x": "-ERR memcache Command not found!\n",
    "nosuchcommand a b": "-ERR nosuchcommand Command not found!\n",
    "hostname": "vm",
    "switchname": "vm",
    "global_getvar nosuch": "-ERR no reply\n",
    "luarun app.lua voicemail mwi 101@example.com": "+OK\n",
    "hupall": "+OK hangup all channels with cause MANAGER_REQUEST\n",
    "uuid_getvar nosuch domain_uuid": "-ERR No such channel!\n",
    "uuid_kill nosuch": "-ERR No such channel!\n",
    "uuid_transfer nosuch 102": "-ERR No such channel!\n",
    "uuid_hold nosuch": "+OK Success\n",
    "uuid_hold": "-USAGE: [off|toggle] <uuid> [<display>]\n-ERR Operation failed\n",
    "uuid_audio nosuch stop": "-ERR No such channel!\n",
    "originate user/999@example.com &park()": "-ERR SUBSCRIBER_ABSENT\n",
    "originate sofia/gateway/nosuch/123 &park()": "-ERR INVALID_GATEWAY\n",
}


@pytest.mark.parametrize(("command", "answer"), ANSWERS.items(), ids=ANSWERS)
def test_it_answers_as_a_switch_does(client, switch, command, answer):
    assert client.api(command) == answer
    assert switch.commands == [command]


def test_the_profile_is_not_restarted_in_its_first_ten_seconds(switch):
    assert switch.api("sofia profile external restart").startswith(
        "Profile external must be up for at least 10 seconds to stop/restart.\nPlease wait "
    )
    switch.register("101", "example.com", profile="external")
    switch.profiles["external"].started -= 10
    assert switch.api("sofia profile external restart") == "Reload XML [Success]\nrestarting: external"
    assert switch.registrations == []


def test_the_host_and_the_switch_may_have_different_names():
    switch = SwitchSimulator(hostname="pbx1.example.com", switchname="pbx1")
    assert (switch.api("hostname"), switch.api("switchname")) == ("pbx1.example.com", "pbx1")
    switch.register("101", "example.com")
    assert json.loads(switch.api("show registrations as json"))["rows"][0]["hostname"] == "pbx1"


# XML files


def test_a_user_counts_once_the_files_are_read_again(conf, switch):
    write_user(conf, "101", number_alias="2101")
    assert switch.api("user_exists id 101 example.com") == "false"
    switch.api("reloadxml")
    assert switch.api("user_exists id 101 example.com") == "true"
    assert switch.api("user_exists id 2101 EXAMPLE.COM") == "true"
    assert switch.api("user_exists id 101 other.com") == "false"
    assert switch.api("user_data 101@example.com param password") == "pass-101"
    assert switch.api("user_data 101@example.com var user_context") == "example.com"
    assert switch.api("user_data 101@example.com attr number-alias") == "2101"
    assert switch.api("user_data 101@example.com param dial-string").startswith("${sofia_contact")
    (conf / "directory/example.com/v_101.xml").unlink()
    assert switch.api("user_exists id 101 example.com") == "true"
    switch.api("sofia profile internal rescan")
    assert switch.api("user_exists id 101 example.com") == "false"


def test_a_line_with_include_is_dropped_with_all_else_on_it(conf, switch):
    (conf / "directory/example.com/v_101.xml").write_text(
        '<include> <user id="101"/>\n<user id="102"/>\n</include>\n'
    )
    assert switch.api("reloadxml") == "+OK [Success]\n"
    assert switch.api("user_exists id 101 example.com") == "false"
    assert switch.api("user_exists id 102 example.com") == "true"


def test_an_include_must_stand_alone_on_its_line_and_is_obeyed_in_a_comment(conf, switch):
    write_user(conf, "101")
    (conf / "directory/two.example.com.xml").write_text(
        '<domain name="two.example.com"><users>\n'
        '<user id="201"/> <X-PRE-PROCESS cmd="include" data="example.com/*.xml"/> <user id="202"/>\n'
        "</users></domain>\n"
        "<!--\n"
        '<!-- <X-PRE-PROCESS cmd="set" data="seen=yes"/> -->\n'
    )
    assert switch.api("reloadxml").startswith("+OK [[error near line ")
    (conf / "directory/two.example.com.xml").write_text(
        '<domain name="$${seen}.example.com"><users>\n'
        '<user id="201"/> <X-PRE-PROCESS cmd="include" data="example.com/*.xml"/> <user id="202"/>\n'
        "</users></domain>\n"
    )
    assert switch.api("reloadxml") == "+OK [Success]\n"
    found = [switch.api(f"user_exists id {number} yes.example.com") for number in ("101", "201", "202")]
    assert found == ["true", "false", "false"]


def test_broken_files_keep_the_old_configuration_and_the_answer_begins_with_ok(conf, switch):
    write_user(conf, "101")
    switch.api("reloadxml")
    broken = write_user(conf, "102")
    broken.write_text(broken.read_text().replace("</user>\n", ""))
    answer = switch.api("reloadxml")
    assert answer.startswith("+OK [[error near line ")
    assert answer.endswith("]: unexpected closing tag </users>]\n")
    assert switch.api("user_exists id 101 example.com") == "true"
    assert switch.api("user_exists id 102 example.com") == "false"
    said = answer.removeprefix("+OK [").removesuffix("]\n")
    assert switch.api("sofia profile external rescan") == f"Reload XML [{said}]\n+OK scan complete\n"
    assert switch.api("reloadacl") == f"-ERR [{said}]\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<a>\n<b>\n</a>\n", "[error near line 3]: unexpected closing tag </a>"),
        ("<a>\n<b/>\n", "[error near line 2]: unclosed tag <a>"),
        ("<a/>\n<b/>\n", "[error near line 2]: markup outside of root element"),
        ("\n", "[error near line 2]: root tag missing"),
        ('<a\n b="c>\n', '[error near line 1]: missing "'),
        ("<a b\n", "[error near line 1]: missing >"),
        ("<a><b / c></a>", "[error near line 1]: missing >"),
        ("<a>\n1 < 2</a>", "[error near line 2]: unexpected <"),
        ("<a><!-- one -- two --></a>", "[error near line 1]: unclosed <!--"),
        ("<a><![CDATA[ x</a>", "[error near line 1]: unclosed <![CDATA["),
    ],
)
def test_a_text_that_does_not_parse_is_refused_in_the_switchs_words(text, fault):
    with pytest.raises(XmlBroken) as refused:
        parse(text)
    assert str(refused.value) == fault


def test_what_the_switch_forgives_is_taken():
    root = parse(
        "<a b='x > y' c = \"R&D &amp; &#65;&#x42; &nope;\" d e=f b='2'>\n<!-- - -->\n<![CDATA[<x>]]>&\n<g /></a >"
    )
    assert root.attrib == {"b": "x > y", "c": "R&D & AB &nope;", "d": "", "e": "", "f": ""}
    assert [child.tag for child in root] == ["g"]


def test_a_user_with_a_type_matches_every_number_as_on_a_switch(conf, switch):
    write_user(conf, "101", type="")
    switch.api("reloadxml")
    assert switch.api("user_exists id 999 example.com") == "true"


def test_the_switch_does_not_start_with_broken_files(conf):
    (conf / "dialplan/default.xml").write_text("<context>\n")
    with pytest.raises(XmlBroken, match="unexpected closing tag </section>"):
        SwitchSimulator(conf).start()


def test_a_known_gateway_stays_as_it_is_until_it_is_killed(conf, switch):
    write_gateway(conf, "g-1", username="u", password="p", proxy="old.example.net")
    assert switch.api("sofia xmlstatus gateway g-1") == "Invalid Gateway!\n"
    switch.api("sofia profile internal rescan")
    assert switch.api("sofia xmlstatus gateway g-1") == "Invalid Gateway!\n"
    switch.api("sofia profile external rescan")
    assert "<proxy>sip:old.example.net</proxy>" in switch.api("sofia xmlstatus gateway g-1")
    file = write_gateway(conf, "g-1", username="u", password="p", proxy="new.example.net")
    switch.api("sofia profile external rescan")
    assert "<proxy>sip:old.example.net</proxy>" in switch.api("sofia xmlstatus gateway g-1")
    assert switch.api("sofia profile external killgw g-1") == "+OK gateway marked for deletion.\n"
    assert switch.api("sofia xmlstatus gateway g-1") == "Invalid Gateway!\n"
    switch.api("sofia profile external rescan")
    assert "<proxy>sip:new.example.net</proxy>" in switch.api("sofia xmlstatus gateway g-1")
    file.unlink()
    switch.api("sofia profile external rescan")
    assert "g-1" in switch.gateways


def test_a_gateway_registers_unless_it_says_otherwise(conf, switch):
    write_gateway(conf, "trunk", username="u", password="p", proxy="a&amp;b.example.net", from_user="a&amp;b")
    write_gateway(conf, "peer", register="false", proxy="peer.example.net")
    write_gateway(conf, "nameless", proxy="refused.example.net")
    write_gateway(conf, "no blanks", register="false", proxy="refused.example.net")
    switch.api("sofia profile external rescan")
    summary = {name: (known.state, known.status) for name, known in switch.gateways.items()}
    assert summary == {"trunk": ("REGED", "UP"), "peer": ("NOREG", "UP")}
    trunk = switch.api("sofia xmlstatus gateway trunk")
    assert "<from>&lt;sip:a&amp;b@a&amp;b.example.net&gt;</from>" in trunk
    assert "<to>sip:u@a&b.example.net</to>" in trunk
    assert "<password>yes</password>" in trunk
    assert "Password\tno\n" in switch.api("sofia status gateway peer")


def test_the_state_of_a_gateway_can_be_set_and_is_told(conf, switch, client):
    write_gateway(conf, "g-1", register="false", proxy="a.example.net")
    client.command("event json CUSTOM sofia::gateway_add sofia::gateway_state sofia::gateway_delete")
    client.api("sofia profile external rescan")
    assert client.event()["Event-Subclass"] == "sofia::gateway_add"
    switch.set_gateway_state("g-1", "FAIL_WAIT", "DOWN")
    event = client.event()
    assert (event["Gateway"], event["State"], event["Ping-Status"]) == ("g-1", "FAIL_WAIT", "DOWN")
    document = ElementTree.fromstring(client.api("sofia xmlstatus gateway"))
    assert document.findtext("gateway/state") == "FAIL_WAIT"
    assert document.findtext("gateway/retry") == "29s"
    profiles = ElementTree.fromstring(client.api("sofia xmlstatus"))
    assert profiles.findtext("gateway/state") == "FAIL_WAIT"
    assert [profile.findtext("name") for profile in profiles.findall("profile")] == ["internal", "external"]
    with pytest.raises(KeyError):
        switch.set_gateway_state("nosuch", "REGED")


def test_reloads_are_counted_and_overlap_shows(switch):
    switch.api("reloadxml")
    switch.api("sofia profile external rescan")
    assert switch.reloads == 2
    assert switch.max_parallel_reloads == 1
    switch.reload_seconds = 0.2
    threads = [threading.Thread(target=switch.api, args=("reloadxml",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert switch.max_parallel_reloads == 2
    assert [reload.by for reload in switch.reload_log] == ["reloadxml", "rescan", "reloadxml", "reloadxml"]
    assert {reload.answer for reload in switch.reload_log} == {"Success"}
    assert switch.reload_log[-1].ended - switch.reload_log[-1].started >= 0.35, "one after the other"


def test_a_file_written_while_a_reload_runs_is_missed_by_it(conf, switch):
    switch.reload_seconds = 0.3
    reload = threading.Thread(target=switch.api, args=("reloadxml",))
    reload.start()
    wait_until(lambda: switch.max_parallel_reloads)
    time.sleep(0.1)
    write_user(conf, "101")
    reload.join()
    assert switch.api("user_exists id 101 example.com") == "false"
    switch.api("reloadxml")
    assert switch.api("user_exists id 101 example.com") == "true"


# FusionPBX's database and cache


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def fusionpbx(database_url: str, cache: Path) -> Iterator[SwitchSimulator]:
    with SwitchSimulator(hostname="vm", database_url=database_url, cache_dir=cache) as simulator:
        yield simulator


@pytest.fixture
def row(database_url: str) -> Iterator[Callable[..., None]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection.execute


EXTENSION = uuid_of("extension", DOMAIN, "1001")
SET_PASSWORD = "update v_extensions set password = %s where extension_uuid = %s"


def test_a_user_is_served_from_its_cache_file_until_that_is_deleted(fusionpbx, cache, row):
    row(SET_PASSWORD, ["first", EXTENSION])
    assert fusionpbx.api(f"user_exists id 1001 {DOMAIN}") == "true"
    assert (cache / f"directory.1001@{DOMAIN}").is_file()
    row(SET_PASSWORD, ["second", EXTENSION])
    assert fusionpbx.api(f"user_data 1001@{DOMAIN} param password") == "first"
    (cache / f"directory.1001@{DOMAIN}").unlink()
    assert fusionpbx.api(f"user_data 1001@{DOMAIN} param password") == "second"
    assert fusionpbx.api(f"user_data 1001@{DOMAIN} var user_context") == DOMAIN
    assert fusionpbx.reloads == 0


def test_an_alias_finds_its_extension_and_is_cached_under_both_numbers(fusionpbx, cache):
    assert fusionpbx.api(f"user_exists id 710 {DOMAIN}") == "true"
    assert sorted(file.name for file in cache.glob("directory*")) == [
        f"directory.1010@{DOMAIN}",
        f"directory.710@{DOMAIN}",
    ]


def test_what_is_disabled_or_not_there_is_not_found_and_not_cached(fusionpbx, cache, row):
    row("update v_extensions set enabled = false where extension_uuid = %s", [EXTENSION])
    for user, domain in (("1001", DOMAIN), ("99999", DOMAIN), ("1001", CLOSED_DOMAIN), ("*97", DOMAIN)):
        assert fusionpbx.api(f"user_exists id {user} {domain}") == "false"
    assert list(cache.glob("directory*")) == []


def test_a_cache_file_is_believed_and_never_overwritten(fusionpbx, cache):
    file = cache / f"directory.1001@{DOMAIN}"
    fusionpbx.pause_before_cache_write = lambda _: file.write_text("rubbish")
    assert fusionpbx.api(f"user_exists id 1001 {DOMAIN}") == "true", "this look-up still had the row"
    assert file.read_text() == "rubbish"
    assert fusionpbx.api(f"user_exists id 1001 {DOMAIN}") == "false"


def test_a_look_up_can_write_the_old_row_after_the_change_deleted_its_key(fusionpbx, cache, row):
    row(SET_PASSWORD, ["old", EXTENSION])
    file = cache / f"directory.1001@{DOMAIN}"
    selected, go_on = threading.Event(), threading.Event()

    def pause(key: str) -> None:
        assert key == f"directory:1001@{DOMAIN}"
        selected.set()
        go_on.wait(5)

    fusionpbx.pause_before_cache_write = pause
    look_up = threading.Thread(target=fusionpbx.api, args=(f"user_exists id 1001 {DOMAIN}",))
    look_up.start()
    assert selected.wait(5)
    row(SET_PASSWORD, ["new", EXTENSION])
    file.unlink(missing_ok=True)
    go_on.set()
    look_up.join()
    fusionpbx.pause_before_cache_write = None
    assert fusionpbx.api(f"user_data 1001@{DOMAIN} param password") == "old"
    file.unlink()
    assert fusionpbx.api(f"user_data 1001@{DOMAIN} param password") == "new"


def test_a_gateway_row_takes_effect_after_cache_file_killgw_and_rescan(fusionpbx, cache, row):
    uuid = "ABCDEF00-0000-4000-8000-000000000001"
    name = uuid.lower()
    conf = cache / "vm.configuration.sofia.conf"
    row(
        "insert into v_gateways (gateway_uuid, gateway, proxy, register, profile, enabled) "
        "values (%s, 'new', 'old.example.net', false, 'external', true)",
        [uuid],
    )
    assert conf.is_file(), "a starting switch loads its profiles"
    fusionpbx.api("sofia profile external rescan")
    assert fusionpbx.api(f"sofia xmlstatus gateway {name}") == "Invalid Gateway!\n"
    conf.unlink()
    fusionpbx.api("sofia profile external rescan")
    assert "<proxy>sip:old.example.net</proxy>" in fusionpbx.api(f"sofia xmlstatus gateway {name}")
    row("update v_gateways set proxy = 'new.example.net' where gateway_uuid = %s", [uuid])
    conf.unlink()
    fusionpbx.api("sofia profile external rescan")
    assert "<proxy>sip:old.example.net</proxy>" in fusionpbx.api(f"sofia xmlstatus gateway {name}")
    conf.unlink()
    fusionpbx.api(f"sofia profile external killgw {name}")
    fusionpbx.api("sofia profile external rescan")
    assert "<proxy>sip:new.example.net</proxy>" in fusionpbx.api(f"sofia xmlstatus gateway {name}")


def test_gateways_of_other_hosts_and_disabled_ones_are_left_out(fusionpbx, cache, row):
    for number, hostname, enabled in ((1, "vm", True), (2, "", True), (3, "other", True), (4, None, False)):
        row(
            "insert into v_gateways (gateway_uuid, gateway, proxy, register, profile, hostname, enabled) "
            "values (%s, 'g', 'a.example.net', false, 'internal', %s, %s)",
            [f"00000000-0000-4000-8000-00000000000{number}", hostname, enabled],
        )
    (cache / "vm.configuration.sofia.conf").unlink()
    fusionpbx.api("sofia profile internal rescan")
    found = sorted(name[-1] for name, known in fusionpbx.gateways.items() if known.profile == "internal")
    assert found == ["1", "2"]


def test_without_its_database_nothing_is_found_and_nothing_cached(cache, conf, caplog):
    away = "postgresql://nobody@127.0.0.1:1/nothing"
    write_user(conf, "101")
    with SwitchSimulator(conf, database_url=away, cache_dir=cache) as switch:
        assert switch.api("user_exists id 102 example.com") == "false"
        assert switch.api("user_exists id 101 example.com") == "true", "the files are still there"
        assert switch.gateways == {}
    assert list(cache.iterdir()) == []
    assert "has no database" in caplog.text


def test_the_voicemail_script_sets_the_lamp_by_the_messages_in_the_database(fusionpbx, row):
    [counted] = row(
        "select v.voicemail_id, count(*) filter (where coalesce(m.message_status, '') = '') as new, "
        "count(*) filter (where m.message_status = 'saved') as saved from v_voicemail_messages m "
        "join v_voicemails v using (voicemail_uuid) where v.domain_uuid = %s group by 1 order by 1 limit 1",
        [uuid_of("domain", DOMAIN)],
    ).fetchall()
    client = Client(fusionpbx.port)
    client.command("event json MESSAGE_WAITING")
    assert client.api(f"luarun app.lua voicemail mwi {counted[0]}@{DOMAIN}") == "+OK\n"
    event = client.event()
    assert event["MWI-Messages-Waiting"] == "yes"
    assert event["MWI-Message-Account"] == f"sip:{counted[0]}@{DOMAIN}"
    assert event["MWI-Voice-Message"] == f"{counted[1]}/{counted[2]} (0/0)"
    client.close()


# Registrations and calls


def test_a_registration_shows_without_agent_in_one_report_and_with_it_in_the_other(switch, client):
    client.command("event json CUSTOM sofia::register sofia::unregister sofia::expire")
    call_id = switch.register("101", "example.com", agent='R&D "phone"', expires=360)
    assert client.event()["user-agent"] == 'R&D "phone"'
    report = json.loads(client.api("show registrations as json"))
    assert report == {
        "row_count": 1,
        "rows": [
            {
                "reg_user": "101",
                "realm": "example.com",
                "token": call_id,
                "url": "sofia/internal/sip:101@127.0.0.1:5066",
                "expires": report["rows"][0]["expires"],
                "network_ip": "127.0.0.1",
                "network_port": "5066",
                "network_proto": "udp",
                "hostname": "vm",
                "metadata": "",
            }
        ],
    }
    xml = client.api("sofia xmlstatus profile internal reg")
    assert xml.startswith('<?xml version="1.0" encoding="ISO-8859-1"?>\n<profile>\n  <registrations>\n')
    assert "        <contact>&quot;&quot; &lt;sip:101@127.0.0.1:5066&gt;</contact>\n" in xml
    found = ElementTree.fromstring(xml).find("registrations/registration")
    assert found is not None
    assert found.findtext("agent") == 'R&D "phone"'
    assert found.findtext("sip-auth-realm") == "example.com"
    assert (found.findtext("status") or "").startswith("Registered(UDP)(unknown) exp(")
    header = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
    empty = header + "<profile>\n  <registrations>\n  </registrations>\n</profile>\n"
    assert client.api("sofia xmlstatus profile external reg") == empty
    client.api("sofia profile internal flush_inbound_reg 101@example.com")
    assert client.event()["Event-Subclass"] == "sofia::expire"
    assert client.api("sofia xmlstatus profile 'internal' reg") == empty
    switch.register("101", "example.com")
    switch.unregister("101", "example.com")
    assert [client.event()["Event-Subclass"] for _ in range(2)] == ["sofia::register", "sofia::unregister"]


CHANNEL_COLUMNS = (
    "uuid direction created created_epoch name state cid_name cid_num ip_addr dest application application_data "
    "dialplan context read_codec read_rate read_bit_rate write_codec write_rate write_bit_rate secure hostname "
    "presence_id presence_data accountcode callstate callee_name callee_num callee_direction call_uuid "
    "sent_callee_name sent_callee_num initial_cid_name initial_cid_num initial_ip_addr initial_dest "
    "initial_dialplan initial_context"
)


def test_a_call_shows_with_all_columns_as_strings(switch):
    uuid = switch.start_call("101", "102", "example.com", accountcode="acme")
    [shown] = json.loads(switch.api("show channels as json"))["rows"]
    assert " ".join(shown) == CHANNEL_COLUMNS
    assert all(isinstance(value, str) for value in shown.values())
    assert shown["uuid"] == uuid
    assert shown["name"] == "sofia/internal/101@example.com"
    assert (shown["context"], shown["presence_id"]) == ("example.com", "101@example.com")
    assert (shown["accountcode"], shown["callstate"]) == ("acme", "RINGING")
    with pytest.raises(TypeError, match="nonsense"):
        switch.start_call(nonsense="x")


def test_the_callers_own_header_does_not_tell_whose_call_it_is(switch):
    call = switch.start_call("5550001111", "102", presence_id="101@victim.com", profile="external")
    [shown] = json.loads(switch.api("show channels as json"))["rows"]
    assert (shown["context"], shown["presence_id"]) == ("public", "101@victim.com")
    assert switch.api(f"uuid_getvar {call} domain_uuid") == "_undef_"
    switch.api(f"uuid_setvar {call} domain_uuid abc")
    assert switch.api(f"uuid_getvar {call} domain_uuid") == "abc"
    switch.end_call(call)
    assert switch.api(f"uuid_getvar {call} domain_uuid") == "-ERR No such channel!\n"


def test_a_call_is_told_from_its_beginning_to_its_end(switch, client):
    client.command("event json CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE")
    call = switch.start_call("101", "102", "example.com", variables={"domain_uuid": "abc"})
    switch.answer_call(call)
    switch.calls[call].answered -= 65
    switch.calls[call].started -= 70
    switch.end_call(call, "USER_BUSY", variables={"hangup_source": "test"})
    created, answered, ended = (client.event() for _ in range(3))
    assert (created["Event-Name"], created["Answer-State"]) == ("CHANNEL_CREATE", "ringing")
    assert (answered["Event-Name"], answered["Answer-State"]) == ("CHANNEL_ANSWER", "answered")
    assert (ended["Event-Name"], ended["Hangup-Cause"]) == ("CHANNEL_HANGUP_COMPLETE", "USER_BUSY")
    assert {event["Unique-ID"] for event in (created, answered, ended)} == {call}
    assert {event["variable_domain_uuid"] for event in (created, answered, ended)} == {"abc"}
    assert int(ended["variable_duration"]) in (70, 71)
    assert int(ended["variable_billsec"]) in (65, 66)
    assert ended["Caller-Destination-Number"] == "102"
    assert ended["variable_hangup_source"] == "test"
    assert client.api("show channels as json") == '{"row_count": 0}\n'


def test_bridged_legs_are_two_channels_and_one_call(switch):
    first = switch.start_call("101", "102", "example.com")
    second = switch.start_call("101", "102", "example.com", direction="outbound")
    switch.bridge(first, second)
    assert json.loads(switch.api("show channels as json"))["row_count"] == 2
    [shown] = json.loads(switch.api("show calls as json"))["rows"]
    assert (shown["uuid"], shown["b_uuid"], shown["b_direction"]) == (first, second, "outbound")
    assert switch.api("show calls count") == "\n1 total.\n"
    switch.end_call(first)
    [shown] = json.loads(switch.api("show calls as json"))["rows"]
    assert (shown["uuid"], shown["b_uuid"]) == (second, "")
    with pytest.raises(KeyError):
        switch.end_call(first)


def test_a_call_is_held_transferred_muted_and_killed_by_command(switch, client):
    client.command("event json CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_HANGUP_COMPLETE")
    call = switch.start_call("101", "102", "example.com")
    switch.answer_call(call)
    assert client.api(f"uuid_hold {call}") == "+OK Success\n"
    assert client.event()["Event-Name"] == "CHANNEL_HOLD"
    assert client.api(f"uuid_hold {call}") == "-ERR Operation failed\n"
    assert switch.calls[call].row["callstate"] == "HELD"
    assert client.api(f"uuid_hold toggle {call}") == "+OK Success\n"
    assert client.event()["Event-Name"] == "CHANNEL_UNHOLD"
    assert switch.calls[call].row["callstate"] == "UNHELD"
    assert client.api(f"uuid_hold toggle {call}") == "+OK Success\n"
    assert client.event()["Event-Name"] == "CHANNEL_HOLD"
    assert client.api(f"uuid_hold off {call}") == "+OK Success\n"
    assert client.event()["Event-Name"] == "CHANNEL_UNHOLD"
    assert client.api(f"uuid_hold off {call}") == "-ERR Operation failed\n"
    assert client.api(f"uuid_audio {call} start read mute 1") == "+OK\n"
    assert client.api(f"uuid_audio {call} nonsense").startswith("-USAGE: ")
    assert client.api(f"uuid_transfer {call} 103 XML other.com") == "+OK\n"
    assert [switch.calls[call].row[name] for name in ("dest", "context")] == ["103", "other.com"]
    assert client.api(f"uuid_kill {call} CALL_REJECTED") == "+OK\n"
    assert client.event()["Hangup-Cause"] == "CALL_REJECTED"


def test_hupall_ends_all_calls_or_those_with_a_variable(switch):
    mine = switch.start_call(variables={"domain_name": "example.com"})
    other = switch.start_call(variables={"domain_name": "other.com"})
    assert switch.api("hupall NORMAL_CLEARING domain_name example.com") == (
        "+OK hangup all channels matching [domain_name]=[example.com] with cause: NORMAL_CLEARING\n"
    )
    assert mine not in switch.calls
    assert other in switch.calls
    assert switch.api("hupall") == "+OK hangup all channels with cause MANAGER_REQUEST\n"
    assert switch.calls == {}


def test_originate_rings_who_is_registered_and_says_why_it_cannot(conf, switch):
    write_user(conf, "101")
    write_gateway(conf, "g-1", register="false", proxy="a.example.net")
    switch.api("sofia profile external rescan")
    assert switch.api("originate user/101@example.com 102 XML example.com") == "-ERR USER_NOT_REGISTERED\n"
    switch.register("101", "example.com")
    answer = switch.api(
        "originate {origination_uuid=our-own,origination_caller_id_name='Click to call',domain_uuid=abc}"
        "user/101@example.com 102 XML example.com 'Click to call' 102"
    )
    assert answer == "+OK our-own\n"
    call = switch.calls["our-own"]
    assert call.answered
    assert (call.row["dest"], call.row["context"], call.row["cid_name"]) == ("102", "example.com", "Click to call")
    assert call.variables["domain_uuid"] == "abc"
    parked = switch.api("originate loopback/9196/public &park()").split()[1]
    assert switch.calls[parked].row["application"] == "park"
    assert switch.api("originate sofia/gateway/g-1/123 &echo()").startswith("+OK ")
    switch.set_gateway_state("g-1", "NOREG", "DOWN")
    assert switch.api("originate sofia/gateway/g-1/123 &echo()") == "-ERR GATEWAY_DOWN\n"


# Faults


def test_a_mute_switch_accepts_and_says_nothing_until_it_wakes_up(switch, connect):
    before = connect()
    switch.mute()
    new = connect(password=None)
    before.send("api reloadxml\n\n")
    for client in (new, before):
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(5)
    assert switch.reloads == 0, "a switch that hangs does nothing"
    switch.unmute()
    assert new.socket.recv(12) == b"Content-Type"
    assert before.socket.recv(12) == b"Content-Type"
    assert switch.reloads == 1


def test_a_mute_switch_can_be_stopped(conf):
    with SwitchSimulator(conf) as switch:
        client = Client(switch.port)
        switch.mute()
        client.send("api hostname\n\n")
    assert client.at_end()
    client.close()


def test_a_slow_switch_answers_late(switch, client):
    switch.slow(0.3)
    started = time.monotonic()
    assert client.api("hostname") == "vm"
    assert time.monotonic() - started >= 0.3
    switch.slow(0)
    started = time.monotonic()
    client.api("hostname")
    assert time.monotonic() - started < 0.3


def test_a_switch_can_refuse_the_right_password(switch):
    switch.refuse_auth()
    assert ESL.ESLconnection("127.0.0.1", str(switch.port), "ClueCon").connected() == 0
    switch.refuse_auth(False)
    assert ESL.ESLconnection("127.0.0.1", str(switch.port), "ClueCon").connected() == 1


def test_dropped_connections_are_gone_and_new_ones_welcome(switch, client, connect):
    switch.drop_connections()
    assert client.at_end()
    assert connect().api("hostname") == "vm"


def test_broken_xml_is_answered_until_it_is_mended(conf, switch):
    write_user(conf, "101")
    switch.break_xml(FAULT)
    assert switch.api("reloadxml") == f"+OK [{FAULT}]\n"
    assert switch.api("sofia profile external rescan") == f"Reload XML [{FAULT}]\n+OK scan complete\n"
    assert switch.api("user_exists id 101 example.com") == "false"
    switch.mend_xml()
    assert switch.api("reloadxml") == "+OK [Success]\n"
    assert switch.api("user_exists id 101 example.com") == "true"


def test_a_switch_that_went_away_refuses_connections_and_comes_back_on_its_port(switch, client):
    port = switch.port
    switch.go_away()
    assert client.at_end()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    switch.come_back()
    again = Client(port)
    assert again.api("hostname") == "vm"
    again.close()
    with pytest.raises(RuntimeError, match="not away"):
        switch.come_back()


def test_nothing_is_left_of_a_stopped_switch(conf):
    before = set(threading.enumerate())
    with SwitchSimulator(conf) as switch:
        clients = [Client(switch.port) for _ in range(3)]
        clients[0].command("event json ALL")
        port = switch.port
    wait_until(lambda: set(threading.enumerate()) <= before)
    assert [client.at_end() for client in clients] == [True, True, True]
    for client in clients:
        client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


# A process of its own


@pytest.fixture
def process(conf: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pbxapi.sandbox.switch", "--conf", str(conf), "--hostname", "vm"]
    with subprocess.Popen([*command, "--password", "secret"], stdout=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


def started_on(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    said = process.stdout.readline()
    assert said.startswith("switch simulator on 127.0.0.1:")
    return int(said.rpartition(":")[2])


def test_a_simulator_process_is_controlled_over_its_own_socket(process, conf):
    port = started_on(process)
    control, client = Client(port, "secret"), Client(port, "secret")
    write_user(conf, "101")
    assert client.api("reloadxml") == "+OK [Success]\n"
    assert control.api('simulator register {"user": "101", "domain": "example.com"}').endswith("@127.0.0.1\n")
    call = control.api('simulator call {"caller": "101", "variables": {"domain_uuid": "abc"}}').strip()
    assert client.api(f"uuid_getvar {call} domain_uuid") == "abc"
    assert control.api(f'simulator hangup {{"uuid": "{call}"}}') == "+OK\n"
    assert control.api(f"simulator break_xml {FAULT}") == "+OK\n"
    assert client.api("reloadxml") == f"+OK [{FAULT}]\n"
    stats = json.loads(control.api("simulator stats"))
    assert stats["reloads"] == 2
    assert stats["commands"] == ["reloadxml", f"uuid_getvar {call} domain_uuid", "reloadxml"]
    assert stats["registrations"] == ["101@example.com"]
    assert control.api("simulator nosuch").startswith("-ERR nosuch: ")
    assert control.api("simulator call {").startswith("-ERR call: ")
    control.close()
    client.close()


def test_the_connection_that_makes_faults_is_spared_by_them(process):
    port = started_on(process)
    control, client = Client(port, "secret"), Client(port, "secret")
    assert control.api("simulator mute") == "+OK\n"
    client.send("api hostname\n\n")
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    assert control.api("simulator unmute") == "+OK\n"
    assert control.api("simulator slow 30") == "+OK\n"
    assert control.api("hostname") == "vm", "within the five seconds that this test waits for an answer"
    assert control.api("simulator slow 0") == "+OK\n"
    assert control.api("simulator drop") == "+OK\n"
    assert control.api("hostname") == "vm"
    assert control.api("simulator go_away") == "+OK\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert control.api("simulator come_back") == "+OK\n"
    assert control.api("simulator refuse_auth on") == "+OK\n"
    assert ESL.ESLconnection("127.0.0.1", str(port), "secret").connected() == 0
    control.close()
    client.close()


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_a_simulator_process_ends_in_order_on_a_signal(process, signal_):
    port = started_on(process)
    client = Client(port, "secret")
    process.send_signal(signal_)
    assert process.wait(10) == 0
    client.socket.settimeout(5)
    assert client.at_end()
    client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
