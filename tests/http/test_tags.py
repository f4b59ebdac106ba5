"""A record that has changed since it was read is not overwritten, whoever changed it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from pbxapi.http.tags import Tags
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx


def tag(client: Client, uuid: str, resource: str = "extensions") -> str:
    reply = client.call(resource, "get", uuid)
    assert reply.status == 200
    return reply.headers["ETag"]


def update(client: Client, uuid: str, match: str, text: str = "mine") -> Reply:
    return client.call("extensions", "update", uuid, {"description": text}, headers={"If-Match": match})


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("tags"), service_url=url_of_role(url))
        yield system
        close_pbx(system)


@pytest.fixture
def uuid(client: Client, pbx: Pbx) -> str:
    pbx.run("delete from v_extensions where extension = '70001'")
    pbx.run("delete from v_voicemails where voicemail_id = '70001'")
    return client.create("extensions", extension="70001", voicemail_enabled="true")


def test_an_update_of_what_was_read_passes_and_a_second_one_is_refused(either_client: Client, uuid: str) -> None:
    read = tag(either_client, uuid)
    assert update(either_client, uuid, read).status == 200
    lost = update(either_client, uuid, read, "overwritten")
    assert (lost.status, lost.error["code"]) == (412, "PRECONDITION_FAILED")
    assert either_client.get("extensions", uuid)["description"] == "mine"
    assert update(either_client, uuid, tag(either_client, uuid), "again").status == 200


@pytest.mark.parametrize(
    "sql",
    [
        "update v_extensions set effective_caller_id_name = 'GUI' where extension_uuid = %(uuid)s",
        "update v_extensions set password = 'GUI' where extension_uuid = %(uuid)s",
        "update v_voicemails set voicemail_password = '1' where voicemail_id = '70001'",
    ],
)
def test_what_fusionpbxs_pages_changed_counts_secrets_too(client: Client, pbx: Pbx, uuid: str, sql: str) -> None:
    read = tag(client, uuid)
    assert pbx.run(sql, uuid=UUID(uuid)) == 1
    assert update(client, uuid, read).status == 412


def test_a_delete_of_what_has_changed_is_refused(either_client: Client, uuid: str) -> None:
    read = tag(either_client, uuid)
    either_client.update("extensions", uuid, description="other")
    gone = either_client.call("extensions", "delete", uuid, headers={"If-Match": read})
    assert gone.status == 412
    gone = either_client.call("extensions", "delete", uuid, headers={"If-Match": tag(either_client, uuid)})
    assert gone.status == 200


def test_an_answer_that_is_known_is_not_sent_again(either_client: Client, uuid: str) -> None:
    read = tag(either_client, uuid)
    known = {"If-None-Match": f'"other", {read}'}
    same = either_client.call("extensions", "get", uuid, headers=known)
    assert (same.status, same.body, same.headers["ETag"]) == (304, None, read)
    either_client.update("extensions", uuid, description="other")
    fresh = either_client.call("extensions", "get", uuid, headers=known)
    assert fresh.status == 200
    assert fresh.headers["ETag"] != read


def test_a_key_that_sees_no_secrets_may_update_with_its_own_tag(client: Client, pbx: Pbx, uuid: str) -> None:
    scopes = ["extensions:read", "extensions:write"]
    key = client.call("api-keys", "create", json={"name": "few", "scopes": scopes}).data["key"]
    few = Client(pbx.app, pbx.domain, key)
    assert tag(few, uuid).partition("-")[0] == tag(client, uuid).partition("-")[0]
    assert tag(few, uuid) != tag(client, uuid), "the answers differ"
    assert update(client, uuid, tag(few, uuid)).status == 200


@pytest.mark.parametrize(
    ("match", "status"),
    [("*", 200), ("W/{}", 412), ('"other", {}', 200), ('"other"', 412), ("", 412), ("nonsense", 412), ('""', 412)],
)
def test_a_match_is_strong(client: Client, uuid: str, match: str, status: int) -> None:
    assert update(client, uuid, match.format(tag(client, uuid))).status == status


def test_a_record_that_is_gone_is_not_found_rather_than_changed(client: Client, uuid: str) -> None:
    read = tag(client, uuid)
    client.delete("extensions", uuid)
    assert update(client, uuid, read).status == 404


def test_what_the_switch_says_of_a_gateway_counts_for_the_answer_alone(client: Client, pbx: Pbx) -> None:
    uuid = client.create("gateways", gateway="trunk", proxy="sip.example.net", register="false")
    before = tag(client, uuid, "gateways")
    pbx.apply()
    assert "registration_status" in client.get("gateways", uuid)
    after = tag(client, uuid, "gateways")
    assert before.partition("-")[0] == after.partition("-")[0]
    reply = client.call("gateways", "update", uuid, {"description": "x"}, headers={"If-Match": before})
    assert reply.status == 200


def test_tags_are_the_same_in_every_process_and_tell_nothing_of_a_pin(client: Client, pbx: Pbx, uuid: str) -> None:
    record = {"voicemail_password": "4711"}
    one, other = Tags(), Tags()
    with pbx.database.reading() as session:
        assert one.of_record(session, record) == other.of_record(session, record)
    pbx.run("update pbxapi.secret set value = '\\x00' where name = 'etag'")
    with pbx.database.reading() as session:
        assert Tags().of_record(session, record) != one.of_record(session, record)
