"""The worker as a process of its own, between a real gunicorn, Redis, PostgreSQL and the switch simulator."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from pbxapi.config import load_config
from pbxapi.data.database import Database
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import claim_port, held
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.sandbox.stack import Program
from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.testing import API_KEY, FOLDERS

NODE = "node1"
STOP_SECONDS = 5.0
COMMAND_SECONDS = 5.0
"""How long a command waits for a switch that says nothing."""

ALIVE = """
select exists (select from pbxapi.node where name = %(node)s and seen_at > to_timestamp(%(since)s)) as alive
"""


@dataclass
class House:
    """The product's processes over servers of the tests' own.

    Attributes:
        environment: of all commands.
        switch: the simulated FreeSWITCH.
        redis: the Redis.
        api, worker: gunicorn and the node's worker.
        http: a client with the key.
    """

    environment: dict[str, str]
    switch: SwitchSimulator
    redis: EmbeddedRedis
    database: Database
    lock: int
    logs: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(5000))

    def __post_init__(self) -> None:
        self.config = load_config(self.environment)
        self.url = f"http://{self.config.bind}{self.config.url_prefix}"
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers.update({"X-API-Key": API_KEY, "X-Domain": sample.DOMAIN})
        self.api = self.program("serve", lambda _: self.answers())
        self.worker = self.program("worker", self.alive)

    def program(self, command: str, ready: Callable[[float], bool], *arguments: str) -> Program:
        return Program(
            command,
            *arguments,
            environment=self.environment,
            ready=ready,
            log=self.logs / f"{command}.log",
            lock=self.lock,
        )

    def answers(self) -> bool:
        try:
            return self.http.get(f"{self.url}/extensions").status_code == 200
        except requests.ConnectionError:
            return False

    def alive(self, since: float) -> bool:
        with self.database.reading() as session:
            return bool(session.value(ALIVE, node=NODE, since=since))

    def create(self, prefer: str | None = None) -> requests.Response:
        """Create an extension with the next number."""
        headers = {"Prefer": prefer} if prefer else {}
        reply = self.http.post(
            f"{self.url}/extensions", json={"extension": str(next(self.numbers))}, headers=headers
        )
        assert reply.status_code == 201, reply.text
        return reply

    def change(self, reply: requests.Response) -> dict[str, Any]:
        found = self.http.get(f"{self.url}/changes/{reply.headers['X-Change-Id']}").json()
        return dict(found["data"])

    def applied(self, *replies: requests.Response, seconds: float = 15) -> bool:
        """Whether the changes of some writes are applied within the time."""
        end = time.monotonic() + seconds
        waiting = list(replies)
        while waiting and time.monotonic() < end:
            waiting = [reply for reply in waiting if self.change(reply)["state"] != "applied"]
            time.sleep(0.05)
        return not waiting

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pbxapi.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def started(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    root = tmp_path_factory.mktemp("house")
    folders = {name: root / name for name in FOLDERS}
    for folder in folders.values():
        folder.mkdir()
    with ExitStack() as stack:
        lock = stack.enter_context(held(root))
        url = stack.enter_context(scratch_database(postgres, template))
        redis = stack.enter_context(EmbeddedRedis.temporary())
        switch = stack.enter_context(
            SwitchSimulator(
                directory_dir=folders["extensions"],
                sip_profiles_dir=folders["sip_profiles"],
                dialplan_dir=folders["dialplan"],
                database_url=url,
                cache_dir=folders["cache"],
            )
        )
        environment = {
            "PBXAPI_FUSIONPBX_CONF": os.devnull,
            "PBXAPI_DATABASE_URL": url,
            "PBXAPI_REDIS_URL": redis.url,
            "PBXAPI_ESL_PORT": str(switch.port),
            "PBXAPI_NODE": NODE,
            "PBXAPI_BIND": f"127.0.0.1:{claim_port(None)}",
            "PBXAPI_CACHE_LOCATION": str(folders["cache"]),
            "PBXAPI_XML_EXTENSIONS_DIR": str(folders["extensions"]),
            "PBXAPI_CHANGES_ATTEMPTS": "1",
        }
        database = Database(url, max_size=1)
        stack.callback(database.close)
        house = House(environment, switch, redis, database, lock, root)
        stack.callback(house.http.close)
        for program in (house.api, house.worker):
            stack.callback(program.stop)
        with ThreadPoolExecutor() as threads:
            list(threads.map(Program.start, [house.api, house.worker]))
        yield house


@pytest.fixture
def house(started: House) -> House:
    """Everything running, and nothing waiting."""
    started.switch.unmute()
    started.switch.mend_xml()
    started.redis.start()
    for program in (started.api, started.worker):
        if not program.running:
            program.start()
    return started


def user_exists(house: House, reply: requests.Response) -> bool:
    with house.database.reading() as session:
        number = session.value(
            "select extension from v_extensions where extension_uuid = %(uuid)s",
            uuid=reply.json()["data"]["extension_uuid"],
        )
    return house.switch.api(f"user_exists id {number} {sample.DOMAIN}") == "true"


def test_a_write_that_waits_is_on_the_switch_when_it_answers(house: House) -> None:
    began = time.monotonic()
    reply = house.create(prefer="wait=5")
    assert time.monotonic() - began < 5
    assert reply.headers["X-Change-State"] == "applied"
    assert reply.headers["Preference-Applied"] == "wait=5"
    assert user_exists(house, reply)


def test_a_write_that_waits_in_vain_says_that_its_change_is_pending(house: House) -> None:
    house.worker.stop()
    began = time.monotonic()
    reply = house.create(prefer="wait=1")
    assert 1 <= time.monotonic() - began < 3
    assert reply.headers["X-Change-State"] == "pending"


def test_what_is_written_while_the_worker_is_dead_is_applied_when_it_lives_again(house: House) -> None:
    house.worker.kill()
    replies = [house.create() for _ in range(5)]
    assert {house.change(reply)["state"] for reply in replies} == {"pending"}
    house.worker.start()
    assert house.applied(*replies)


def test_a_worker_killed_in_the_middle_of_a_drain_leaves_nothing_undone(house: House) -> None:
    house.switch.mute()
    before = len(house.switch.commands)
    reply = house.create()
    time.sleep(0.5)  # the drain is at the switch now
    house.worker.kill()
    assert house.change(reply)["state"] == "pending"
    house.switch.unmute()
    house.worker.start()
    assert house.applied(reply)
    assert user_exists(house, reply)
    assert "reloadxml" in house.switch.commands[before:]


def test_changes_survive_the_loss_of_all_that_redis_held(house: House) -> None:
    house.worker.kill()
    lost = [house.create() for _ in range(3)]
    flush(house)
    house.worker.start()
    assert house.applied(*lost)
    flush(house)  # while the worker waits at its queue
    assert house.applied(house.create())


def flush(house: House) -> None:
    import redis

    with redis.Redis.from_url(house.redis.url) as client:
        client.flushall()


def test_writes_are_answered_without_redis_and_applied_when_it_is_back(house: House) -> None:
    house.redis.kill()
    reply = house.create()
    assert house.change(reply)["state"] == "pending"
    house.redis.start()
    assert house.applied(reply)
    assert house.worker.running


def test_a_mute_switch_slows_no_write_and_gets_its_changes_when_it_wakes_up(house: House) -> None:
    def timed(count: int) -> tuple[list[float], list[requests.Response]]:
        seconds, replies = [], []
        for _ in range(count):
            began = time.perf_counter()
            replies.append(house.create())
            seconds.append(time.perf_counter() - began)
        return seconds, replies

    timed(5)
    usual, _ = timed(20)
    house.switch.mute()
    mute, replies = timed(20)
    print(f"median seconds of a POST: usual {statistics.median(usual):.4f}, mute {statistics.median(mute):.4f}")
    assert statistics.median(mute) < statistics.median(usual) + 0.2
    assert max(mute) < max(usual) + 0.5
    assert {house.change(reply)["state"] for reply in replies} == {"pending"}
    house.switch.unmute()
    assert house.applied(*replies, seconds=40)


def test_sigterm_ends_the_worker_in_order_within_seconds(house: House) -> None:
    house.create(prefer="wait=5")
    began = time.monotonic()
    assert house.worker.stop() == 0
    assert time.monotonic() - began < STOP_SECONDS


@pytest.mark.parametrize("after", [0.5, 1.5])
def test_sigterm_ends_a_worker_that_looks_for_redis(house: House, after: float) -> None:
    house.redis.kill()
    time.sleep(after)
    began = time.monotonic()
    assert house.worker.stop() == 0
    assert time.monotonic() - began < STOP_SECONDS


def test_sigterm_ends_a_worker_whose_switch_is_mute(house: House) -> None:
    house.switch.mute()
    house.create()
    time.sleep(0.5)
    began = time.monotonic()
    assert house.worker.stop() == 0
    assert time.monotonic() - began < COMMAND_SECONDS + STOP_SECONDS


def test_sigterm_lets_gunicorn_finish_a_request_and_then_end(house: House) -> None:
    house.worker.stop()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(house.create, "wait=2")
        time.sleep(0.7)
        began = time.monotonic()
        assert house.api.stop() == 0
        assert time.monotonic() - began < 2 + STOP_SECONDS
        assert waiting.result().headers["X-Change-State"] == "pending"


def test_gunicorn_that_was_killed_starts_again_on_its_port(house: House) -> None:
    house.api.kill()
    house.api.start()
    assert house.create(prefer="wait=5").headers["X-Change-State"] == "applied"


def test_a_relay_of_its_own_serves_workers_without_one(house: House) -> None:
    house.worker.stop()
    lone = house.program("worker", house.alive, "--no-relay")
    lone.start()
    try:
        reply = house.create()
        assert not house.applied(reply, seconds=2.5)
        relay = house.program("relay", lambda _: True)
        relay.start()
        try:
            assert house.applied(reply)
        finally:
            assert relay.stop() == 0
    finally:
        lone.stop()


def test_an_operator_sees_why_a_change_failed_and_tries_it_again(house: House) -> None:
    house.switch.break_xml("[error near line 7]: unexpected closing tag </include>")
    reply = house.create(prefer="wait=10")
    change_id = reply.headers["X-Change-Id"]
    assert reply.headers["X-Change-State"] == "failed"
    listed = house.command("changes", "list", "--state", "failed")
    assert change_id in listed.stdout
    assert "unexpected closing tag" in listed.stdout
    assert "unexpected closing tag" in house.command("changes", "show", change_id).stdout

    house.switch.mend_xml()
    retried = house.command("changes", "retry", change_id)
    assert (retried.returncode, retried.stderr) == (0, "")
    assert house.applied(reply)
    again = house.command("changes", "retry", change_id)
    assert again.returncode == 1
    assert "nothing to try again" in again.stderr


def test_only_a_node_that_is_gone_is_forgotten(house: House) -> None:
    assert NODE in house.command("nodes", "list").stdout
    refused = house.command("nodes", "forget", NODE)
    assert refused.returncode == 1
    assert "is running" in refused.stderr
    with house.database.writing() as session:
        session.run("insert into pbxapi.node (name, seen_at) values ('gone', now() - interval '1 day')")
    reply = house.create()
    assert house.change(reply)["state"] == "pending"
    assert house.command("nodes", "forget", "gone").returncode == 0
    assert house.applied(reply)
    assert "gone" not in house.command("nodes", "list").stdout


def test_the_worker_tells_what_its_switch_tells_and_when_it_was_not_there(house: House) -> None:
    def told(type: str, text: str) -> int:
        with house.database.reading() as session:
            return int(
                session.value(
                    "select count(*) from pbxapi.event where type = %(type)s and data::text like %(text)s"
                    " and position is not null",
                    type=type,
                    text=f"%{text}%",
                )
            )

    def wait(type: str, text: str, before: int = 0) -> None:
        end = time.monotonic() + 15
        while told(type, text) <= before:
            assert time.monotonic() < end, f"no {type} was told"
            time.sleep(0.05)

    # Until the listener hears, what begins is not told as begun. A worker that was killed left its lease behind.
    end = time.monotonic() + 40
    while not told("call.started", "heard first"):
        assert time.monotonic() < end
        house.switch.end_call(house.switch.start_call("heard first", "1002", context=sample.DOMAIN))
        time.sleep(0.1)
    first = house.switch.start_call("1001", "1002", context=sample.DOMAIN)
    wait("call.started", first)
    house.worker.stop()
    missed = house.switch.start_call("1001", "1002", context=sample.DOMAIN)
    gaps = told("switch.gap", "nobody listened")
    house.worker.start()
    wait("switch.gap", "nobody listened", gaps)
    house.switch.end_call(first)
    house.switch.end_call(missed)
    wait("call.ended", first)
    wait("call.ended", missed)
    assert told("call.started", missed) == 0
