"""From what the switch tells to the events' table: whose it is, told once, and nothing missed without a word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn
from uuid import UUID, uuid4

import jsonschema_rs
import psycopg
import pytest

from pbxapi.changes.listener import Lease, Listener
from pbxapi.data.database import Database
from pbxapi.data.events import number_events, read_events
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN_UUID, SECOND_DOMAIN_UUID, uuid_of
from pbxapi.switch.connection import Place
from pbxapi.switch.event_socket import EventSocket
from pbxapi.switch.events import Inbox, Pace
from pbxapi.testing import NODE, Pbx, close_pbx, make_pbx

QUICK = Pace(echo=0.1, answer=0.5, connect=0.5, pause=0.05, pause_most=0.2, steady=1.0, poll=0.05)
LEASE = Lease(touch=0.1, look=0.05, untouched=0.6)

Row = dict[str, Any]


class Ear:
    """The listeners of one telephone system, and what was told."""

    def __init__(self, pbx: Pbx) -> None:
        self.pbx = pbx
        self.listeners: list[Listener] = []
        self.databases: list[Database] = []
        self._seen = 0
        self._heard: list[Row] = []

    def listen(self, *, heard: bool = True, inbox: Inbox | None = None) -> Listener:
        """Start one, and wait until it hears."""
        place = Place(self.pbx.switch.host, self.pbx.switch.port, self.pbx.switch.password)
        database = Database(self.pbx.config.database_url, name="listener")
        listener = Listener(database, NODE, place, EventSocket.to(place), QUICK, LEASE, inbox)
        self.listeners.append(listener)
        self.databases.append(database)
        before = self.told_until()
        listener.start()
        if heard:
            self.until(lambda: (self.told_until() or 0) > (before or 0))
        return listener

    def told_until(self) -> float | None:
        found = self.pbx.rows("select extract(epoch from told_until)::float8 as at from pbxapi.listener")
        return found[0]["at"] if found else None

    def owner(self) -> UUID | None:
        (row,) = self.pbx.rows("select owner from pbxapi.listener")
        return row["owner"]  # type: ignore[no-any-return]

    def until(self, done: Callable[[], Any], seconds: float = 10) -> Any:
        end = time.monotonic() + seconds
        while not (found := done()):
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.02)
        return found

    def told(self, *types: str) -> list[Row]:
        """All that was told so far, each event checked against what the catalogue says of it."""
        with self.pbx.database.writing() as session:
            number_events(session)
        with self.pbx.database.reading() as session:
            fresh = read_events(session, self._seen, domains=None)
        catalogue = self.pbx.app.extensions["pbxapi"].registry.events
        for event in fresh:
            jsonschema_rs.validate(dict(catalogue[event["type"]].schema), event["data"], validate_formats=True)
        self._seen = max([self._seen, *(event["position"] for event in fresh)])
        self._heard += fresh
        return [event for event in self._heard if not types or event["type"] in types]

    def wait_for(self, count: int, *types: str) -> list[Row]:
        """What was told of some types, once it is so many; and no more a moment later."""
        self.until(lambda: len(self.told(*types)) >= count)
        self.settle()
        found = self.told(*types)
        assert len(found) == count, [(event["type"], event["data"]) for event in found]
        return found

    def settle(self) -> None:
        """Wait until all that the switch has told by now was told."""
        now = time.time()
        self.until(lambda: (self.told_until() or 0) > now)

    def stop(self) -> None:
        for listener in self.listeners:
            listener.stop()
        for listener in self.listeners:
            listener.join(10)
            assert not listener.is_alive()
        for database in self.databases:
            database.close()


@pytest.fixture(scope="module")
def house(
    postgres: EmbeddedPostgres,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    pbx_settings: Mapping[str, Any],
) -> Iterator[Pbx]:
    """One telephone system for all tests of the module."""
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("told"), service_url=url_of_role(url), **pbx_settings)
        yield system
        close_pbx(system)


@pytest.fixture
def pbx(house: Pbx) -> Pbx:
    """Without calls, phones, events and whoever listened before."""
    house.switch.calls.clear()
    house.switch.registrations.clear()
    house.switch.commands.clear()
    for table in ("event", "listener"):
        house.run(f"delete from pbxapi.{table}")
    house.run("update pbxapi.event_head set position = 0")
    house.run("delete from v_voicemail_messages")
    return house


@pytest.fixture
def ear(pbx: Pbx) -> Iterator[Ear]:
    ear = Ear(pbx)
    yield ear
    ear.stop()


# Calls


def test_a_call_between_phones_is_told_from_its_start_to_its_figures(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    switch = pbx.switch
    caller = switch.start_call("1001", "1002", context=pbx.domain, cid_name="Anna Berg")
    callee = switch.start_call("1001", "1002", context=pbx.domain, direction="outbound", call_uuid=caller)
    switch.ring_call(callee)
    switch.answer_call(callee)
    switch.answer_call(caller)
    switch.bridge(caller, callee)
    switch.route_call(caller, {"call_direction": "local", "domain_uuid": str(DOMAIN_UUID)})
    switch.end_call(caller, variables={"duration": "75", "billsec": "70", "sip_hangup_disposition": "recv_bye"})
    switch.end_call(callee, "NORMAL_CLEARING")
    events = ear.wait_for(6, "call.started", "call.answered", "call.ended")
    assert [(e["type"], e["data"]["uuid"], e["data"]["leg"]) for e in events] == [
        ("call.started", caller, "a"),
        ("call.started", callee, "b"),
        ("call.answered", callee, "b"),
        ("call.answered", caller, "a"),
        ("call.ended", caller, "a"),
        ("call.ended", callee, "b"),
    ]
    assert {e["data"]["call_uuid"] for e in events} == {caller}
    assert {e["domain_uuid"] for e in events} == {DOMAIN_UUID}
    assert {e["domain_name"] for e in events} == {pbx.domain}
    started, ended = events[0]["data"], events[4]["data"]
    assert (started["direction"], started["leg_direction"]) == (None, "inbound")
    assert (started["caller_id_name"], started["caller_id_number"]) == ("Anna Berg", "1001")
    assert started["destination_number"] == "1002"
    assert (ended["direction"], ended["duration"], ended["billsec"]) == ("local", 75, 70)
    assert (ended["hangup_cause"], ended["sip_hangup_disposition"]) == ("NORMAL_CLEARING", "recv_bye")
    assert ended["start_stamp"] == started["start_stamp"] <= ended["answer_stamp"] <= ended["end_stamp"]


def test_a_call_that_nobody_answers_has_no_answer(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    call = pbx.switch.start_call("1001", "1002", context=pbx.domain)
    pbx.switch.end_call(call, "NO_ANSWER")
    (ended,) = ear.wait_for(1, "call.ended")
    assert ended["data"]["answer_stamp"] is None
    assert (ended["data"]["billsec"], ended["data"]["hangup_cause"]) == (0, "NO_ANSWER")
    assert len(ear.told("call.started")) == 1
    assert ear.told("call.answered") == []


def test_a_call_from_a_trunk_is_told_once_the_dialplan_has_said_whose_it_is(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    # The caller wrote another tenant's domain where he could.
    call = pbx.switch.start_call(
        "5550100",
        "5550199",
        context="public",
        presence_id=f"1001@{pbx.other_domain}",
        accountcode=pbx.other_domain,
    )
    ear.settle()
    assert ear.told("call.started") == []
    pbx.switch.route_call(call, {"domain_uuid": str(DOMAIN_UUID), "call_direction": "inbound"})
    pbx.switch.ring_call(call)
    pbx.switch.ring_call(call)
    (started,) = ear.wait_for(1, "call.started")
    assert started["domain_uuid"] == DOMAIN_UUID
    assert started["data"]["direction"] == "inbound"
    pbx.switch.end_call(call)
    ear.wait_for(1, "call.ended")


def test_a_call_from_a_trunk_that_ends_at_once_is_told_whole(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    call = pbx.switch.start_call("5550100", "5550199", context="public")
    pbx.switch.route_call(call, {"domain_uuid": str(DOMAIN_UUID)})
    pbx.switch.end_call(call, "ORIGINATOR_CANCEL")
    assert [e["type"] for e in ear.wait_for(2, "call.started", "call.ended")] == ["call.started", "call.ended"]


def test_a_call_of_nobody_is_told_to_nobody(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    for domain_uuid in ("", str(uuid4()), "' or true --", "x" * 9000, "%00", "{}"):
        call = pbx.switch.start_call(
            "5550100", "1", "public", presence_id=f"1@{pbx.domain}", variables={"domain_uuid": domain_uuid}
        )
        pbx.switch.answer_call(call)
        pbx.switch.end_call(call)
    ear.settle()
    assert ear.told() == []


def test_a_call_stays_whose_it_was_when_it_was_first_told(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    call = pbx.switch.start_call("1001", "1002", context=pbx.domain)
    pbx.switch.route_call(call, {"domain_uuid": str(SECOND_DOMAIN_UUID)}, context=pbx.other_domain)
    pbx.switch.answer_call(call)
    pbx.switch.end_call(call)
    assert {e["domain_uuid"] for e in ear.wait_for(3)} == {DOMAIN_UUID}


def test_a_call_that_began_before_anybody_listened_is_told_without_its_beginning(pbx: Pbx, ear: Ear) -> None:
    call = pbx.switch.start_call("1001", "1002", context=pbx.domain)
    ear.listen()
    pbx.switch.answer_call(call)
    pbx.switch.end_call(call)
    assert [e["type"] for e in ear.wait_for(2)] == ["call.answered", "call.ended"]


# Phones, gateways, voicemail


def test_a_phone_is_told_when_it_comes_and_goes_and_not_when_it_renews(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    switch = pbx.switch
    for _ in range(3):
        switch.register("1001", pbx.domain, agent="Yealink", network_ip="192.0.2.7", expires=600)
    switch.unregister("1001", pbx.domain)
    switch.register("1001", pbx.domain)
    switch.expire("1001", pbx.domain)
    events = ear.wait_for(4)
    assert [(e["type"], e["data"].get("reason")) for e in events] == [
        ("registration.gained", None),
        ("registration.lost", "unregistered"),
        ("registration.gained", None),
        ("registration.lost", "expired"),
    ]
    assert {e["domain_uuid"] for e in events} == {DOMAIN_UUID}
    gained = events[0]["data"]
    assert gained.pop("expires") in (599, 600)
    assert gained == {
        "node": NODE,
        "user": "1001",
        "domain": pbx.domain,
        "contact": "sip:1001@192.0.2.7:5066",
        "agent": "Yealink",
        "profile": "internal",
        "network_ip": "192.0.2.7",
        "network_port": 5066,
    }


def test_a_phone_whose_connection_breaks_is_whose_it_was_when_it_registered(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    pbx.switch.register("1001", pbx.other_domain, realm=pbx.domain)
    pbx.switch.disconnect("1001", pbx.other_domain)
    gained, lost = ear.wait_for(2)
    assert gained["domain_uuid"] == lost["domain_uuid"] == DOMAIN_UUID
    assert lost["data"]["reason"] == "disconnected"


def test_a_registration_belongs_to_the_realm_alone(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    pbx.switch.register("1001", pbx.domain, realm="unknown")
    pbx.switch.register("1002", pbx.domain, realm="elsewhere.example.net")
    pbx.switch.disconnect("1001", pbx.domain)
    pbx.switch.expire("1002", pbx.domain)
    ear.settle()
    assert ear.told() == []


def test_nothing_secret_of_a_registration_is_told(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    secrets = {
        "password": "s3cret-1",
        "sip_auth_nonce": "s3cret-2",
        "sip_auth_response": "s3cret-3",
        "a1-hash": "s3cret-4",
    }
    pbx.switch._fire_custom(
        "sofia::register", {"from-user": "1001", "realm": pbx.domain, "call-id": "x", **secrets}
    )
    (event,) = ear.wait_for(1)
    assert "s3cret" not in str(event)


def gateway_of(pbx: Pbx) -> str:
    """A gateway of the first domain, as the switch knows it."""
    pbx.socket.api("sofia profile external rescan")
    pbx.switch.set_gateway_state(str(uuid_of("gateway", pbx.domain, "carrier")), "REGED")
    return str(uuid_of("gateway", pbx.domain, "carrier"))


def test_a_gateway_is_told_when_it_can_be_called_through_and_when_not(pbx: Pbx, ear: Ear) -> None:
    gateway = gateway_of(pbx)
    ear.listen()
    state = pbx.switch.set_gateway_state
    for step in ("UNREGED", "TRYING", "REGISTER", "REGED"):  # it renews its registration
        state(gateway, step)
    state(gateway, "FAILED")
    state(gateway, "FAIL_WAIT", "DOWN")
    state(gateway, "UNREGED", "DOWN")
    state(gateway, "TRYING", "DOWN")
    state(gateway, "REGISTER", "DOWN")
    state(gateway, "REGED", "UP")
    down, up = ear.wait_for(2)
    assert (down["type"], down["data"]["state"]) == ("gateway.down", "FAILED")
    assert (up["type"], up["data"]["state"]) == ("gateway.up", "REGED")
    for event in (down, up):
        assert event["domain_uuid"] == DOMAIN_UUID
        assert (event["resource"], str(event["record_uuid"])) == ("gateways", gateway)
        assert event["data"]["gateway"] == "carrier"


def test_a_gateway_of_all_domains_is_told_to_the_system_alone(pbx: Pbx, ear: Ear) -> None:
    gateway = gateway_of(pbx)
    pbx.run("update v_gateways set domain_uuid = null where gateway_uuid = %(g)s", g=UUID(gateway))
    ear.listen()
    pbx.switch.set_gateway_state(gateway, "NOREG", "DOWN")
    (event,) = ear.wait_for(1)
    pbx.run("update v_gateways set domain_uuid = %(d)s where gateway_uuid = %(g)s", d=DOMAIN_UUID, g=UUID(gateway))
    assert (event["type"], event["domain_uuid"]) == ("gateway.down", None)


def test_a_gateway_that_went_down_while_nobody_heard_is_told_afterwards(pbx: Pbx, ear: Ear) -> None:
    gateway = gateway_of(pbx)
    ear.listen()
    pbx.switch.go_away()
    pbx.switch.set_gateway_state(gateway, "FAIL_WAIT", "DOWN")
    pbx.switch.come_back()
    (event,) = ear.wait_for(1, "gateway.down")
    assert event["data"]["state"] == "FAIL_WAIT"


def leave_message(pbx: Pbx, box: str, **columns: Any) -> UUID:
    """What FusionPBX's script does to the database when somebody has left a message."""
    message = {
        "voicemail_message_uuid": uuid4(),
        "created_epoch": int(time.time()) - 20,
        "message_length": 14,
        "message_status": None,
        **columns,
    }
    pbx.run(
        """
        insert into v_voicemail_messages (domain_uuid, voicemail_message_uuid, voicemail_uuid, created_epoch,
                                          caller_id_name, caller_id_number, message_length, message_status)
        select domain_uuid, %(voicemail_message_uuid)s, voicemail_uuid, %(created_epoch)s,
               'Anna Berg', '1001', %(message_length)s, %(message_status)s
          from v_voicemails where domain_uuid = %(domain)s and voicemail_id = %(box)s
        """,
        domain=DOMAIN_UUID,
        box=box,
        **message,
    )
    return message["voicemail_message_uuid"]  # type: ignore[no-any-return]


def test_a_voicemail_message_is_told_once_however_often_its_lamp_is_lit(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    message = leave_message(pbx, "1002")
    leave_message(pbx, "1002", message_status="saved")
    leave_message(pbx, "1002", created_epoch=int(time.time()) - 7200)
    for _ in range(3):
        pbx.switch.message_waiting("1002", pbx.domain, 2)
    pbx.switch.message_waiting("1002", pbx.other_domain, 1)
    (event,) = ear.wait_for(1)
    assert event["type"] == "voicemail.left"
    assert event["domain_uuid"] == DOMAIN_UUID
    assert event["data"]["voicemail_message_uuid"] == str(message)
    assert (event["data"]["voicemail_id"], event["data"]["message_length"]) == ("1002", 14)
    assert event["resource"] == "voicemails"
    assert event["data"]["voicemail_uuid"] == str(event["record_uuid"])


def test_a_lamp_that_goes_out_tells_nothing(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    leave_message(pbx, "1002")
    pbx.switch.message_waiting("1002", pbx.domain, 0, 1)
    ear.settle()
    assert ear.told() == []


# What may be missing


def test_a_cut_connection_is_told_as_a_gap_to_every_domain_and_the_system(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    began = time.time()
    pbx.switch.go_away()
    missed = pbx.switch.start_call("1001", "1002", context=pbx.domain)
    pbx.switch.come_back()
    ear.until(lambda: ear.told("switch.gap"))
    ear.settle()
    gaps = ear.told("switch.gap")
    domains = {row["domain_uuid"] for row in pbx.rows("select domain_uuid from v_domains where domain_enabled")}
    assert {gap["domain_uuid"] for gap in gaps} == domains | {None}
    assert len(gaps) == len(domains) + 1
    (data,) = {str(gap["data"]): gap["data"] for gap in gaps}.values()
    assert data["node"] == NODE
    assert data["from"] < data["to"]
    assert data["to"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
    # What the gap swallowed has no beginning, but its end is told.
    pbx.switch.end_call(missed)
    ear.wait_for(1, "call.ended")
    assert ear.told("call.started") == []


def test_the_first_listener_of_all_tells_no_gap_and_a_later_one_tells_when_nobody_listened(
    pbx: Pbx, ear: Ear
) -> None:
    first = ear.listen()
    assert ear.told() == []
    first.stop()
    first.join(10)
    assert ear.owner() is None
    ear.listen()
    gap = ear.until(lambda: ear.told("switch.gap"))[0]["data"]
    assert gap["reason"] == "nobody listened"
    assert gap["from"] < gap["to"]


def test_what_is_heard_while_postgresql_is_away_is_told_afterwards(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    with away(pbx):
        calls = [pbx.switch.start_call("1001", str(n), context=pbx.domain) for n in range(50)]
        time.sleep(0.5)
    started = ear.wait_for(50, "call.started")
    assert [event["data"]["uuid"] for event in started] == calls
    assert ear.told("switch.gap") == []


def test_what_finds_no_room_while_postgresql_is_away_is_told_as_a_gap(pbx: Pbx, ear: Ear) -> None:
    ear.listen(inbox=Inbox(most=20))
    with away(pbx):
        for n in range(200):
            pbx.switch.start_call("1001", str(n), context=pbx.domain)
        time.sleep(0.5)
    gap = ear.until(lambda: ear.told("switch.gap"))[0]["data"]
    assert gap["reason"] == "more events than could be kept"
    ear.settle()
    assert 0 < len(ear.told("call.started")) < 200


class away:
    """PostgreSQL takes no connections to the database and has cut those there were."""

    def __init__(self, pbx: Pbx) -> None:
        base, _, self._name = pbx.superuser_url.partition("?")[0].rpartition("/")
        self._url = f"{base}/postgres"

    def __enter__(self) -> None:
        self._set("false")

    def __exit__(self, *_: object) -> None:
        self._set("true")

    def _set(self, allowed: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f'alter database "{self._name}" allow_connections {allowed}')  # type: ignore[arg-type]
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and %s = 'false'",
                (self._name, allowed),
            )


def test_what_the_database_refuses_ends_nothing_but_itself(pbx: Pbx, ear: Ear) -> None:
    listener = ear.listen()
    leave_message(pbx, "1002")
    pbx.run("alter table v_voicemail_messages rename column message_length to message_seconds")
    try:
        pbx.switch.message_waiting("1002", pbx.domain, 1)
        gap = ear.until(lambda: ear.told("switch.gap"))[0]["data"]
    finally:
        pbx.run("alter table v_voicemail_messages rename column message_seconds to message_length")
    assert gap["reason"] == "nobody listened"
    assert listener.is_alive()
    call = pbx.switch.start_call("1001", "1002", context=pbx.domain)
    ear.until(lambda: [e for e in ear.told("call.started") if e["data"]["uuid"] == call])


# Several workers


def test_of_two_workers_one_tells(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    ear.listen(heard=False)
    time.sleep(LEASE.taken_within)
    for n in range(20):
        pbx.switch.start_call("1001", str(n), context=pbx.domain)
    ear.wait_for(20, "call.started")
    subscriptions = [command for command in pbx.switch.commands if command.startswith("event ")]
    assert len(subscriptions) == 1


def test_another_worker_takes_over_from_one_that_is_dead_and_tells_what_lies_between(pbx: Pbx, ear: Ear) -> None:
    dead = ear.listen()
    ear.listen(heard=False)
    owner = ear.owner()
    time.sleep(2 * LEASE.look)
    dead._database = Unreachable(pbx.config.database_url)  # it cannot even say goodbye
    dead.stop()
    died = time.time()
    ear.until(lambda: ear.owner() not in (None, owner))
    assert time.time() - died < LEASE.taken_within + 2  # two seconds for a busy machine
    gap = ear.until(lambda: ear.told("switch.gap"))[0]["data"]
    assert gap["reason"] == "nobody listened"
    call = pbx.switch.start_call("1001", "1002", context=pbx.domain)
    ear.until(lambda: [e for e in ear.told("call.started") if e["data"]["uuid"] == call])


class Unreachable(Database):
    """What a worker has of PostgreSQL whose host went."""

    def lend(self) -> NoReturn:
        raise psycopg.OperationalError("no route to host")


def test_a_dead_worker_is_replaced_within_fifteen_seconds() -> None:
    assert Lease().taken_within < 15
    assert Lease().taken_within == 10


def test_a_worker_that_has_lost_its_lease_writes_nothing_more(pbx: Pbx, ear: Ear) -> None:
    ear.listen()
    thief = uuid4()
    pbx.run("update pbxapi.listener set owner = %(thief)s, seen_at = clock_timestamp()", thief=thief)
    for n in range(5):
        pbx.switch.start_call("1001", str(n), context=pbx.domain)
    time.sleep(0.3)
    assert ear.told() == []
    assert ear.owner() == thief
    # The thief says nothing more: after a while the worker listens again, and owns up.
    ear.until(lambda: ear.owner() != thief)
    ear.until(lambda: ear.told("switch.gap"))


def test_a_node_that_is_forgotten_leaves_no_lease(pbx: Pbx, ear: Ear) -> None:
    from pbxapi.data.change import add_node, forget_node

    ear.listen().stop()
    ear.stop()
    with pbx.database.writing() as session:
        forget_node(session, NODE)
    assert pbx.rows("select from pbxapi.listener") == []
    with pbx.database.writing() as session:
        add_node(session, NODE)


# The catalogue


def test_every_kind_of_switch_event_has_a_schema_that_its_examples_meet(pbx: Pbx) -> None:
    catalogue = pbx.app.extensions["pbxapi"].registry.events
    names = [name for name in catalogue if name.split(".")[0] in ("call", "gateway", "registration", "switch")]
    told = {
        "call.started",
        "call.answered",
        "call.ended",
        "registration.gained",
        "registration.lost",
        "gateway.up",
    }
    assert told | {"gateway.down", "switch.gap"} <= set(names)
    for name in told | {"gateway.down", "switch.gap", "voicemail.left"}:
        schema = dict(catalogue[name].schema)
        jsonschema_rs.meta.validate(schema)
        assert schema["examples"]
        for example in schema["examples"]:
            jsonschema_rs.validate(schema, example, validate_formats=True)
