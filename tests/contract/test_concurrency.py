"""What holds when many write at once: the database has no unique constraints, so the product must see to it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from pbxapi.sandbox.sample import DOMAIN_UUID
from pbxapi.testing import Pbx, Reply, close_pbx, make_pbx

CROWD = 50


@pytest.fixture
def busy(database_url: str, tmp_path: Path) -> Iterator[Pbx]:
    """A telephone system that takes many requests at once."""
    system = make_pbx(database_url, tmp_path / "pbx", threads=16)
    yield system
    close_pbx(system)


def at_once(action: Callable[[int], Reply], crowd: int = CROWD) -> list[Reply]:
    """Do something in many threads that start together."""
    start = Barrier(crowd)

    def one(number: int) -> Reply:
        start.wait(timeout=30)
        return action(number)

    with ThreadPoolExecutor(crowd) as threads:
        return list(threads.map(one, range(crowd)))


@pytest.mark.parametrize(
    ("resource", "body", "field", "table"),
    [
        ("extensions", {"extension": "7001"}, "extension", "v_extensions"),
        ("voicemails", {"voicemail_id": "7001"}, "voicemail_id", "v_voicemails"),
        ("gateways", {"gateway": "one", "proxy": "sip.example.net"}, "gateway", "v_gateways"),
        ("users", {"username": "one", "password": "Passw0rd-of-one"}, "username", "v_users"),
    ],
)
def test_of_many_that_create_the_same_one_does(
    busy: Pbx, resource: str, body: Mapping[str, Any], field: str, table: str
) -> None:
    replies = at_once(lambda _: busy.client.call(resource, "create", json=body))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: CROWD - 1}
    for reply in replies:
        if reply.status == 409:
            assert (reply.error["code"], reply.error["field"]) == ("DUPLICATE_ERROR", field)
    assert len(busy.rows(f"select 1 from {table} where {field} = %(value)s", value=body[field])) == 1
    assert len(busy.rows("select 1 from pbxapi.change")) == 1, "only what was written is a change"


def test_names_that_differ_by_letter_case_are_the_same_name(busy: Pbx) -> None:
    def create(number: int) -> Reply:
        name = "".join(c.upper() if number >> i & 1 else c for i, c in enumerate("trunks"))
        return busy.client.call("gateways", "create", json={"gateway": name, "proxy": "sip.example.net"})

    assert Counter(reply.status for reply in at_once(create)) == {201: 1, 409: CROWD - 1}


def test_a_number_is_given_once_whether_as_number_or_as_alias(busy: Pbx) -> None:
    def create(number: int) -> Reply:
        body = {"extension": "7001"} if number % 2 else {"extension": str(8000 + number), "number_alias": "7001"}
        return busy.client.call("extensions", "create", json=body)

    assert Counter(reply.status for reply in at_once(create)) == {201: 1, 409: CROWD - 1}


def test_two_that_swap_their_numbers_never_share_one(busy: Pbx) -> None:
    client = busy.client
    first, second = (client.create("extensions", extension=number) for number in ("7001", "7002"))

    def swap(number: int) -> Reply:
        uuid, wanted = (first, "7002") if number % 2 else (second, "7001")
        return client.call("extensions", "update", uuid, {"extension": wanted, "number_alias": "7003"})

    replies = at_once(swap, 10)
    assert {reply.status for reply in replies} == {409}
    assert client.get("extensions", first)["extension"] == "7001"
    assert client.get("extensions", second)["extension"] == "7002"


def test_a_crowd_does_not_get_past_the_limit(busy: Pbx) -> None:
    held = len(
        busy.rows(
            "select 1 from v_extensions join v_domains using (domain_uuid) where domain_name = %(it)s",
            it=busy.domain,
        )
    )
    busy.run(
        "update v_default_settings set default_setting_enabled = true, default_setting_value = %(most)s"
        " where default_setting_category = 'limit' and default_setting_subcategory = 'extensions'",
        most=str(held + 3),
    )
    replies = at_once(lambda n: busy.client.call("extensions", "create", json={"extension": str(7000 + n)}), 20)
    assert Counter(reply.status for reply in replies) == {201: 3, 403: 17}


def test_updates_of_different_fields_at_once_are_all_kept(busy: Pbx) -> None:
    client = busy.client
    uuid = client.create("extensions", extension="7001")
    names = [
        "effective_caller_id_name",
        "effective_caller_id_number",
        "outbound_caller_id_name",
        "outbound_caller_id_number",
        "emergency_caller_id_name",
        "directory_first_name",
        "directory_last_name",
        "accountcode",
        "call_group",
        "description",
    ]
    replies = at_once(lambda n: client.call("extensions", "update", uuid, {names[n]: f"5{n}"}), len(names))
    assert {reply.status for reply in replies} == {200}
    record = client.get("extensions", uuid)
    assert {name: record[name] for name in names} == {name: f"5{n}" for n, name in enumerate(names)}


def test_a_record_that_is_deleted_by_many_is_deleted_once(busy: Pbx) -> None:
    uuid = busy.client.create("extensions", extension="7001", voicemail_enabled="true")
    replies = at_once(lambda _: busy.client.call("extensions", "delete", uuid), 20)
    assert Counter(reply.status for reply in replies) == {200: 1, 404: 19}
    assert len(busy.rows("select 1 from pbxapi.change where action = 'delete'")) == 1


def test_a_write_does_not_feel_what_another_tenant_is_doing(busy: Pbx) -> None:
    foreign = busy.client.of(busy.other_domain).create("extensions", extension="7001")
    with busy.database.writing() as holder:
        holder.row("select 1 as held from v_extensions where extension_uuid = %(uuid)s for update", uuid=foreign)
        began = time.monotonic()
        for operation in ("update", "delete"):
            assert busy.client.call("extensions", operation, foreign, {"description": "x"}).status == 404
        assert time.monotonic() - began < 1.5


def test_a_write_waits_a_moment_for_another_of_the_same_record_and_then_says_so(busy: Pbx) -> None:
    uuid = busy.client.create("extensions", extension="7001")
    with busy.database.writing() as holder:
        holder.row("select 1 as held from v_extensions where extension_uuid = %(uuid)s for update", uuid=uuid)
        reply = busy.client.call("extensions", "update", uuid, {"description": "x"})
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
    busy.client.update("extensions", uuid, description="x")


@pytest.mark.parametrize(
    ("resource", "lock", "held", "free"),
    [
        (
            "conferences",
            f"number:{DOMAIN_UUID}:7001",
            {"conference_name": "one", "conference_extension": "7001"},
            {"conference_name": "two", "conference_extension": "7002"},
        ),
        (
            "users",
            f"unique:v_users:{DOMAIN_UUID}:one",
            {"username": "one", "password": "Passw0rd-of-one"},
            {"username": "two", "password": "Passw0rd-of-two"},
        ),
    ],
)
def test_one_that_waits_for_a_name_keeps_nobody_else_of_its_process_waiting(
    busy: Pbx, resource: str, lock: str, held: Mapping[str, Any], free: Mapping[str, Any]
) -> None:
    with ThreadPoolExecutor(1) as thread, busy.database.writing() as other:
        other.lock([lock])
        other.value("select 1")
        waiting = thread.submit(busy.client.call, resource, "create", json=held)
        with busy.database.reading() as session:
            while not session.value("select count(*) from pg_locks where locktype = 'advisory' and not granted"):
                assert not waiting.done()
                time.sleep(0.01)
        busy.client.create(resource, **free)
        assert not waiting.done()
    assert waiting.result().status == 201
