"""Live questions and actions through a real Redis: answered by every node, done by one, at most once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from pbxapi.changes.live import SECONDS, Answerer, LiveQuestions
from pbxapi.errors import SwitchUnavailable
from pbxapi.sandbox.sample import DOMAIN_UUID
from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.switch.event_socket import EventSocket
from pbxapi.testing import NODE, Pbx

Serve = Callable[[str, SwitchSimulator], Answerer]


@pytest.fixture
def serve(redis_url: str) -> Iterator[Serve]:
    """Starts the part of a node's worker that answers."""
    answerers: list[Answerer] = []

    def start(node: str, switch: SwitchSimulator) -> Answerer:
        answerer = Answerer(redis_url, node, EventSocket(switch.host, switch.port, switch.password))
        answerers.append(answerer)
        answerer.start()
        return answerer

    yield start
    for answerer in answerers:
        answerer.stop()
    for answerer in answerers:
        answerer.join(10)
        assert not answerer.is_alive()


@pytest.fixture
def second(pbx: Pbx) -> Iterator[SwitchSimulator]:
    """The switch of a second node, which is up."""
    pbx.run("insert into pbxapi.node (name, seen_at) values ('node2', now() + interval '1 day')")
    with SwitchSimulator(hostname="switch2") as switch:
        yield switch


@pytest.fixture
def live(pbx: Pbx, redis_url: str) -> LiveQuestions:
    return LiveQuestions(redis_url, pbx.database)


def call_on(switch: SwitchSimulator, pbx: Pbx) -> str:
    call = switch.start_call("1001", "1002", context=pbx.domain)
    switch.answer_call(call)
    return call


def hang_up(live: LiveQuestions, pbx: Pbx, call: str) -> dict[str, str]:
    """The state that each node answers."""
    arguments = {"uuid": call, "domain_uuid": str(DOMAIN_UUID), "domain_name": pbx.domain, "verb": "hangup"}
    return {node: answer["state"] for node, answer in live.ask("control", arguments).items()}


def test_a_question_is_answered_by_every_node(
    pbx: Pbx, second: SwitchSimulator, live: LiveQuestions, serve: Serve
) -> None:
    serve(NODE, pbx.switch)
    serve("node2", second)
    calls = {NODE: call_on(pbx.switch, pbx), "node2": call_on(second, pbx)}
    answers = live.ask("channels", {})
    assert {node: [row["uuid"] for row in rows] for node, rows in answers.items()} == {
        node: [call] for node, call in calls.items()
    }


def test_an_action_is_done_by_the_node_that_it_concerns(
    pbx: Pbx, second: SwitchSimulator, live: LiveQuestions, serve: Serve
) -> None:
    serve(NODE, pbx.switch)
    serve("node2", second)
    call = call_on(second, pbx)
    assert hang_up(live, pbx, call)["node2"] == "done"
    assert hang_up(live, pbx, call) == {NODE: "absent", "node2": "absent"}
    assert [c for c in second.commands if c.startswith("uuid_kill")] == [f"uuid_kill {call}"]


def test_of_two_nodes_that_could_make_a_call_one_does(
    pbx: Pbx, second: SwitchSimulator, live: LiveQuestions, serve: Serve
) -> None:
    serve(NODE, pbx.switch)
    serve("node2", second)
    for switch in (pbx.switch, second):
        switch.register("1001", pbx.domain)
    for _ in range(5):
        arguments = {
            "uuid": str(uuid4()),
            "domain_uuid": str(DOMAIN_UUID),
            "domain": pbx.domain,
            "user": "1001",
            "destination": "1002",
            "caller_id_name": "1002",
            "caller_id_number": "1002",
            "seconds": 30,
        }
        states = [answer["state"] for answer in live.ask("originate", arguments).values()]
        assert states.count("done") == 1
    made = [c for switch in (pbx.switch, second) for c in switch.commands if c.startswith("bgapi")]
    assert len(made) == 5


def test_a_node_that_is_silent_does_not_keep_another_from_doing_it(
    pbx: Pbx, second: SwitchSimulator, live: LiveQuestions, serve: Serve
) -> None:
    serve(NODE, pbx.switch)
    began = time.monotonic()
    assert hang_up(live, pbx, call_on(pbx.switch, pbx)) == {NODE: "done"}
    assert time.monotonic() - began < SECONDS


def test_what_was_answered_as_not_done_is_not_done_later(
    pbx: Pbx, second: SwitchSimulator, live: LiveQuestions, serve: Serve
) -> None:
    serve(NODE, pbx.switch)
    call = call_on(second, pbx)
    with pytest.raises(SwitchUnavailable, match="nothing was done"):
        hang_up(live, pbx, call)
    serve("node2", second)  # it finds the question, which still waits
    end = time.monotonic() + 5
    while f"uuid_exists {call}" not in second.commands:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    assert list(second.calls) == [call]


def test_a_node_that_is_slow_is_waited_for_once_it_has_begun(pbx: Pbx, live: LiveQuestions, serve: Serve) -> None:
    serve(NODE, pbx.switch)
    call = call_on(pbx.switch, pbx)
    for command, seconds in (("uuid_exists", 1.0), ("uuid_kill", 1.4)):  # the second is under way at the deadline
        pbx.switch._api[command] = later(pbx.switch._api[command], seconds)
    assert hang_up(live, pbx, call) == {NODE: "done"}


def later(command: Callable[[str], str], seconds: float) -> Callable[[str], str]:
    def slow(argument: str) -> str:
        time.sleep(seconds)
        return command(argument)

    return slow


def test_what_the_switch_does_not_answer_is_not_known(pbx: Pbx, live: LiveQuestions, serve: Serve) -> None:
    serve(NODE, pbx.switch)
    call = call_on(pbx.switch, pbx)
    kill = pbx.switch._api["uuid_kill"]

    def hang(argument: str) -> str:
        pbx.switch.mute()
        threading.Timer(2.5, pbx.switch.unmute).start()
        return kill(argument)

    pbx.switch._api["uuid_kill"] = hang
    assert hang_up(live, pbx, call) == {NODE: "unknown"}
    assert len([c for c in pbx.switch.commands if c.startswith("uuid_kill")]) == 1


def test_without_redis_nothing_is_done_and_it_is_said(pbx: Pbx) -> None:
    live = LiveQuestions("redis://127.0.0.1:9/0", pbx.database)
    call = call_on(pbx.switch, pbx)
    with pytest.raises(SwitchUnavailable, match="the way to the switch nodes is closed"):
        hang_up(live, pbx, call)
    assert list(pbx.switch.calls) == [call]
