"""Live questions: what the switches know at this moment, asked of every node that is up.

The web process has no way to a switch of its own. It puts a question into a list of each node in Redis; the node's
worker asks its switch and answers into a list that belongs to the question.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import orjson
from redis.exceptions import RedisError

from pbxapi.changes.queues import connect
from pbxapi.data.database import Database
from pbxapi.errors import SwitchError, SwitchUnavailable
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


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "registrations": _registrations,
    "gateway_status": _gateway_status,
    "channels": _channels,
    "files_there": _files_there,
}
"""What can be asked, with its arguments. Values are checked where they become a command."""


def _key(node: str) -> str:
    return f"pbxapi:ask:{node}"


class LiveQuestions:
    """The asking side, in the web process."""

    def __init__(self, redis_url: str, database: Database) -> None:
        self._redis = connect(redis_url, timeout=SECONDS + 0.5)
        self._database = database

    def ask(self, question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a question to every node that is up.

        Returns:
            Node -> answer, of those that answered in time.

        Raises:
            SwitchUnavailable: none did.
        """
        assert question in QUESTIONS
        with self._database.reading() as session:
            nodes = [row["name"] for row in session.rows(_ALIVE)]
        answers: dict[str, Any] = {}
        try:
            for node, answer in self._collect(nodes, question, arguments):
                answers[node] = answer
        except RedisError as error:
            raise SwitchUnavailable(f"the way to the switch nodes is closed: {type(error).__name__}") from None
        if not answers:
            raise SwitchUnavailable("no switch node answers")
        return answers

    def _collect(self, nodes: list[str], question: str, arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
        reply = f"pbxapi:answer:{uuid4().hex}"
        message = orjson.dumps({"question": question, "arguments": arguments, "reply": reply})
        with self._redis.pipeline(transaction=False) as pipeline:
            for node in nodes:
                pipeline.rpush(_key(node), message)
                # Nobody there to ask: the question must not wait for a worker that comes tomorrow.
                pipeline.expire(_key(node), 5)
            pipeline.execute()
        answers: list[tuple[str, Any]] = []
        end = time.monotonic() + SECONDS
        for _ in nodes:
            left = end - time.monotonic()
            popped = self._redis.blpop([reply], timeout=max(left, 0.01)) if left > 0 else None
            if popped is None:
                break
            answer = orjson.loads(popped[1])
            if "answer" in answer:
                answers.append((answer["node"], answer["answer"]))
        return answers


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
        try:
            answer["answer"] = QUESTIONS[message["question"]](self._switch, **message["arguments"])
        except (SwitchError, ValueError) as error:
            answer["error"] = str(error)
        reply = message["reply"]
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.rpush(reply, orjson.dumps(answer))
            pipeline.expire(reply, 5)
            pipeline.execute()
