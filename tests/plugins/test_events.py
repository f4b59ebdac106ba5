"""What changes tell: that they were made, and what became of them on the switch."""

from __future__ import annotations

import pytest

from pbxapi.data.events import number_events, read_events


@pytest.fixture
def told(pbx):
    """The events since the last look."""
    seen = 0

    def look(*types):
        nonlocal seen
        with pbx.database.writing() as session:
            number_events(session)
        with pbx.database.reading() as session:
            found = read_events(session, seen, domains=None, types=types or None)
        seen = max([seen, *(event["position"] for event in found)])
        return found

    return look


def test_a_change_is_told_with_what_a_list_shows_of_the_record(pbx, client, told):
    made = client.create("extensions", extension="2101", password="s3cret-Pa55word-x", description="desk")
    client.update("extensions", made, description="door", password="s3cret-An0ther-x")
    client.delete("extensions", made)
    created, updated, deleted = told("extension.*")
    assert [e["type"] for e in (created, updated, deleted)] == [
        "extension.created", "extension.updated", "extension.deleted",
    ]  # fmt: skip
    assert created["data"]["record"]["extension"] == "2101"
    assert created["data"]["changed"] == []
    assert updated["data"]["changed"] == ["description", "password"]
    assert updated["data"]["record"]["description"] == "door"
    assert deleted["data"]["record"]["extension"] == "2101"
    for event in (created, updated, deleted):
        assert (event["resource"], str(event["record_uuid"])) == ("extensions", made)
        assert event["domain_name"] == pbx.domain
        assert "s3cret" not in str(event)


def test_a_write_that_is_refused_tells_nothing(client, told):
    assert client.call("extensions", "create", json={"extension": "1001"}).status == 409
    assert told() == []


def test_an_applied_change_is_told_once_with_its_nodes(pbx, client, told):
    made = client.create("extensions", extension="2102")
    pbx.apply()
    (event,) = told("change.*")
    assert event["type"] == "change.applied"
    assert event["data"]["uuid"] == made
    assert event["data"]["nodes"] == [{"node": "node1", "state": "applied", "error": None}]
    pbx.apply()
    assert told("change.*") == []


def test_a_change_is_told_as_applied_when_the_last_node_has_it(pbx, client, told):
    from pbxapi.data.change import add_node

    with pbx.database.writing() as session:
        add_node(session, "node2")
    client.create("extensions", extension="2103")
    pbx.apply()
    assert told("change.*") == []
    pbx.run("update pbxapi.change_node set state = 'failed', error = 'no disk' where node = 'node2'")
    pbx.run("update pbxapi.change_node set state = 'pending' where node = 'node1'")
    pbx.apply()
    (event,) = told("change.*")
    assert event["type"] == "change.failed"
    assert [node["state"] for node in event["data"]["nodes"]] == ["applied", "failed"]


def test_the_catalogue_holds_what_resources_and_plugins_tell(pbx):
    events = pbx.app.extensions["pbxapi"].registry.events
    assert {"extension.created", "gateway.updated", "device.deleted", "change.applied", "change.failed"} <= set(
        events
    )
    assert "cdr-record.created" not in events
