"""FusionPBX is upgraded while the API runs: columns come, go and change their type between two requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pbxapi.sandbox.database import url_of_role
from pbxapi.testing import Client, Pbx, close_pbx, make_pbx


def alter(pbx: Pbx, *statements: str) -> None:
    """What FusionPBX's upgrade runs, as the owner of its tables."""
    with psycopg.connect(pbx.superuser_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def to_text(table: str, column: str) -> str:
    return f"alter table {table} alter column {column} type text using {column}::text"


def to_boolean(table: str, column: str) -> str:
    return f"alter table {table} alter column {column} type boolean using {column}::boolean"


@pytest.fixture
def warm(pbx: Pbx) -> Callable[[], str]:
    """Runs everything often enough that psycopg has prepared it on its connections; an extension's uuid."""

    def run() -> str:
        uuid = pbx.client.create("extensions", extension="75001")
        for number in range(8):
            pbx.client.list("extensions")
            pbx.client.get("extensions", uuid)
            pbx.client.update("extensions", uuid, description=str(number))
        assert pbx.apply()
        return uuid

    return run


def test_a_flag_that_becomes_a_boolean_costs_no_request(pbx: Pbx, warm: Callable[[], str]) -> None:
    alter(pbx, to_text("v_extensions", "enabled"))
    uuid = warm()
    assert pbx.client.get("extensions", uuid)["enabled"] == "true"
    for change in (to_boolean, to_text, to_boolean):
        alter(pbx, change("v_extensions", "enabled"))
        assert pbx.client.get("extensions", uuid)["enabled"] == "true"
        assert pbx.client.update("extensions", uuid, enabled="false").status == 200
        assert pbx.client.list("extensions", search="75001")[0]["enabled"] == "false"
        assert pbx.client.update("extensions", uuid, enabled="true").status == 200


def test_a_column_that_goes_and_comes_back_is_left_out_and_answered_again(
    pbx: Pbx, warm: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = warm()
    pbx.client.update("extensions", uuid, extension_language="de")
    alter(pbx, "alter table v_extensions drop column extension_language")
    assert "extension_language" not in pbx.client.get("extensions", uuid)
    assert pbx.client.update("extensions", uuid, description="kept").status == 200
    assert pbx.client.create("extensions", extension="75002")
    assert pbx.apply() >= 2
    assert pbx.rows("select error from pbxapi.change_node where error is not null") == []
    alter(pbx, "alter table v_extensions add column extension_language text")
    monkeypatch.setattr(pbx.app.extensions["pbxapi"].registry, "looked_at", float("-inf"))
    assert pbx.client.get("extensions", uuid)["extension_language"] == ""
    pbx.client.update("extensions", uuid, extension_language="fr")
    assert pbx.client.get("extensions", uuid)["extension_language"] == "fr"


def test_a_column_that_is_needed_takes_its_resource_out_while_the_rest_serve(
    pbx: Pbx, warm: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = warm()
    registry = pbx.app.extensions["pbxapi"].registry
    alter(pbx, "alter table v_call_block rename column call_block_number to number")
    for operation, body in (("list", None), ("create", {"call_block_number": "5551234"})):
        reply = pbx.client.call("call-block", operation, json=body)
        assert (reply.status, reply.error["code"]) == (503, "RESOURCE_UNAVAILABLE")
        assert "call_block_number does not exist" in reply.error["message"]
    (shown,) = [row for row in pbx.client.list("plugins") if row["name"] == "call-block"]
    assert shown["error"].startswith("call-block: ")
    health = pbx.app.test_client().get("/readyz").get_json()
    assert health["plugins"]["left_out"]["call-block"].startswith("call-block: ")
    assert pbx.client.get("extensions", uuid)["extension"] == "75001"
    assert pbx.client.update("extensions", uuid, description="goes on").status == 200
    alter(pbx, "alter table v_call_block rename column number to call_block_number")
    monkeypatch.setattr(registry, "looked_at", float("-inf"))
    assert pbx.client.list("call-block") is not None
    (shown,) = [row for row in pbx.client.list("plugins") if row["name"] == "call-block"]
    assert shown["error"] == ""


def test_a_key_of_one_domain_is_not_told_of_columns(pbx: Pbx) -> None:
    domain = pbx.rows(
        "select domain_uuid::text as uuid from v_domains where domain_name = %(name)s", name=pbx.domain
    )
    uuid = pbx.client.create("api-keys", name="one", domains=[domain[0]["uuid"]], scopes=["*"])
    key = pbx.client.call(
        "api-keys", "create", json={"name": "two", "domains": [domain[0]["uuid"]], "scopes": ["*"]}
    )
    assert uuid
    alter(pbx, "alter table v_call_block rename column call_block_number to number")
    bound = Client(pbx.app, pbx.domain, key.data["key"])
    reply = bound.call("call-block", "list")
    assert reply.error == {
        "code": "RESOURCE_UNAVAILABLE",
        "message": "This version of FusionPBX does not have what call-block needs",
    }


def test_a_resource_that_cannot_be_served_from_the_start_is_told(pbx: Pbx, tmp_path: Path) -> None:
    alter(pbx, "alter table v_call_block drop column call_block_number")
    other = make_pbx(pbx.superuser_url, tmp_path / "other", service_url=url_of_role(pbx.superuser_url))
    assert other.client.call("call-block", "list").error["code"] == "RESOURCE_UNAVAILABLE"
    assert other.client.list("extensions")
    close_pbx(other)


@pytest.fixture
def busy(pbx: Pbx) -> Iterator[list[Any]]:
    """Requests without a pause, reads and writes, from four threads; what was answered."""
    stop, replies = threading.Event(), []
    uuids = [pbx.client.create("extensions", extension=str(75_100 + n)) for n in range(4)]

    def work(uuid: str) -> None:
        while not stop.is_set():
            replies.extend(
                (
                    pbx.client.call("extensions", "list"),
                    pbx.client.call("extensions", "get", uuid),
                    pbx.client.call("extensions", "update", uuid, {"enabled": "true", "description": "busy"}),
                    pbx.client.call("voicemails", "list"),
                )
            )

    threads = [threading.Thread(target=work, args=[uuid]) for uuid in uuids]
    for thread in threads:
        thread.start()
    yield replies
    stop.set()
    for thread in threads:
        thread.join()


def test_no_request_fails_while_an_upgrade_runs(pbx: Pbx, busy: list[Any]) -> None:
    flags = ("enabled", "do_not_disturb", "force_ping", "directory_visible")

    def pause() -> None:
        """Until each of the threads has come round, whatever it was at."""
        before = len(busy)
        while len(busy) < before + 32:
            time.sleep(0.01)

    with psycopg.connect(pbx.superuser_url, autocommit=True) as connection:
        pause()
        for change in (to_text, to_boolean):
            for flag in flags:
                connection.execute(change("v_extensions", flag).encode())
        pause()
        connection.execute("alter table v_extensions drop column extension_voice")
        connection.execute("alter table v_extensions add column extension_voice text")
        connection.execute("alter table v_extensions add column something_new text")
        connection.execute("alter table v_voicemails drop column voicemail_local_after_forward")
        pause()
    assert {reply.status for reply in busy} == {200}
