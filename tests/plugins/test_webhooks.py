"""Webhooks as records: what can be asked for, what is shown of it, and to whom."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks.webhooks import Webhook

from pbxapi.data.events import number_events, read_events
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import claim_port
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx

BODY = {"url": "https://1.1.1.1/hook?token=abc", "event_types": ["extension.*"]}


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """One telephone system for all tests of the module, whose webhooks may reach this host."""
    with scratch_database(postgres, template) as url:
        environment = {"PBXAPI_WEBHOOK_ALLOW": "127.0.0.0/8"}
        system = make_pbx(url, tmp_path_factory.mktemp("webhooks"), environment=environment)
        yield system
        close_pbx(system)


def make(client: Client, **fields: Any) -> dict[str, Any]:
    reply = client.call("webhooks", "create", json={**BODY, **fields})
    assert reply.status == 201, reply.body
    return dict(reply.data)


def act(client: Client, uuid: str, what: str, **body: Any) -> Reply:
    if client.family == "php":
        return client.request("POST", f"/webhooks/{what}.php", body, query={"uuid": uuid})
    return client.request("POST", f"/webhooks/{uuid}/{what}", body)


def refusal(reply: Reply, status: int = 400) -> str:
    assert reply.status == status, reply.body
    return str(reply.error["field"])


def key_of(client: Client, **fields: Any) -> Client:
    made = client.call("api-keys", "create", json={"name": "k", **fields})
    assert made.status == 201, made.body
    return Client(client.app, client.domain, made.data["key"], client.family)


def test_the_secret_is_shown_when_it_is_made_and_never_again(pbx: Pbx, either_client: Client) -> None:
    made = make(either_client)
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    Webhook(made["secret"])  # what verifies takes it
    got = either_client.get("webhooks", made["webhook_uuid"])
    assert "secret" not in got
    assert (got["state"], got["enabled"], got["signature"], got["host"]) == ("active", "true", "hmac", "1.1.1.1")
    with pbx.database.writing() as session:
        number_events(session)
    with pbx.database.reading() as session:
        events = read_events(session, 0, domains=None)
    (event,) = [event for event in events if str(event["record_uuid"]) == made["webhook_uuid"]]
    assert event["type"] == "webhook.created"
    audit = pbx.rows("select transaction_new from v_database_transactions where app_name = 'webhooks'")
    assert audit
    for place in (got, either_client.list("webhooks"), event, audit):
        assert made["secret"] not in str(place)
    assert "token" not in str(event)


def test_a_secret_of_ones_own_is_taken_where_it_can_sign(client: Client) -> None:
    own = "whsec_" + base64.b64encode(os.urandom(24)).decode()
    assert make(client, secret=own)["secret"] == own
    for bad in ("abc", "whsec_", "whsec_%%%", "whsec_" + base64.b64encode(b"x" * 23).decode(), own + "="):
        assert refusal(client.call("webhooks", "create", json={**BODY, "secret": bad})) == "secret"
    assert (
        refusal(client.call("webhooks", "create", json={**BODY, "secret": own, "signature": "ed25519"}))
        == "secret"
    )


def test_of_an_ed25519_secret_the_receiver_gets_the_public_key(client: Client) -> None:
    made = make(client, signature="ed25519")
    assert made["secret"] == ""
    assert made["public_key"].startswith("whpk_")
    assert client.get("webhooks", made["webhook_uuid"])["public_key"] == made["public_key"]
    assert refusal(client.call("webhooks", "create", json={**BODY, "signature": "rsa"})) == "signature"


def test_event_types_name_what_there_is(client: Client) -> None:
    for good in (["*"], ["extension.created"], ["*.deleted", "change.*"], ["webhook.paused"]):
        make(client, event_types=good)
    for bad in (["nothing.*"], ["extension"], ["extension.*", "extension.exploded"]):
        reply = client.call("webhooks", "create", json={**BODY, "event_types": bad})
        assert refusal(reply) == f"event_types.{len(bad) - 1}"
        assert "/events/types" in reply.error["message"]
    for bad in ([], None, "extension.*", [None], [{}], [""], ["*"] * 101, ["%"], ["extension_created"], ["*a*b*"]):
        assert refusal(client.call("webhooks", "create", json={**BODY, "event_types": bad})).startswith(
            "event_types"
        )


@pytest.mark.parametrize(
    "url",
    ["https://localhost/", "http://1.1.1.1/", "https://10.0.0.1/", "https://[::ffff:10.0.0.1]/", "nonsense", "",
     "https://u:p@1.1.1.1/", "https://169.254.169.254/latest"],
)  # fmt: skip
def test_a_url_that_must_not_be_had_is_refused_at_create_and_update(client: Client, url: str) -> None:
    if url == "https://localhost/":
        url = "https://[::1]/"
    assert refusal(client.call("webhooks", "create", json={**BODY, "url": url})) == "url"
    made = make(client)["webhook_uuid"]
    assert refusal(client.call("webhooks", "update", made, {"url": url})) == "url"
    assert client.get("webhooks", made)["url"] == BODY["url"]


def test_a_name_without_an_address_is_taken_with_a_warning(client: Client) -> None:
    reply = client.call("webhooks", "create", json={**BODY, "url": "https://no-such-host.invalid/"})
    assert reply.status == 201
    assert "no-such-host.invalid" in str(reply.body["warnings"])


def test_values_of_headers_are_secrets(pbx: Pbx, client: Client) -> None:
    made = make(client, headers={"Authorization": "Bearer s3cret-token", "X-Plain": "1"})["webhook_uuid"]
    assert client.get("webhooks", made)["headers"] == {"Authorization": "Bearer s3cret-token", "X-Plain": "1"}
    assert "headers" not in client.list("webhooks", sort="-created_at")[0]
    reader = key_of(client, scopes=["webhooks:*", "extensions:read"])
    assert reader.get("webhooks", made)["headers"] == {"Authorization": "********", "X-Plain": "********"}
    reply = reader.call("webhooks", "update", made, {"headers": {"Authorization": "********"}})
    assert refusal(reply) == "headers.Authorization"
    reader.update("webhooks", made, description="door")
    assert client.get("webhooks", made)["headers"]["Authorization"] == "Bearer s3cret-token"
    client.update("webhooks", made, headers={})
    assert client.get("webhooks", made)["headers"] == {}
    rows = pbx.rows("select transaction_old, transaction_new from v_database_transactions")
    assert "s3cret-token" not in str(rows)
    assert "Authorization" in str(rows)
    assert "s3cret-token" not in str(pbx.rows("select data from pbxapi.event"))


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"content-length": "1"}, {"Webhook-Id": "1"}, {"webhook-signature": "v1,x"},
     {"Transfer-Encoding": "chunked"}, {"Connection": "x"}, {"X-A": "a\r\nX-B: b"}, {"X-A": "\u00fc"},
     {"X A": "1"}, {"X-A\r\n": "1"}, {"": "1"}, {"X-A": 1}, {"X-A": None}, {"X-A": ""}, {"X-A": "x" * 2049},
     {"X-A": "1", "x-a": "2"}, {f"X-{n}": "1" for n in range(21)}, ["X-A"], "X-A: 1", 7],
)  # fmt: skip
def test_a_header_that_could_change_the_request_is_refused(client: Client, headers: Any) -> None:
    assert refusal(client.call("webhooks", "create", json={**BODY, "headers": headers})).startswith("headers")


def test_what_is_set_when_it_is_made_stays(client: Client) -> None:
    made = make(client)["webhook_uuid"]
    for field, value in (("all_domains", "true"), ("signature", "ed25519"), ("secret", "whsec_" + "A" * 40)):
        assert refusal(client.call("webhooks", "update", made, {field: value})) == field
    client.update("webhooks", made, all_domains="false", signature="hmac", description="x")


def test_only_a_key_for_every_domain_asks_for_all_of_them(pbx: Pbx, client: Client) -> None:
    bound = key_of(client, scopes=["*"])
    reply = bound.call("webhooks", "create", json={**BODY, "all_domains": "true"})
    assert refusal(reply, 403) == "all_domains"
    made = make(client, all_domains="true")["webhook_uuid"]
    assert client.of(pbx.other_domain).get("webhooks", made)["all_domains"] == "true"
    assert bound.call("webhooks", "get", made).status == 404
    assert bound.call("webhooks", "delete", made).status == 404
    assert made not in [row["webhook_uuid"] for row in bound.list("webhooks", per_page=100)]
    for what in ("test", "rotate", "replay"):
        assert act(bound, made, what).status == 404
    assert bound.request("GET", f"/webhooks/{made}/deliveries").status == 404


def test_a_key_asks_for_no_events_that_it_cannot_read(client: Client) -> None:
    small = key_of(client, scopes=["webhooks:write", "webhooks:read", "extensions:read"])
    made = make(small, event_types=["extension.*", "webhook.paused"])["webhook_uuid"]
    for types, place in ((["gateway.*"], 0), (["extension.created", "*"], 1), (["*.created"], 0)):
        reply = small.call("webhooks", "create", json={**BODY, "event_types": types})
        assert refusal(reply, 403) == f"event_types.{place}"
        assert ":read" in reply.error["message"]
        assert refusal(small.call("webhooks", "update", made, {"event_types": types}), 403)
    mightier = make(client, event_types=["*"])["webhook_uuid"]
    reply = small.call("webhooks", "update", mightier, {"url": "https://9.9.9.9/"})
    assert refusal(reply, 403) == "event_types.0"
    assert client.get("webhooks", mightier)["url"] == BODY["url"]


def test_rotation_answers_a_new_secret_and_until_when_the_old_one_signs(either_client: Client) -> None:
    made = make(either_client)
    reply = act(either_client, made["webhook_uuid"], "rotate", overlap=600)
    assert reply.status == 200, reply.body
    assert reply.data["secret"].startswith("whsec_")
    assert reply.data["secret"] != made["secret"]
    assert reply.data["previous_until"]
    got = either_client.get("webhooks", made["webhook_uuid"])
    assert got["previous_until"] == reply.data["previous_until"]
    again = act(either_client, made["webhook_uuid"], "rotate")
    assert again.data["previous_until"] == ""
    assert refusal(act(either_client, made["webhook_uuid"], "rotate", overlap=31 * 86400)) == "overlap"
    assert refusal(act(either_client, made["webhook_uuid"], "rotate", secret="x")) == "secret"


def test_a_test_says_what_came_of_it_and_is_signed(either_client: Client, receiver) -> None:
    receiver.behave = lambda _: (200, b"thank you", {})
    made = make(either_client, url=receiver.url, headers={"X-Own": "1"})
    reply = act(either_client, made["webhook_uuid"], "test")
    assert reply.status == 200, reply.body
    assert (reply.data["delivered"], reply.data["status"], reply.data["response"]) == ("true", 200, "thank you")
    (request,) = receiver.requests
    event = Webhook(made["secret"]).verify(request.body, request.headers)
    assert event["type"] == "webhook.test"
    assert request.headers["webhook-id"] == event["id"]
    assert (request.headers["X-Own"], request.headers["Content-Type"]) == ("1", "application/json")
    (delivery,) = (
        either_client.through("clean").request("GET", f"/webhooks/{made['webhook_uuid']}/deliveries").data
    )
    assert delivery["delivery_uuid"] == reply.data["delivery_uuid"]
    assert (delivery["state"], delivery["type"], delivery["event_id"]) == (
        "delivered",
        "webhook.test",
        event["id"],
    )


def test_a_test_that_fails_says_why(client: Client, receiver) -> None:
    receiver.behave = lambda _: (500, b"oh no", {})
    made = make(client, url=receiver.url)["webhook_uuid"]
    reply = act(client, made, "test")
    assert (reply.data["delivered"], reply.data["error"], reply.data["response"]) == (
        "false",
        "answered 500",
        "oh no",
    )
    receiver.close()
    reply = act(client, made, "test")
    assert reply.data["status"] is None
    assert "refused" in reply.data["error"].lower()
    assert client.get("webhooks", made)["state"] == "active"


def test_a_test_holds_no_connection_to_the_database_while_it_waits(pbx: Pbx, client: Client, receiver) -> None:
    seen: list[Any] = []
    own = pbx.app.extensions["pbxapi"].database

    def look(_: Any) -> Any:
        figures = own.figures()
        seen.append((figures["pool_size"], figures["pool_available"]))
        return 200, b"", {}

    receiver.behave = look
    assert act(client, make(client, url=receiver.url)["webhook_uuid"], "test").data["delivered"] == "true"
    ((size, available),) = seen
    assert size == available


def test_a_replay_says_what_it_wants(client: Client) -> None:
    made = make(client)["webhook_uuid"]
    early, late = "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z"
    for body, field in (
        ({}, "delivery_uuid"),
        ({"from": early}, "to"),
        ({"to": late}, "from"),
        ({"from": late, "to": early}, "to"),
        ({"from": "yesterday", "to": late}, "from"),
        ({"from": early, "to": "2030-01-02T00:00:00"}, "to"),
        ({"delivery_uuid": made, "from": early, "to": late}, "delivery_uuid"),
        ({"delivery_uuid": "x"}, "delivery_uuid"),
        ({"delivery_uuid": made}, "delivery_uuid"),
    ):
        assert refusal(act(client, made, "replay", **body)) == field, body
    reply = act(client, made, "replay", **{"from": early, "to": late})
    assert (reply.status, reply.data) == (202, {"deliveries": 0})


DOCS = Path(__file__).parents[2] / "docs" / "integrators.md"


def snippet(language: str) -> str:
    """How the documentation verifies by hand in a language: the last piece of it there."""
    part = DOCS.read_text("utf-8").partition("### Verifying")[2].partition("### When it fails")[0]
    return re.findall(rf"```{language}\n(.*?)```", part, re.S)[-1]


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture
def sent(client: Client, receiver) -> dict[str, Any]:
    """A request as a receiver gets it, and the secret."""
    made = make(client, url=receiver.url)
    assert act(client, made["webhook_uuid"], "test").data["delivered"] == "true"
    (request,) = receiver.requests
    return {"secret": made["secret"], "headers": dict(request.headers), "body": request.body.decode()}


def test_the_shells_way_to_verify_is_right(sent: dict[str, Any]) -> None:
    needs("openssl")
    headers = sent["headers"]
    values = {"ID": headers["webhook-id"], "TIMESTAMP": headers["webhook-timestamp"]}
    environment = {"PATH": os.environ["PATH"], "SECRET": sent["secret"], "BODY": sent["body"], **values}
    done = subprocess.run(["sh", "-c", snippet("sh")], env=environment, capture_output=True, text=True, check=True)
    assert "v1," + done.stdout.strip() == headers["webhook-signature"]


def test_the_way_of_node_to_verify_is_right(sent: dict[str, Any], tmp_path: Path) -> None:
    script = tmp_path / "verify.mjs"
    script.write_text(
        f"const {{ secret, headers, body }} = JSON.parse(process.argv[2]);\n{snippet('js')}\nconsole.log(verified)"
    )
    other = {**sent, "body": sent["body"] + " "}
    old = {**sent, "headers": {**sent["headers"], "webhook-timestamp": "1"}}
    for case, answer in ((sent, "true"), (other, "false"), (old, "false")):
        command = [needs("node"), str(script), json.dumps(case)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == answer


def test_the_way_of_php_to_verify_is_right(sent: dict[str, Any], tmp_path: Path) -> None:
    port = claim_port(None)
    (tmp_path / "index.php").write_text(f"<?php\n$secret = {sent['secret']!r};\n{snippet('php')}\necho 'good';")
    command = [needs("php"), "-S", f"127.0.0.1:{port}", "-t", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server, requests.Session() as http:
        http.trust_env = False
        try:
            for body, status in ((sent["body"], 200), (sent["body"] + " ", 401)):
                for _ in range(100):
                    try:
                        url = f"http://127.0.0.1:{port}/"
                        reply = http.post(
                            url, data=body, headers=sent["headers"] | {"Content-Length": str(len(body))}
                        )
                        break
                    except requests.ConnectionError:
                        time.sleep(0.05)
                assert reply.status_code == status, reply.text
        finally:
            server.terminate()
