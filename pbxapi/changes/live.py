"""Live questions: what the switches know at this moment, asked of every node that is up; and what they are to do.

The web process has no way to a switch of its own. It puts a question into a list of each node in Redis; the node's
worker asks its switch and answers into a list that belongs to the question.

An action is put to every node too, and at most one does it: the one that it concerns claims it first. Who asked
and got no answer in time claims it himself, and so knows that nothing will happen any more, or that it does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

import orjson
from redis import Redis
from redis.exceptions import RedisError

from pbxapi.changes.queues import connect
from pbxapi.data.database import Database
from pbxapi.errors import SwitchError, SwitchRefused, SwitchUnavailable
from pbxapi.plugin.calls import is_own
from pbxapi.switch import commands
from pbxapi.switch.event_socket import EventSocket

log = logging.getLogger(__name__)

SECONDS = 2.0
"""A question is answered within this, or not at all."""

_SWITCH_SECONDS = 1.8
_ALIVE = "select name from pbxapi.node where seen_at > now() - interval '15 seconds' order by name"


def _registrations(switch: EventSocket, profiles: list[str]) -> list[dict[str, Any]]:
    found = commands.registrations(switch, profiles, timeout=_SWITCH_SECONDS)
    return [asdict(registration) for registration in found]


def _gateway_status(switch: EventSocket, name: str) -> dict[str, Any] | None:
    status = commands.gateway_status(switch, name, timeout=_SWITCH_SECONDS)
    return asdict(status) if status else None


def _channels(switch: EventSocket, variable: str = "") -> list[dict[str, str]]:
    """The channels; with a variable's name, each with its value of it under that name (None where unset)."""
    rows: list[dict[str, Any]] = list(commands.channels(switch, timeout=_SWITCH_SECONDS))
    end = time.monotonic() + _SWITCH_SECONDS
    if variable:
        for row in rows:
            left = max(end - time.monotonic(), 0.05)
            row[variable] = commands.channel_variable(switch, row["uuid"], variable, timeout=left)
    return rows


def _files_there(switch: EventSocket, paths: list[str]) -> list[str]:
    """Those of some files that the switch's host has."""
    return [path for path in paths[:10] if commands.file_exists(switch, path, timeout=_SWITCH_SECONDS)]


Claim = Callable[[], bool]
"""Makes an action this node's; False where it is another's, or nobody's any more."""

_ABSENT = {"state": "absent"}


def _control(
    switch: EventSocket,
    claim: Claim,
    *,
    uuid: str,
    domain_uuid: str,
    domain_name: str,
    verb: str,
    on: bool = True,
    destination: str = "",
) -> dict[str, str]:
    """Do something to a leg of a call, if it is here and the domain's."""
    leg = UUID(uuid)
    if not commands.channel_exists(switch, leg, _SWITCH_SECONDS):
        return _ABSENT

    def variable(name: str) -> str | None:
        return commands.channel_variable(switch, str(leg), name, _SWITCH_SECONDS)

    channel = {name: variable(name) for name in ("domain_uuid", "context")}
    if not is_own(channel, UUID(domain_uuid), domain_name):
        return _ABSENT
    if verb in ("hold", "mute") and variable("answered_time") in (None, "0"):
        return _conflict("CALL_NOT_ANSWERED", "The call has not been answered")
    return _do(claim, lambda: _to_leg(switch, verb, leg, domain_name, on, destination))


def _to_leg(switch: EventSocket, verb: str, leg: UUID, domain_name: str, on: bool, destination: str) -> bool:
    if verb == "hangup":
        return commands.hang_up(switch, leg, _SWITCH_SECONDS)
    if verb == "transfer":
        return commands.transfer(switch, leg, destination, domain_name, _SWITCH_SECONDS)
    if verb == "mute":
        return commands.mute(switch, leg, on, _SWITCH_SECONDS)
    if verb != "hold":
        raise ValueError(f"nothing that can be done to a call: {verb!r}")
    commands.hold(switch, leg, on, _SWITCH_SECONDS)
    return True


def _originate(switch: EventSocket, claim: Claim, **arguments: Any) -> dict[str, str]:
    """Make a call, if a phone of the user is registered here."""
    call = commands.ClickToCall(
        **{**arguments, "uuid": UUID(arguments["uuid"]), "domain_uuid": UUID(arguments["domain_uuid"])}
    )
    call.command()  # whatever it refuses is refused before anything is claimed
    if not commands.is_registered(switch, call.user, call.domain, _SWITCH_SECONDS):
        return _ABSENT

    def begin() -> bool:
        commands.originate(switch, call, _SWITCH_SECONDS)
        return True

    return _do(claim, begin)


def _do(claim: Claim, command: Callable[[], bool]) -> dict[str, str]:
    """Claim and do it; what has been claimed is answered for whatever comes."""
    if not claim():
        return _ABSENT
    try:
        return {"state": "done"} if command() else _ABSENT
    except SwitchRefused as refusal:
        log.warning("an action was refused: %s", refusal)
        return _conflict("SWITCH_REFUSED", "FreeSWITCH refused it")
    except SwitchUnavailable as error:
        log.warning("what became of an action is not known: %s", error)
        return {"state": "unknown"}


def _conflict(code: str, reason: str) -> dict[str, str]:
    return {"state": "conflict", "code": code, "reason": reason}


ACTIONS: Mapping[str, Callable[..., dict[str, str]]] = {"control": _control, "originate": _originate}
"""What can be done, at most once on all nodes together. Each node answers with a ``state``:

- ``done``; ``conflict``, with a ``code`` and a ``reason``; ``unknown``: the switch did not say.
- ``absent``: what it concerns is not here.
"""

QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "registrations": _registrations,
    "gateway_status": _gateway_status,
    "channels": _channels,
    "files_there": _files_there,
}
"""What can be asked, with its arguments. Values are checked where they become a command."""


def answer_here(
    switch: EventSocket, question: str, arguments: Mapping[str, Any], claim: Claim = lambda: True
) -> Any:
    """Answer a question, or do an action, with the switch of this node."""
    if question in ACTIONS:
        try:
            return ACTIONS[question](switch, claim, **arguments)
        except ValueError as error:
            # A name in the database that could be more than a name, once it is part of a command.
            log.warning("an action cannot be said to the switch: %s", error)
            return _conflict("SWITCH_REFUSED", "A name in it cannot be said to FreeSWITCH")
    return QUESTIONS[question](switch, **arguments)


def _key(node: str) -> str:
    return f"pbxapi:ask:{node}"


class LiveQuestions:
    """The asking side, in the web process."""

    def __init__(self, redis_url: str, database: Database) -> None:
        self._redis = connect(redis_url, timeout=SECONDS + 0.5)
        self._database = database

    def ask(self, question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a question, or an action, to every node that is up.

        Returns:
            Node -> answer, of those that answered in time.

        Raises:
            SwitchUnavailable: none did; of an action also where a node did not to which it might have come, and
                none of the others did it.
        """
        assert question in QUESTIONS or question in ACTIONS
        with self._database.reading() as session:
            nodes = [row["name"] for row in session.rows(_ALIVE)]
        reply = f"pbxapi:answer:{uuid4().hex}"
        try:
            answers = self._collect(nodes, reply, question, arguments)
            if question in ACTIONS:
                self._settle(nodes, reply, answers)
        except RedisError as error:
            raise SwitchUnavailable(f"the way to the switch nodes is closed: {type(error).__name__}") from None
        if not answers:
            raise SwitchUnavailable("no switch node answers")
        return answers

    def _collect(
        self, nodes: list[str], reply: str, question: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        message = orjson.dumps({"question": question, "arguments": arguments, "reply": reply})
        with self._redis.pipeline(transaction=False) as pipeline:
            for node in nodes:
                pipeline.rpush(_key(node), message)
                # Nobody there to ask: the question must not wait for a worker that comes tomorrow.
                pipeline.expire(_key(node), 5)
            pipeline.execute()
        answers: dict[str, Any] = {}
        end = time.monotonic() + SECONDS
        for _ in nodes:
            if not self._pop(reply, end, answers) or (question in ACTIONS and _has_come(answers)):
                break
        return answers

    def _pop(self, reply: str, end: float, answers: dict[str, Any]) -> bool:
        """Take one more answer; False where none comes in time. One that says nothing but a fault is left out."""
        left = end - time.monotonic()
        popped = self._redis.blpop([reply], timeout=max(left, 0.01)) if left > 0 else None
        if popped is None:
            return False
        answer = orjson.loads(popped[1])
        if "answer" in answer:
            answers[answer["node"]] = answer["answer"]
        return True

    def _settle(self, nodes: list[str], reply: str, answers: dict[str, Any]) -> None:
        """See to it that an action of which not all nodes have spoken is done or never will be.

        Raises:
            SwitchUnavailable: nobody has done it, or said so, and a node is silent that could have.
        """
        if len(answers) == len(nodes) or _has_come(answers):
            return
        if _claim(self._redis, reply):
            raise SwitchUnavailable("a switch node does not answer; nothing was done")
        end = time.monotonic() + SECONDS
        while self._pop(reply, end, answers):
            if _has_come(answers):
                return
        raise SwitchUnavailable("a switch node does not say whether it was done")


def _has_come(answers: Mapping[str, Any]) -> bool:
    """Whether an action has come to the node that it concerns."""
    return any(answer["state"] != "absent" for answer in answers.values())


def _claim(redis: Redis, reply: str) -> bool:
    """Be the first, of all nodes and the one who asked, to claim the action of a question."""
    return bool(redis.set(f"{reply}:claim", "1", nx=True, ex=60))


class Answerer(threading.Thread):
    """The answering side, in a node's worker: on a connection of its own, so that no reload holds it up."""

    def __init__(self, redis_url: str, node: str, switch: EventSocket) -> None:
        super().__init__(name="answerer", daemon=True)
        self._redis = connect(redis_url, timeout=3.0)
        self._node = node
        self._switch = switch
        self._stop_wanted = threading.Event()

    def stop(self) -> None:
        """End after the question at hand."""
        self._stop_wanted.set()

    def run(self) -> None:
        """Answer questions until told to stop."""
        while not self._stop_wanted.is_set():
            try:
                popped = self._redis.blpop([_key(self._node)], timeout=1.0)
                if popped is not None:
                    self._answer(orjson.loads(popped[1]))
            except RedisError as error:
                log.warning("no live answers for now, Redis: %s", type(error).__name__)
                self._stop_wanted.wait(1.0)
            except (KeyError, TypeError, ValueError):
                # Others may write to this Redis too.
                log.exception("what stood among the questions is none")
        self._switch.close()

    def _answer(self, message: Mapping[str, Any]) -> None:
        answer: dict[str, Any] = {"node": self._node}
        reply = message["reply"]
        try:
            answer["answer"] = answer_here(
                self._switch, message["question"], message["arguments"], lambda: _claim(self._redis, reply)
            )
        except (SwitchError, ValueError) as error:
            answer["error"] = str(error)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.rpush(reply, orjson.dumps(answer))
            pipeline.expire(reply, 5)
            pipeline.execute()
