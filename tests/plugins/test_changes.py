"""Changes as an operator sees them over HTTP: those of all domains, and trying one again."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest


@pytest.fixture
def failed(pbx, client):
    """The uuid of a change that was set aside."""
    reply = client.call("extensions", "create", json={"extension": "2201"})
    change = reply.headers["X-Change-Id"]
    pbx.run(
        "update pbxapi.change_node set state = 'failed', attempts = 8, error = 'no disk',"
        " due_at = now() + interval '1 hour' where change_id = %(change)s",
        change=change,
    )
    return change


def retry(client, change):
    if client.family == "php":
        return client.request("POST", "/changes/retry.php", query={"uuid": change})
    return client.request("POST", f"/changes/{change}/retry")


def test_a_failed_change_says_why_and_is_applied_once_it_is_tried_again(pbx, either_client, failed):
    (shown,) = either_client.list("changes", state="failed")
    assert (shown["change_id"], shown["error"]) == (failed, "no disk")
    assert either_client.get("changes", failed)["error"] == "no disk"
    assert pbx.apply() == 0
    reply = retry(either_client, failed)
    assert (reply.status, reply.data) == (200, {"change_id": failed, "nodes": ["node1"]})
    assert pbx.apply() == 1
    shown = either_client.get("changes", failed)
    assert (shown["state"], shown["error"]) == ("applied", "")
    assert retry(either_client, failed).error["code"] == "NOTHING_TO_RETRY"


def test_trying_again_calls_the_relay(pbx, client, failed):
    with pbx.database.dedicated() as connection:
        connection.execute("listen pbxapi_change")
        retry(client, failed)
        assert [n.channel for n in connection.notifies(timeout=5, stop_after=1)] == ["pbxapi_change"]


def test_a_change_of_another_domain_cannot_be_tried_again(pbx, client, failed):
    assert retry(client.of(pbx.other_domain), failed).status == 404
    assert retry(client, uuid4()).status == 404
    assert client.get("changes", failed)["state"] == "failed"


def test_trying_again_needs_the_scope_to_write(client, failed):
    made = client.request("POST", "/api-keys", {"name": "reads", "scopes": ["*:read"]}).data
    reply = retry(replace(client, key=made["key"]), failed)
    assert (reply.status, reply.error["message"]) == (403, "The key lacks the scope changes:write")


def test_changes_of_all_domains_are_those_that_the_key_opens(pbx, client, failed):
    client.of(pbx.other_domain).create("extensions", extension="2202")
    bound = client.request("POST", "/api-keys", {"name": "ours", "scopes": ["*:read"]}).data

    def domains(caller, **query):
        return {row["domain_name"] for row in caller.list("changes", **query)}

    assert domains(client) == {pbx.domain}
    assert domains(client, all_domains="true") == {pbx.domain, pbx.other_domain}
    assert domains(client, all_domains="true", state="failed") == {pbx.domain}
    assert domains(replace(client, key=bound["key"]), all_domains="true") == {pbx.domain}


def test_no_event_tells_that_a_change_was_changed(pbx):
    types = pbx.app.extensions["pbxapi"].registry.events
    assert {name for name in types if name.startswith(("change.", "batch"))} == {"change.applied", "change.failed"}
