"""A POST with an Idempotency-Key does its work once, whatever becomes of the answer on its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pbxapi.data.answers import prune_answers
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN_UUID
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx

KEY = "3c1d5a52-5b0c-4f0e-9d0e-2d0f6a1f7a55"


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("repeats"), service_url=url_of_role(url))
        yield system
        close_pbx(system)


@pytest.fixture(autouse=True)
def forget(pbx: Pbx) -> None:
    """Each test begins without its numbers, and without an answer."""
    pbx.run("delete from v_extensions where extension like '7000_'")
    pbx.run("delete from pbxapi.answer")


def post(client: Client, number: str, key: str = KEY) -> Reply:
    return client.call("extensions", "create", json={"extension": number}, headers={"Idempotency-Key": key})


def numbers(client: Client) -> list[str]:
    return [row["extension"] for row in client.list("extensions", search="7000", per_page=100)]


def changes(pbx: Pbx) -> int:
    return len(pbx.rows("select 1 from pbxapi.change"))


def test_a_repeated_request_gets_the_same_answer_and_does_nothing_again(either_client: Client, pbx: Pbx) -> None:
    before = changes(pbx)
    first = post(either_client, "70001")
    assert (first.status, first.headers.get("Idempotency-Replayed")) == (201, None)
    again = post(either_client, "70001")
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["X-Change-Id"] == first.headers["X-Change-Id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert numbers(either_client) == ["70001"]
    assert changes(pbx) == before + 1


def test_another_request_under_the_same_key_is_refused(client: Client) -> None:
    post(client, "70001")
    for reply in (
        post(client, "70002"),
        post(client.through("php"), "70001"),
        client.request("POST", "/gateways", {"extension": "70001"}, headers={"Idempotency-Key": KEY}),
        client.request(
            "POST", "/extensions", {"extension": "70001"}, headers={"Idempotency-Key": KEY}, query={"a": 1}
        ),
    ):
        assert (reply.status, reply.error["code"]) == (422, "VALIDATION_ERROR")
        assert reply.error["field"] == "Idempotency-Key"
    assert numbers(client) == ["70001"]


def test_a_key_is_the_callers_own_and_of_one_domain(client: Client, pbx: Pbx) -> None:
    made = client.call("api-keys", "create", json={"name": "other", "scopes": ["*"]}).data["key"]
    other = Client(pbx.app, pbx.domain, made)
    assert post(client, "70001").status == 201
    assert post(other, "70002").status == 201
    assert post(client.of(pbx.other_domain), "70003").status == 201


def test_a_refused_write_can_be_mended_and_sent_again_under_its_key(client: Client) -> None:
    assert post(client, "1001").status == 409
    assert post(client, "no number!").status == 400
    assert post(client, "70001").status == 201


def test_while_the_first_is_running_the_second_is_told_to_wait(client: Client, pbx: Pbx) -> None:
    with pbx.database.lend() as connection, connection.transaction():
        # The first request waits for the number, and its transaction stays open.
        lock = "select pg_advisory_xact_lock(hashtextextended(lower(%s), 7062))"
        connection.execute(lock, [f"number:{DOMAIN_UUID}:70001"])
        replies: list[Reply] = []
        first = threading.Thread(target=lambda: replies.append(post(client, "70001")))
        first.start()
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        end = time.monotonic() + 10
        while not connection.execute(waiting).fetchone():
            assert time.monotonic() < end, "the first request does not wait"
        second = post(client, "70001")
        assert (second.status, second.headers["Retry-After"]) == (409, "1")
        assert second.error["code"] == "REQUEST_RUNNING"
    first.join()
    assert replies[0].status == 201
    assert post(client, "70001").body == replies[0].body


def test_of_many_at_once_one_is_done(client: Client) -> None:
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda: replies.append(post(client, "70001"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status for reply in replies} <= {201, 409}
    assert len({str(reply.body) for reply in replies if reply.status == 201}) == 1
    assert numbers(client) == ["70001"]


def test_a_secret_that_is_shown_once_is_repeated_and_kept_unreadable(client: Client, pbx: Pbx) -> None:
    headers = {"Idempotency-Key": KEY}
    body = {"name": "once", "scopes": ["*"]}
    first = client.call("api-keys", "create", json=body, headers=headers)
    again = client.call("api-keys", "create", json=body, headers=headers)
    assert again.data["key"] == first.data["key"]
    (kept,) = pbx.rows("select sealed, name_hash, request_hash from pbxapi.answer")
    whole = b"".join(bytes(value) for value in kept.values())
    assert first.data["key"].encode() not in whole
    assert first.data["api_key_uuid"].encode() not in whole
    assert KEY.encode() not in whole


def test_after_a_rotation_nothing_is_done_twice_though_the_answer_is_sealed(client: Client, pbx: Pbx) -> None:
    made = client.call("api-keys", "create", json={"name": "mine", "scopes": ["*"]}).data
    assert post(Client(pbx.app, pbx.domain, made["key"]), "70001").status == 201
    rotated = client.request("POST", f"/api-keys/{made['api_key_uuid']}/rotate", {}).data["key"]
    reply = post(Client(pbx.app, pbx.domain, rotated), "70001")
    assert (reply.status, reply.error["code"]) == (409, "ANSWER_SEALED")
    assert numbers(client) == ["70001"]


def test_after_a_day_the_key_is_free_again_and_its_answer_gone(client: Client, pbx: Pbx) -> None:
    post(client, "70001")
    pbx.run("update pbxapi.answer set created_at = now() - interval '23 hours 59 minutes'")
    assert post(client, "70001").headers["Idempotency-Replayed"] == "true"
    pbx.run("update pbxapi.answer set created_at = now() - interval '24 hours 1 minute'")
    assert post(client, "70001").status == 409, "the number is taken: it was tried anew"
    with pbx.database.reading() as session:
        assert prune_answers(session) == 1
        assert prune_answers(session) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7fb", "sch\u00f6n"])
def test_a_key_that_is_none_is_refused(client: Client, key: str) -> None:
    reply = post(client, "70001", key)
    assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR")
    assert reply.error["field"] == "Idempotency-Key"


def test_the_state_of_the_change_is_told_again_too(client: Client, pbx: Pbx) -> None:
    post(client, "70001")
    pbx.apply()
    headers = {"Idempotency-Key": KEY, "Prefer": "wait=1"}
    again = client.call("extensions", "create", json={"extension": "70001"}, headers=headers)
    assert (again.headers["Idempotency-Replayed"], again.headers["X-Change-State"]) == ("true", "applied")
