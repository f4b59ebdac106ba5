"""What changes tell: that they were made, and what became of them on the switch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jsonschema_rs import ValidationError, validate

from pbxapi.data.events import number_events, payload, read_events


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


def numbered(pbx):
    with pbx.database.writing() as session:
        number_events(session)


def test_past_events_are_listed_in_their_order_as_a_stream_tells_them(pbx, either_client):
    made = either_client.create("extensions", extension="2104")
    either_client.delete("extensions", made)
    numbered(pbx)
    created, deleted = either_client.list("events", types="extension.*")
    with pbx.database.reading() as session:
        assert [created, deleted] == [payload(row) for row in read_events(session, 0, domains=None)]
    assert either_client.list("events", types="extension.*", after=created["sequence"]) == [deleted]
    assert either_client.list("events", types="extension.*", sort="-sequence") == [deleted, created]
    reply = either_client.call("events", "list", per_page=1, cursor="")
    assert reply.data == [created]
    reply = either_client.call("events", "list", per_page=1, cursor=reply.body["pagination"]["next_cursor"])
    assert reply.data == [deleted]


def test_a_list_holds_the_domains_events_and_those_of_all_domains_where_asked(pbx, client):
    client.create("extensions", extension="2105")
    client.of(pbx.other_domain).create("extensions", extension="2106")
    made = client.request("POST", "/api-keys", {"name": "ours", "scopes": ["*:read"]}).data
    numbered(pbx)
    bound = replace(client, key=made["key"])

    def told(caller, **query):
        return [e["data"]["record"]["extension"] for e in caller.list("events", types="extension.*", **query)]

    assert told(client) == ["2105"]
    assert told(client.of(pbx.other_domain)) == ["2106"]
    assert told(client, all_domains="true") == ["2105", "2106"]
    assert told(bound, all_domains="true") == ["2105"]


def test_a_list_holds_what_the_key_may_read(pbx, client):
    client.create("extensions", extension="2107")
    client.create("pin-numbers", pin_number="7788")
    made = client.request("POST", "/api-keys", {"name": "x", "scopes": ["events:read", "pin-numbers:read"]}).data
    numbered(pbx)
    assert {e["type"] for e in replace(client, key=made["key"]).list("events")} == {"pin-number.created"}


@pytest.mark.parametrize("types", ["no.such", "a*b*c*d", "EXTENSION.*", "extension.created' or 1=1"])
def test_types_that_mean_nothing_are_refused(client, types):
    reply = client.call("events", "list", types=types)
    assert (reply.status, reply.error["field"]) == (400, "types")


def test_the_catalogue_says_what_each_type_holds_and_what_a_key_needs(pbx, either_client):
    path = "/events/types" + (".php" if either_client.family == "php" else "")
    types = {row["type"]: row for row in either_client.request("GET", path).data}
    assert types.keys() == pbx.app.extensions["pbxapi"].registry.events.keys()
    assert types["extension.created"]["scope"] == "extensions:read"
    assert types["change.failed"]["scope"] == "changes:read"
    made = either_client.create("extensions", extension="2108")
    pbx.apply()
    numbered(pbx)
    events = either_client.list("events")
    assert [event["data"]["uuid"] for event in events] == [made, made]
    for event in events:
        validate(types[event["type"]]["schema"], event["data"])


def test_the_openapi_document_describes_every_type_as_a_webhook(pbx, client):
    document = client.request("GET", "/openapi.json").body
    assert document["webhooks"].keys() == pbx.app.extensions["pbxapi"].registry.events.keys()
    body = document["webhooks"]["extension.created"]["post"]["requestBody"]["content"]["application/json"]
    client.create("extensions", extension="2109")
    numbered(pbx)
    (event,) = client.list("events")
    schema = {**body["schema"], "components": document["components"]}
    validate(schema, event)
    with pytest.raises(ValidationError):
        validate(schema, {**event, "data": {**event["data"], "action": "delete"}})
