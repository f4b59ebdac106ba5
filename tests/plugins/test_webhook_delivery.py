"""Deliveries: each event of the domain, signed, at least once, whatever the receiver does; none of another's."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook

from pbxapi.data.events import note_event, prune_events
from pbxapi.plugin import CheckRun
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import Client, Pbx, close_pbx, make_pbx, run_jobs, run_services
from tests.conftest import Received, Receiver

ENVIRONMENT = {"PBXAPI_WEBHOOK_ALLOW": "127.0.0.0/8", "PBXAPI_WEBHOOKS_RETRIES": ",".join(["0.05"] * 20)}
NUMBERS = iter(range(30_000, 69_999))


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """One telephone system for all tests of the module, with the service that delivers."""
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("delivery"), environment=ENVIRONMENT)
        with run_services(system, "webhooks"):
            yield system
        close_pbx(system)


@pytest.fixture
def options(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Changes a setting of the service for one test."""
    loaded = pbx.app.extensions["pbxapi"].registry.plugin("webhooks").options
    return lambda name, value: monkeypatch.setitem(loaded, f"PBXAPI_WEBHOOKS_{name}", value)


@pytest.fixture
def hook(pbx: Pbx) -> Iterator[Callable[..., dict[str, Any]]]:
    """Makes webhooks, which go with the test."""
    made: list[tuple[Client, str]] = []

    def make(receiver: Receiver, *types: str, client: Client = pbx.client, **fields: Any) -> dict[str, Any]:
        body = {"url": receiver.url, "event_types": types or ["extension.*"], **fields}
        reply = client.call("webhooks", "create", json=body)
        assert reply.status == 201, reply.body
        made.append((client, reply.data["webhook_uuid"]))
        return dict(reply.data)

    yield make
    for client, uuid in made:
        client.call("webhooks", "delete", uuid)


def extension(client: Client, **fields: Any) -> str:
    return client.create("extensions", extension=str(next(NUMBERS)), **fields)


def numbered(pbx: Pbx) -> None:
    """Wait until all events have their positions."""
    while pbx.rows("select 1 from pbxapi.event where position is null"):
        time.sleep(0.01)


def told(receiver: Receiver) -> list[str]:
    """The records that came, each once, in the order of the first time."""
    return list(dict.fromkeys(event["data"]["uuid"] for event in receiver.events()))


def deliveries(pbx: Pbx, webhook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    reply = pbx.client.request("GET", f"/webhooks/{webhook['webhook_uuid']}/deliveries", query=query)
    assert reply.status == 200, reply.body
    return list(reply.data)


def state(pbx: Pbx, webhook: dict[str, Any]) -> str:
    return str(pbx.client.get("webhooks", webhook["webhook_uuid"])["state"])


def test_what_happens_after_it_is_made_comes_signed_and_of_each_record_in_order(
    pbx, client, hook, receiver
) -> None:
    extension(client)
    numbered(pbx)
    webhook = hook(receiver)
    other = extension(client.of(pbx.other_domain))
    made = [extension(client) for _ in range(5)]
    client.update("extensions", made[0], description="door")
    client.delete("extensions", made[0])
    receiver.wait_for(lambda: len(receiver.requests) >= 7)
    verify = Webhook(webhook["secret"])
    events = [verify.verify(request.body, request.headers) for request in receiver.requests]
    kinds = [event["type"] for event in events if event["data"]["uuid"] == made[0]]
    assert kinds == ["extension.created", "extension.updated", "extension.deleted"]
    assert {event["data"]["uuid"] for event in events} >= set(made)
    assert other not in told(receiver)
    assert [request.headers["webhook-id"] for request in receiver.requests] == [event["id"] for event in events]
    assert all(event["domain"]["name"] == pbx.domain for event in events)
    receiver.wait_for(lambda: len(deliveries(pbx, webhook, state="delivered")) == len(receiver.requests))
    shown = deliveries(pbx, webhook, state="delivered")
    assert shown[0].items() >= {"attempts": 1, "status": 204, "error": "", "next_attempt_at": ""}.items()
    assert {row["event_id"] for row in shown} == {event["id"] for event in events}


def test_only_the_types_that_were_asked_for_come(pbx, client, hook, receivers) -> None:
    created, deleted = receivers(), receivers()
    numbered(pbx)
    hook(created, "extension.created")
    hook(deleted, "*.deleted", "gateway.*")
    made = extension(client)
    client.delete("extensions", made)
    deleted.wait_for(lambda: deleted.events() and created.events())
    assert [event["type"] for event in created.events()] == ["extension.created"]
    assert [event["type"] for event in deleted.events()] == ["extension.deleted"]


def test_one_for_all_domains_hears_of_each_and_of_the_system(pbx, client, hook, receiver) -> None:
    hook(receiver, "*", all_domains="true")
    uuids = {extension(client), extension(client.of(pbx.other_domain))}
    with pbx.database.writing() as session:
        note_event(session, "test.system", {"a": 1}, domain_uuid=None)
    receiver.wait_for(lambda: {"test.system"} <= {event["type"] for event in receiver.events()})
    receiver.wait_for(lambda: uuids <= {event["data"].get("uuid") for event in receiver.events()})
    (system,) = receiver.events("test.system")
    assert system["domain"] is None


class Failing:
    """Fails some times for each event, in one way or another."""

    def __init__(self, times: int, *ways: Any) -> None:
        self.left: dict[str, int] = {}
        self.times = times
        self.ways = ways or (500,)

    def __call__(self, request: Received) -> Any:
        left = self.left.setdefault(request.headers["webhook-id"], self.times)
        if left == 0:
            return 200, b"", {}
        self.left[request.headers["webhook-id"]] -= 1
        way = self.ways[left % len(self.ways)]
        if way == "cut":
            raise ConnectionAbortedError
        return way, b"no", {}


def test_what_fails_is_sent_again_under_the_same_id(pbx, client, hook, receiver) -> None:
    receiver.behave = Failing(3, 500, "cut", 404)
    webhook = hook(receiver)
    made = [extension(client) for _ in range(4)]
    receiver.wait_for(lambda: len(receiver.requests) == 16)
    assert set(told(receiver)) == set(made)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 4
    assert len({request.body for request in receiver.requests}) == 4
    receiver.wait_for(lambda: [row["attempts"] for row in deliveries(pbx, webhook)] == [4] * 4)
    assert {row["state"] for row in deliveries(pbx, webhook)} == {"delivered"}


def test_what_fails_too_often_is_set_aside_and_can_be_replayed(pbx, client, hook, receiver, options) -> None:
    options("RETRIES", (0.01, 0.01))
    receiver.behave = lambda _: (503, b"closed", {})
    webhook = hook(receiver)
    extension(client)
    receiver.wait_for(lambda: [row["state"] for row in deliveries(pbx, webhook)] == ["failed"])
    (row,) = deliveries(pbx, webhook)
    assert (row["attempts"], row["status"], row["error"], row["response"]) == (3, 503, "answered 503", "closed")
    assert pbx.client.get("webhooks", webhook["webhook_uuid"])["last_error"] == "answered 503"
    receiver.behave = lambda _: (200, b"", {})
    reply = client.request(
        "POST", f"/webhooks/{webhook['webhook_uuid']}/replay", {"delivery_uuid": row["delivery_uuid"]}
    )
    assert (reply.status, reply.data) == (202, {"deliveries": 1})
    receiver.wait_for(lambda: [row["state"] for row in deliveries(pbx, webhook)] == ["delivered"])
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


def test_a_time_is_replayed_with_what_was_before_the_webhook(pbx, client, hook, receiver) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    other = extension(client.of(pbx.other_domain))
    before = extension(client)
    numbered(pbx)
    webhook = hook(receiver)
    after = extension(client)
    receiver.wait_for(lambda: after in told(receiver))
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    path = f"/webhooks/{webhook['webhook_uuid']}/replay"
    reply = client.request("POST", path, {"from": since, "to": until})
    assert reply.data["deliveries"] >= 2
    receiver.wait_for(lambda: before in told(receiver))
    receiver.wait_for(lambda: [event["data"]["uuid"] for event in receiver.events()].count(after) == 2)
    assert len({r.headers["webhook-id"] for r in receiver.requests if r.event["data"]["uuid"] == after}) == 1
    assert other not in told(receiver)


def test_events_of_one_record_come_in_order_though_several_are_on_their_way(client, hook, receiver) -> None:
    running = most = 0
    lock = threading.Lock()

    def behave(_: Received) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return 200, b"", {}

    receiver.behave = behave
    hook(receiver)
    made = [extension(client) for _ in range(6)]
    for turn in range(8):
        for uuid in made:
            client.update("extensions", uuid, description=str(turn))
    receiver.wait_for(lambda: len(receiver.requests) >= 54)
    for uuid in made:
        mine = [event["sequence"] for event in receiver.events() if event["data"]["uuid"] == uuid]
        assert mine == sorted(mine)
    assert 1 < most <= 4


def test_receivers_that_stall_delay_no_other(pbx, client, hook, receivers, options) -> None:
    options("TIMEOUT", 60.0)
    stalled, well = receivers(), receivers()
    release = threading.Event()
    stalled.behave = lambda _: (release.wait(30) and 200, b"", {})
    try:
        hook(well)
        first = extension(client)
        well.wait_for(lambda: first in told(well))
        for _ in range(40):  # more than there are threads
            hook(stalled)
        made = [extension(client) for _ in range(20)]
        well.wait_for(lambda: set(made) <= set(told(well)))
        stalled.wait_for(lambda: len(stalled.requests) >= 24)
        assert len(stalled.requests) == 24, "three quarters of the threads, one each"
        last = extension(client)
        well.wait_for(lambda: last in told(well))
        assert not release.is_set()
    finally:
        release.set()


def test_a_receiver_that_is_gone_is_paused_and_says_so(pbx, client, hook, receivers) -> None:
    gone, witness = receivers(), receivers()
    gone.behave = lambda _: (410, b"", {})
    hook(witness, "webhook.paused")
    webhook = hook(gone)
    made = [extension(client) for _ in range(3)]
    witness.wait_for(lambda: witness.events())
    (event,) = witness.events()
    assert event["data"].items() >= {"webhook_uuid": webhook["webhook_uuid"], "reason": "gone"}.items()
    assert state(pbx, webhook) == "paused"
    assert len(gone.requests) == 1
    gone.behave = lambda _: (200, b"", {})
    made.append(extension(client))
    time.sleep(0.6)
    assert len(gone.requests) == 1
    client.update("webhooks", webhook["webhook_uuid"], enabled="true")
    gone.wait_for(lambda: set(told(gone)) == set(made))
    assert state(pbx, webhook) == "active"


def test_failing_for_too_long_pauses_and_a_good_test_ends_it(pbx, client, hook, receivers, options) -> None:
    options("PAUSE_AFTER", 0.3)
    dead, witness = receivers(), receivers()
    dead.behave = lambda _: (500, b"", {})
    hook(witness, "webhook.paused")
    webhook = hook(dead)
    made = extension(client)
    witness.wait_for(lambda: witness.events())
    assert witness.events()[0]["data"]["reason"] == "failing"
    got = client.get("webhooks", webhook["webhook_uuid"])
    assert (got["state"], got["enabled"], got["last_error"]) == ("paused", "true", "answered 500")
    assert got["failing_since"]
    assert got["paused_at"]
    assert client.request("POST", f"/webhooks/{webhook['webhook_uuid']}/test").data["delivered"] == "false"
    assert state(pbx, webhook) == "paused"
    dead.behave = lambda _: (200, b"", {})
    before = len(dead.requests)
    assert client.request("POST", f"/webhooks/{webhook['webhook_uuid']}/test").data["delivered"] == "true"
    dead.wait_for(lambda: made in [r.event["data"].get("uuid") for r in dead.requests[before:]])
    dead.wait_for(lambda: client.get("webhooks", webhook["webhook_uuid"])["last_success_at"])
    assert state(pbx, webhook) == "active"


def test_another_url_takes_what_the_old_one_did_not(client, hook, receivers) -> None:
    old, new = receivers(), receivers()
    old.behave = lambda _: (410, b"", {})
    webhook = hook(old)
    made = extension(client)
    old.wait_for(lambda: client.get("webhooks", webhook["webhook_uuid"])["state"] == "paused")
    client.update("webhooks", webhook["webhook_uuid"], url=new.url)
    new.wait_for(lambda: made in told(new))
    assert client.get("webhooks", webhook["webhook_uuid"])["state"] == "active"


def test_a_dead_receiver_is_left_in_peace_longer_each_time(pbx, client, hook, receiver, options) -> None:
    options("RETRIES", (0.05,) * 4)
    receiver.behave = lambda _: (500, b"", {})
    webhook = hook(receiver)
    for _ in range(5):
        extension(client)
    receiver.wait_for(lambda: len(receiver.requests) >= 9)
    (row,) = pbx.rows(
        "select w.failures, extract(epoch from w.retry_at - max(d.last_attempt_at))::float as rest"
        "  from pbxapi.webhook as w join pbxapi.webhook_delivery as d using (webhook_uuid)"
        " where webhook_uuid = %(uuid)s group by w.failures, w.retry_at",
        uuid=webhook["webhook_uuid"],
    )
    assert row["failures"] >= 8
    assert row["rest"] > 0.7
    assert state(pbx, webhook) == "failing"


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_says_when_to_come_again(pbx, client, hook, receiver, status: int) -> None:
    receiver.behave = lambda _: (status, b"", {"Retry-After": "300"})
    webhook = hook(receiver)
    extension(client)
    extension(client)
    receiver.wait_for(lambda: state(pbx, webhook) == "failing")
    time.sleep(0.6)
    assert len(receiver.requests) == 1
    (row,) = pbx.rows(
        "select extract(epoch from w.retry_at - clock_timestamp())::float as rest,"
        " extract(epoch from max(d.due_at) - clock_timestamp())::float as due"
        " from pbxapi.webhook as w join pbxapi.webhook_delivery as d using (webhook_uuid)"
        " where webhook_uuid = %(uuid)s group by w.retry_at",
        uuid=webhook["webhook_uuid"],
    )
    assert 290 < row["rest"] <= 300
    assert 290 < row["due"] <= 300


def test_both_secrets_sign_while_they_overlap(client, hook, receiver) -> None:
    old = hook(receiver)
    path = f"/webhooks/{old['webhook_uuid']}/rotate"
    new = client.request("POST", path, {"overlap": 600}).data
    extension(client)
    receiver.wait_for(lambda: receiver.requests)
    for made in (old, new):
        Webhook(made["secret"]).verify(receiver.requests[0].body, receiver.requests[0].headers)
    assert receiver.requests[0].headers["webhook-signature"].count("v1,") == 2
    newest = client.request("POST", path, {}).data
    extension(client)
    receiver.wait_for(lambda: len(receiver.requests) == 2)
    Webhook(newest["secret"]).verify(receiver.requests[1].body, receiver.requests[1].headers)
    for made in (old, new):
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(made["secret"]).verify(receiver.requests[1].body, receiver.requests[1].headers)


def test_the_public_key_verifies_ed25519(client, hook, receiver) -> None:
    webhook = hook(receiver, signature="ed25519")
    extension(client)
    receiver.wait_for(lambda: receiver.requests)
    (request,) = receiver.requests
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(webhook["public_key"].removeprefix("whpk_")))
    version, signature = request.headers["webhook-signature"].split(",")
    assert version == "v1a"
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    key.verify(base64.b64decode(signature), signed)
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60


def test_one_that_is_disabled_misses_what_happens(client, hook, receiver) -> None:
    webhook = hook(receiver)
    client.update("webhooks", webhook["webhook_uuid"], enabled="false")
    missed = extension(client)
    time.sleep(0.3)
    client.update("webhooks", webhook["webhook_uuid"], enabled="true")
    made = extension(client)
    receiver.wait_for(lambda: made in told(receiver))
    assert missed not in told(receiver)


def test_a_long_backlog_waits_as_events_and_all_of_it_comes(pbx, client, hook, receiver, monkeypatch) -> None:
    from pbxapi_plugins.webhooks import delivering

    monkeypatch.setattr(delivering, "WINDOW", 5)
    monkeypatch.setattr(delivering, "_REACH", 7)
    receiver.behave = lambda _: (500, b"", {})
    webhook = hook(receiver)
    made = [extension(client) for _ in range(30)]
    receiver.wait_for(lambda: len(receiver.requests) >= 3)
    time.sleep(0.3)
    assert len(deliveries(pbx, webhook)) <= 9
    receiver.behave = lambda _: (200, b"", {})
    client.update("webhooks", webhook["webhook_uuid"], enabled="true")
    receiver.wait_for(lambda: set(told(receiver)) == set(made))


def test_an_event_that_is_no_longer_kept_fails_with_that_reason(pbx, client, hook, receiver) -> None:
    release = threading.Event()
    receiver.behave = lambda _: (release.wait(30) and 200, b"", {})
    webhook = hook(receiver)
    extension(client)
    second = extension(client)
    receiver.wait_for(lambda: len(deliveries(pbx, webhook)) == 2 and receiver.requests)
    first = receiver.events()[0]["data"]["uuid"]
    assert first != second
    pbx.run("delete from pbxapi.event where record_uuid = %(uuid)s", uuid=second)
    path = f"/webhooks/{webhook['webhook_uuid']}/replay"
    release.set()
    receiver.wait_for(lambda: all(row["state"] != "waiting" for row in deliveries(pbx, webhook)))
    client.request("POST", path, {"delivery_uuid": deliveries(pbx, webhook)[0]["delivery_uuid"]})
    receiver.wait_for(lambda: deliveries(pbx, webhook)[0]["error"] == "the event is no longer kept")
    assert state(pbx, webhook) == "active"


def gone_for_long(pbx: Pbx, webhook: dict[str, Any]) -> None:
    """What happened so far, 20 days older; and what the relay does with it."""
    pbx.run(
        "update pbxapi.webhook set failing_since = failing_since - interval '20 days',"
        " paused_at = paused_at - interval '20 days', retry_at = null where webhook_uuid = %(uuid)s",
        uuid=webhook["webhook_uuid"],
    )
    pbx.run("update pbxapi.event set created_at = created_at - interval '20 days'")
    with pbx.database.writing() as session:
        assert prune_events(session, 14)


@pytest.mark.parametrize("end", ["enabled", "url", "test"])
def test_a_receiver_that_was_away_for_longer_than_events_are_kept_is_told_of_the_gap(
    pbx, client, hook, receivers, end: str
) -> None:
    gone, other = receivers(), receivers()
    gone.behave = lambda _: (410, b"", {})
    webhook = hook(gone)
    lost = extension(client)
    gone.wait_for(lambda: state(pbx, webhook) == "paused")
    hook(other)
    since = client.get("webhooks", webhook["webhook_uuid"])["failing_since"]
    gone_for_long(pbx, webhook)
    kept = extension(client)
    gone.behave = lambda _: (200, b"", {})
    if end == "test":
        client.request("POST", f"/webhooks/{webhook['webhook_uuid']}/test")
    else:
        same = gone.url if end == "enabled" else f"{gone.url}?again"
        client.update(
            "webhooks", webhook["webhook_uuid"], **({"enabled": "true"} if end == "enabled" else {"url": same})
        )
    gone.wait_for(lambda: gone.events("webhook.gap"))
    (event,) = gone.events("webhook.gap")
    assert event["data"].pop("from")[:10] < since[:10]
    assert event["data"] == {"webhook_uuid": webhook["webhook_uuid"], "host": gone.url.split("/")[2]}
    gone.wait_for(lambda: kept in [told["data"].get("uuid") for told in gone.events()])
    assert lost not in [told["data"].get("uuid") for told in gone.events()[1:]]
    assert other.events("webhook.gap") == []
    assert state(pbx, webhook) == "active"


def test_one_that_fails_for_as_long_and_is_never_paused_is_told_too(pbx, client, hook, receiver, options) -> None:
    options("PAUSE_AFTER", 90 * 86400.0)
    receiver.behave = lambda _: (500, b"", {})
    webhook = hook(receiver)
    extension(client)
    receiver.wait_for(lambda: state(pbx, webhook) == "failing")
    gone_for_long(pbx, webhook)
    receiver.behave = lambda _: (200, b"", {})
    extension(client)
    receiver.wait_for(lambda: receiver.events("webhook.gap"))


def test_one_that_was_away_for_less_hears_of_no_gap(pbx, client, hook, receiver) -> None:
    receiver.behave = lambda _: (410, b"", {})
    webhook = hook(receiver)
    made = [extension(client)]
    receiver.wait_for(lambda: state(pbx, webhook) == "paused")
    with pbx.database.writing() as session:
        prune_events(session, 14)
    receiver.behave = lambda _: (200, b"", {})
    client.update("webhooks", webhook["webhook_uuid"], enabled="true")
    made.append(extension(client))
    receiver.wait_for(lambda: set(told(receiver)) == set(made))
    assert not pbx.rows(
        "select 1 from pbxapi.event where type = 'webhook.gap' and record_uuid = %(uuid)s",
        uuid=webhook["webhook_uuid"],
    )


def test_figures_count_attempts_and_webhooks(pbx, client, hook, receiver) -> None:
    plugin = pbx.app.extensions["pbxapi"].registry.plugin("webhooks").plugin

    def figure(name: str) -> Any:
        with pbx.database.reading() as session:
            return plugin.metrics[name].read(CheckRun(session, {}))

    time.sleep(1.2)  # what other tests have left is counted by then
    before = figure("attempts_total")
    receiver.behave = Failing(2)
    webhook = hook(receiver)
    assert figure("webhooks")["active",] >= 1
    extension(client)
    receiver.wait_for(lambda: [row["state"] for row in deliveries(pbx, webhook)] == ["delivered"])
    receiver.wait_for(lambda: figure("attempts_total")["delivered",] == before["delivered",] + 1)
    assert figure("attempts_total")["failed",] == before["failed",] + 2
    assert figure("waiting") == 0


def test_old_deliveries_are_forgotten(pbx, client, hook, receiver) -> None:
    webhook = hook(receiver)
    extension(client)
    receiver.wait_for(lambda: [row["state"] for row in deliveries(pbx, webhook)] == ["delivered"])
    run_jobs(pbx, "webhooks")
    pbx.run("update pbxapi.schedule set next_at = now() where plugin = 'webhooks'")
    pbx.run("update pbxapi.webhook_delivery set created_at = now() - interval '15 days'")
    receiver.behave = lambda _: (410, b"", {})
    extension(client)
    receiver.wait_for(lambda: state(pbx, webhook) == "paused")
    pbx.run("update pbxapi.webhook_delivery set created_at = now() - interval '15 days' where state = 'waiting'")
    run_jobs(pbx, "webhooks")
    assert [row["state"] for row in deliveries(pbx, webhook)] == ["waiting"]
