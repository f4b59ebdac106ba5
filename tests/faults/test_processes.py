"""Whatever dies on the way: a write that was answered reaches every node. Three nodes, real processes, SIGKILL."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests


def applied(house, reply):
    """Whether a write is applied on every node."""
    rows = house.rows(
        "select state from pbxapi.change_node where change_id = %(id)s", id=reply.headers["X-Change-Id"]
    )
    return [row["state"] for row in rows] == ["applied"] * len(house.nodes)


def command(environment, *arguments):
    words = [sys.executable, "-m", "pbxapi.cli", *arguments]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_a_write_reaches_all_three_nodes(house):
    reply = house.create(voicemail_enabled="true")
    house.wait_for(lambda: applied(house, reply), 60)


def test_the_relay_is_called_and_does_not_wait_for_its_next_look(house):
    """It looks once a second by itself; the quickest of some writes is applied in much less.

    Of PIN numbers, which need no reload: that takes as long as the directory is large.
    """
    seconds = []
    for _ in range(6):
        time.sleep(0.35)
        began = time.monotonic()
        reply = house.request("POST", "/pin-numbers", {"pin_number": f"73{next(house.numbers)}"})
        assert reply.status_code == 201, reply.text
        house.wait_for(lambda reply=reply: applied(house, reply), 60)
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 0.5, seconds


def test_the_relay_finds_what_nobody_called_it_for(house):
    reply = house.create()
    house.wait_for(lambda: applied(house, reply), 60)
    house.run(
        "update pbxapi.change_node set state = 'pending' where change_id = %(id)s", id=reply.headers["X-Change-Id"]
    )
    house.wait_for(lambda: applied(house, reply), 60)


def test_workers_killed_during_a_reload_do_it_again(house):
    for node in house.nodes:
        node.switch.reload_seconds = 1.0
    before = [node.switch.reloads for node in house.nodes]
    reply = house.create()
    house.wait_for(lambda: all(node.switch._reloading for node in house.nodes), 60)
    for node in house.nodes:
        node.worker.kill()
    assert not applied(house, reply)
    assert [row["reload_wanted"] for row in house.rows("select reload_wanted from pbxapi.node")] == [True] * 3
    house.mended()
    house.wait_for(lambda: applied(house, reply), 60)
    assert all(node.switch.reloads >= count + 2 for node, count in zip(house.nodes, before, strict=True))


def test_the_api_killed_after_the_commit_leaves_the_change_behind(house):
    """Its client never gets an answer; the row that it wrote is applied all the same."""
    answers = []

    def write(number):
        try:
            answers.append(house.request("POST", "/extensions", {"extension": str(number)}))
        except requests.ConnectionError:
            answers.append(None)

    before = {row["change_id"] for row in house.rows("select change_id from pbxapi.change")}
    writing = [threading.Thread(target=write, args=(next(house.numbers),)) for _ in range(8)]
    for thread in writing:
        thread.start()
    house.wait_for(
        lambda: house.rows("select count(*) from pbxapi.change where change_id <> all(%(ids)s)", ids=list(before))[
            0
        ]["count"],
        60,
    )
    house.api.kill()
    for thread in writing:
        thread.join()
    made = house.rows("select change_id from pbxapi.change where change_id <> all(%(ids)s)", ids=list(before))
    answered = {answer.headers["X-Change-Id"] for answer in answers if answer is not None}
    assert answered <= {str(row["change_id"]) for row in made}
    house.settle()  # without the API


def test_with_the_relay_dead_changes_wait_and_are_not_lost(house):
    house.relay.kill()
    replies = [house.create() for _ in range(3)]
    time.sleep(1.5)
    assert not any(applied(house, reply) for reply in replies)
    house.relay.start()
    house.wait_for(lambda: all(applied(house, reply) for reply in replies), 60)


def test_without_redis_writes_are_answered_and_changes_wait(house):
    house.redis.stop()
    reply = house.create()
    time.sleep(0.5)
    assert not applied(house, reply)
    house.redis.start()
    house.wait_for(lambda: applied(house, reply), 60)


def test_a_redis_killed_and_flushed_while_changes_pour_in_loses_none(house):
    for round_ in range(3):
        replies = [house.create() for _ in range(5)]
        if round_ == 1:
            house.redis.kill()
            house.redis.start()
        house.flush_redis()
        replies += [house.create() for _ in range(5)]
        house.flush_redis()
    house.wait_for(lambda: all(applied(house, reply) for reply in replies), 60)


def test_wake_ups_that_a_flush_took_from_dead_workers_are_sent_again(house):
    for node in house.nodes:
        node.worker.kill()
    reply = house.create()
    time.sleep(0.5)
    house.flush_redis()
    house.mended()
    house.wait_for(lambda: applied(house, reply), 60)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_postgresql_restarted_under_load_keeps_every_answered_write(house, end):
    """Also with SIGKILL: what was answered is on its disk."""
    ending = threading.Event()
    answered: list[str] = []
    refused: set[int] = set()

    def write():
        while not ending.is_set():
            number = next(house.numbers)
            try:
                reply = house.request("POST", "/extensions", {"extension": str(number)})
            except requests.ConnectionError:
                continue
            if reply.status_code == 201:
                answered.append(reply.headers["X-Change-Id"])
            else:
                refused.add(reply.status_code)

    with ThreadPoolExecutor() as threads:
        writing = [threads.submit(write) for _ in range(2)]
        house.wait_for(lambda: len(answered) > 5, 60)
        getattr(house.postgres, end)()
        time.sleep(0.2)
        house.postgres.start()
        before = len(answered)
        house.wait_for(lambda: len(answered) > before + 1, 60)
        ending.set()
        for writer in writing:
            writer.result()
    assert refused <= {503}
    kept = {str(row["change_id"]) for row in house.rows("select change_id from pbxapi.change")}
    assert set(answered) <= kept
    house.settle()


def test_a_worker_that_starts_before_postgresql_serves_once_it_is_there(house):
    house.postgres.stop()
    for node in house.nodes:
        node.worker.kill()
    with house.supervised():
        time.sleep(1.0)
        house.postgres.start()
        house.wait_for(lambda: all(node.worker.running for node in house.nodes), 60)
        reply = house.create()
        house.wait_for(lambda: applied(house, reply), 60)


def test_a_switch_that_was_away_for_an_hour_catches_up_within_seconds(house):
    """The hour is played: the node has tried as often as it then would, and is in one of its pauses."""
    away = house.nodes[2]
    away.switch.go_away()
    made = house.create(password="before")
    uuid = made.json()["data"]["extension_uuid"]
    replies = [house.request("PUT", f"/extensions/{uuid}", {"password": f"word-{n}"}) for n in range(5)]
    house.wait_for(lambda: house.rows("select error from pbxapi.node where name = 'node3'")[0]["error"], 60)
    house.run("update pbxapi.change_node set created_at = created_at - interval '1 hour' where node = 'node3'")
    ready = requests.get(house.url.replace("/api/v1", "/readyz"), timeout=10)
    assert ready.status_code == 200
    assert ready.json()["switch"]["nodes"]["node3"]["error"]
    assert ready.json()["backlog"]["nodes"]["node3"]["oldest_seconds"] >= 3600
    house.wait_for(lambda: {row["node"] for row in house.open_changes()} == {"node3"}, 60)
    house.run(
        "update pbxapi.node set attempts = 360, retry_at = clock_timestamp() + interval '1 second' "
        "where name = 'node3'"
    )
    away.switch.come_back()
    house.wait_for(lambda: all(applied(house, reply) for reply in replies), 60)


def test_a_change_that_failed_is_shown_and_tried_again_from_the_command_line(house):
    broken = house.nodes[1]
    broken.switch.break_xml("[error near line 108]: unexpected closing tag </section>")
    reply = house.create()
    change_id = reply.headers["X-Change-Id"]
    house.wait_for(
        lambda: house.rows(
            "select 1 from pbxapi.change_node where change_id = %(id)s and attempts > 0", id=change_id
        ),
        60,
    )
    house.run(
        "update pbxapi.change_node set attempts = 7, due_at = clock_timestamp() "
        "where change_id = %(id)s and state = 'pending'",
        id=change_id,
    )
    house.wait_for(lambda: house.request("GET", f"/changes/{change_id}").json()["data"]["state"] == "failed", 60)
    listed = house.request("GET", "/changes?state=failed").json()["data"]
    assert [row["change_id"] for row in listed] == [change_id]
    assert change_id in command(house.environment, "changes", "list", "--state", "failed").stdout
    assert "error near line 108" in command(house.environment, "changes", "show", change_id).stdout
    broken.switch.mend_xml()
    assert command(house.environment, "changes", "retry", change_id).returncode == 0
    house.wait_for(lambda: applied(house, reply), 60)


def test_reconcile_on_one_node_mends_it_and_says_so_by_its_exit_code(house):
    node = house.nodes[0]
    environment = {**house.environment, **node.environment}
    words = ("reconcile", "--domain", "second.example.com")
    (node.folders["extensions"] / "second.example.com" / "v_1001.xml").unlink()
    found = command(environment, *words)
    assert (found.returncode, "found: 1, left: 1" in found.stdout) == (1, True), found.stdout + found.stderr
    mended = command(environment, *words, "--fix")
    assert (mended.returncode, "found: 1, left: 0" in mended.stdout) == (0, True), mended.stdout + mended.stderr
