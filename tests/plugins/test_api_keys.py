"""API keys: shown once, replaced with an overlap, and never a way to more than one has."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from pbxapi.cli import commands
from pbxapi.data.keys import digest
from pbxapi.sandbox.sample import CLOSED_DOMAIN, DOMAIN_UUID, SECOND_DOMAIN_UUID
from pbxapi.testing import Client, Pbx, Reply

BODY = {"name": "dashboard", "scopes": ["extensions:read"]}


def make(client: Client, **fields: Any) -> Mapping[str, Any]:
    reply = client.call("api-keys", "create", json={**BODY, **fields})
    assert reply.status == 201, reply.body
    return dict(reply.data)


def holder(client: Client, **fields: Any) -> Client:
    """A client with a new key of the client's domain."""
    return Client(client.app, client.domain, make(client, **fields)["key"], client.family)


def rotate(client: Client, uuid: str, **body: Any) -> Reply:
    if client.family == "php":
        return client.request("POST", "/api-keys/rotate.php", body, query={"uuid": uuid})
    return client.request("POST", f"/api-keys/{uuid}/rotate", body)


def beyond(reply: Reply) -> str:
    """The field of a refusal because the caller's own key does not go as far."""
    assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN"), reply.body
    return str(reply.error["field"])


def works(client: Client) -> bool:
    return client.call("extensions", "list").status == 200


def test_a_new_key_is_shown_once_and_works_at_once(either_client: Client) -> None:
    made = make(either_client)
    assert made["key"].startswith("pbx_")
    assert len(made["key"]) == 44
    assert works(Client(either_client.app, either_client.domain, made["key"]))
    got = either_client.get("api-keys", made["api_key_uuid"])
    (listed,) = either_client.list("api-keys")
    assert got == listed
    assert got == {
        "api_key_uuid": made["api_key_uuid"],
        "name": "dashboard",
        "hint": made["key"][-4:],
        "domains": [str(DOMAIN_UUID)],
        "scopes": ["extensions:read"],
        "networks": [],
        "rate_limit": "",
        "enabled": "true",
        "expires_at": "",
        "previous_until": "",
        "last_used_at": got["last_used_at"],
        "created_at": got["created_at"],
        "created_by": "system",
    }
    assert datetime.now(UTC) - datetime.fromisoformat(got["last_used_at"]) < timedelta(seconds=30)


def test_only_the_hash_is_stored(pbx: Pbx, client: Client) -> None:
    made = make(client)
    assert pbx.rows("select key_hash from pbxapi.api_key") == [{"key_hash": digest(made["key"])}]


def test_two_keys_are_never_alike(client: Client) -> None:
    assert len({make(client)["key"] for _ in range(20)}) == 20


def test_a_key_is_bound_by_names_or_uuids(pbx: Pbx, client: Client) -> None:
    domains = [pbx.other_domain.upper(), str(DOMAIN_UUID), pbx.domain]
    made = make(client, domains=domains)
    assert client.get("api-keys", made["api_key_uuid"])["domains"] == [str(SECOND_DOMAIN_UUID), str(DOMAIN_UUID)]
    every = make(client, domains=["*"])
    assert client.get("api-keys", every["api_key_uuid"])["domains"] == ["*"]
    assert works(Client(client.app, pbx.other_domain, every["key"]))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": {"a": 1}}, "name"),
        ({"scopes": None}, "scopes"),
        ({"scopes": "extensions:read"}, "scopes"),
        ({"scopes": ["extensions"]}, "scopes.0"),
        ({"scopes": ["extensions:read", "x y:read"]}, "scopes.1"),
        ({"scopes": [["*"]]}, "scopes.0"),
        ({"scopes": [None]}, "scopes.0"),
        ({"scopes": ["*"] * 201}, "scopes"),
        ({"domains": []}, "domains"),
        ({"domains": None}, "domains"),
        ({"domains": [""]}, "domains.0"),
        ({"domains": ["nowhere.example.com"]}, "domains.0"),
        ({"domains": [str(uuid4())]}, "domains.0"),
        ({"domains": ["a\u0000b"]}, "domains.0"),
        ({"domains": {"a": 1}}, "domains"),
        ({"networks": ["10.0.0.1/8"]}, "networks.0"),
        ({"networks": ["10.0.0.0/8", "all"]}, "networks.1"),
        ({"networks": [7]}, "networks.0"),
        ({"rate_limit": "600"}, "rate_limit"),
        ({"rate_limit": "0/minute"}, "rate_limit"),
        ({"rate_limit": "1/minute; 2/hour"}, "rate_limit"),
        ({"rate_limit": "9999999999/day"}, "rate_limit"),
        ({"rate_limit": "\u0661/minute"}, "rate_limit"),
        ({"enabled": "maybe"}, "enabled"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": 1893456000}, "expires_at"),
    ],
)
def test_bad_input_is_refused_with_its_field(client: Client, fields: Mapping[str, Any], field: str) -> None:
    reply = client.call("api-keys", "create", json={**BODY, **fields})
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "VALIDATION_ERROR", field)
    assert client.list("api-keys") == []


def test_the_key_itself_cannot_be_chosen(pbx: Pbx, client: Client) -> None:
    wanted = "pbx_" + "a" * 40
    more = {"key": wanted, "key_hash": digest(wanted).hex(), "created_by": "nobody", "hint": "aaaa"}
    for name in more:
        reply = client.call("api-keys", "create", json={**BODY, name: more[name]})
        assert (reply.status, reply.error["field"]) == (400, name)
    made = make(client.through("php"), **more)
    assert made["key"] != wanted
    assert client.get("api-keys", made["api_key_uuid"])["created_by"] == "system"
    assert not works(Client(pbx.app, pbx.domain, wanted))


def test_update_changes_what_was_sent_and_not_the_key(pbx: Pbx, either_client: Client) -> None:
    made = make(either_client, networks=["127.0.0.0/8"], rate_limit="9/second", domains=["*"])
    uuid = made["api_key_uuid"]
    either_client.update("api-keys", uuid, name="other", scopes=["*:read"], expires_at="2099-01-01T01:00:00+01:00")
    got = either_client.get("api-keys", uuid)
    assert (got["name"], got["scopes"], got["expires_at"]) == ("other", ["*:read"], "2099-01-01T00:00:00Z")
    assert (got["networks"], got["rate_limit"], got["domains"]) == (["127.0.0.0/8"], "9/second", ["*"])
    assert works(Client(pbx.app, pbx.domain, made["key"]))
    either_client.update("api-keys", uuid, networks=[], rate_limit="", expires_at="", domains=[pbx.domain])
    got = either_client.get("api-keys", uuid)
    assert (got["networks"], got["rate_limit"], got["expires_at"]) == ([], "", "")
    assert got["domains"] == [str(DOMAIN_UUID)]


def test_an_expired_key_can_still_be_renamed_and_prolonged(pbx: Pbx, client: Client) -> None:
    uuid = make(client)["api_key_uuid"]
    pbx.run("update pbxapi.api_key set expires_at = now() - interval '1 day'")
    client.update("api-keys", uuid, name="old")
    client.update("api-keys", uuid, expires_at="2099-01-01T00:00:00Z")
    assert client.get("api-keys", uuid)["expires_at"] == "2099-01-01T00:00:00Z"


def test_delete_revokes(pbx: Pbx, either_client: Client) -> None:
    made = make(either_client)
    either_client.delete("api-keys", made["api_key_uuid"])
    assert not works(Client(pbx.app, pbx.domain, made["key"]))
    assert either_client.call("api-keys", "get", made["api_key_uuid"]).status == 404
    assert rotate(either_client, made["api_key_uuid"], overlap="0").status == 404


def test_rotation_without_an_overlap_ends_the_old_key(pbx: Pbx, either_client: Client) -> None:
    made = make(either_client)
    reply = rotate(either_client, made["api_key_uuid"])
    assert (reply.status, reply.body["message"]) == (200, "API key rotated successfully")
    assert reply.data["previous_until"] == ""
    assert works(Client(pbx.app, pbx.domain, reply.data["key"]))
    assert not works(Client(pbx.app, pbx.domain, made["key"]))


def test_the_old_key_lives_on_for_the_overlap_and_no_longer(pbx: Pbx, client: Client) -> None:
    made = make(client)
    reply = rotate(client, made["api_key_uuid"], overlap=2)
    old, new = (Client(pbx.app, pbx.domain, key) for key in (made["key"], reply.data["key"]))
    assert (works(old), works(new)) == (True, True)
    assert client.get("api-keys", made["api_key_uuid"])["previous_until"] == reply.data["previous_until"] != ""
    end = time.monotonic() + 5
    while works(old):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert works(new)


def test_a_second_rotation_ends_the_first_key(pbx: Pbx, client: Client) -> None:
    made = make(client)
    second = rotate(client, made["api_key_uuid"], overlap=3600).data["key"]
    third = rotate(client, made["api_key_uuid"], overlap=3600).data["key"]
    assert [works(Client(pbx.app, pbx.domain, key)) for key in (made["key"], second, third)] == [False, True, True]


def test_an_overlap_does_not_prolong_a_key(pbx: Pbx, client: Client) -> None:
    ends = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    made = make(client, expires_at=ends)
    rotate(client, made["api_key_uuid"], overlap=3600)
    old = Client(pbx.app, pbx.domain, made["key"])
    assert works(old)
    end = time.monotonic() + 5
    while works(old):
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize("overlap", ["-1", "soon", 2_592_001, [1], 1.5])
def test_a_bad_overlap_is_refused(client: Client, overlap: Any) -> None:
    made = make(client)
    reply = rotate(client, made["api_key_uuid"], overlap=overlap)
    assert (reply.status, reply.error["field"]) == (400, "overlap")


def test_keys_are_for_those_with_their_scopes(client: Client) -> None:
    other = holder(client, scopes=["*:read"])
    assert other.call("api-keys", "list").status == 200
    assert other.call("api-keys", "create", json=BODY).error["message"] == "The key lacks the scope api-keys:write"
    assert holder(client, scopes=["extensions:*"]).call("api-keys", "list").status == 403


def test_a_bound_key_sees_the_keys_within_its_domains_only(pbx: Pbx, client: Client) -> None:
    both = [pbx.domain, pbx.other_domain]
    of = {
        "mine": make(client, name="mine"),
        "theirs": make(client, name="theirs", domains=[pbx.other_domain]),
        "both": make(client, name="both", domains=both),
        "every": make(client, name="every", domains=["*"]),
    }
    bound = holder(client, name="bound", scopes=["*"])
    assert {key["name"] for key in bound.list("api-keys")} == {"mine", "bound"}
    wide = holder(client, name="wide", scopes=["*"], domains=both)
    assert {key["name"] for key in wide.list("api-keys")} == {"mine", "theirs", "both", "bound", "wide"}
    assert {key["name"] for key in client.list("api-keys")} == {*of, "bound", "wide"}
    for name in ("theirs", "both", "every"):
        uuid = of[name]["api_key_uuid"]
        replies = [
            bound.call("api-keys", "get", uuid),
            bound.call("api-keys", "update", uuid, {"name": "taken"}),
            bound.call("api-keys", "delete", uuid),
            rotate(bound, uuid),
        ]
        assert [reply.status for reply in replies] == [404] * 4
    assert {key["name"] for key in client.list("api-keys")} == {*of, "bound", "wide"}


def test_a_bound_key_hands_out_no_domain_but_its_own(pbx: Pbx, client: Client) -> None:
    bound = holder(client, scopes=["*"])
    make(bound, domains=[pbx.domain])
    assert beyond(bound.call("api-keys", "create", json={**BODY, "domains": ["*"]})) == "domains"
    answers = []
    for foreign in (pbx.other_domain, CLOSED_DOMAIN, "nowhere.example.com"):
        reply = bound.call("api-keys", "create", json={**BODY, "domains": [pbx.domain, foreign]})
        assert (reply.status, reply.error["field"]) == (400, "domains.1")
        answers.append(reply.error["message"].replace(foreign, ""))
    assert len(set(answers)) == 1
    mine = make(bound)["api_key_uuid"]
    assert beyond(bound.call("api-keys", "update", mine, {"domains": ["*"]})) == "domains"


def test_a_key_hands_out_no_scope_that_it_lacks(client: Client) -> None:
    limited = holder(client, scopes=["api-keys:*", "extensions:*", "*:read"])
    make(limited, scopes=["extensions:*", "extensions:write", "devices:read", "*:read"])
    make(limited, scopes=[])
    for scope in ("*", "*:*", "*:write", "devices:*", "devices:write", "secrets:read", "secrets:*"):
        reply = limited.call("api-keys", "create", json={**BODY, "scopes": ["extensions:read", scope]})
        assert beyond(reply) == "scopes"


def test_a_key_hands_out_no_network_that_it_is_not_in(client: Client) -> None:
    inside = holder(client, scopes=["*"], networks=["127.0.0.0/8", "2001:db8::/32"])
    make(inside, networks=["127.0.0.1", "2001:db8:1::/48"])
    for networks in ([], ["0.0.0.0/0"], ["127.0.0.1", "192.0.2.1"], ["::/0"], ["126.0.0.0/7"]):
        assert beyond(inside.call("api-keys", "create", json={**BODY, "networks": networks})) == "networks"
    assert beyond(inside.call("api-keys", "create", json=BODY)) == "networks"


def test_a_key_hands_out_no_longer_life_than_its_own(client: Client) -> None:
    ending = holder(client, scopes=["*"], expires_at="2098-12-31T00:00:00Z")
    make(ending, expires_at="2098-12-31T00:00:00Z")
    for expires_at in ("", "2098-12-31T00:00:01Z"):
        assert beyond(ending.call("api-keys", "create", json={**BODY, "expires_at": expires_at})) == "expires_at"


def test_a_key_hands_out_its_own_rate_limit(client: Client) -> None:
    slow = holder(client, scopes=["*"], rate_limit="9/second")
    uuid = make(slow)["api_key_uuid"]
    assert client.get("api-keys", uuid)["rate_limit"] == "9/second"
    assert beyond(slow.call("api-keys", "create", json={**BODY, "rate_limit": "900/second"})) == "rate_limit"
    assert beyond(slow.call("api-keys", "update", uuid, {"rate_limit": ""})) == "rate_limit"
    free = holder(client, scopes=["*"])
    assert beyond(free.call("api-keys", "create", json={**BODY, "rate_limit": "900/second"})) == "rate_limit"
    slower = make(client, rate_limit="1/day")["api_key_uuid"]
    assert free.update("api-keys", slower, name="renamed").status == 200
    assert client.get("api-keys", slower)["rate_limit"] == "1/day"


def test_a_key_cannot_take_over_a_mightier_one(pbx: Pbx, client: Client) -> None:
    mighty = make(client, scopes=["*"])["api_key_uuid"]
    weak = holder(client, scopes=["api-keys:*", "extensions:read"])
    assert weak.get("api-keys", mighty)["scopes"] == ["*"]
    assert beyond(rotate(weak, mighty)) == "scopes"
    assert beyond(weak.call("api-keys", "delete", mighty)) == "scopes"
    assert beyond(weak.call("api-keys", "update", mighty, {"scopes": ["extensions:read"]})) == "scopes"
    assert client.get("api-keys", mighty)["scopes"] == ["*"]


def test_a_key_cannot_widen_itself(pbx: Pbx, client: Client) -> None:
    made = make(
        client,
        scopes=["api-keys:*", "extensions:read"],
        networks=["127.0.0.0/8"],
        expires_at="2098-12-31T00:00:00Z",
        rate_limit="99/second",
    )
    uuid = made["api_key_uuid"]
    itself = Client(pbx.app, pbx.domain, made["key"])
    before = client.get("api-keys", uuid)
    for change in (
        {"scopes": ["*"]},
        {"domains": ["*"]},
        {"networks": []},
        {"expires_at": ""},
        {"rate_limit": ""},
    ):
        assert beyond(itself.call("api-keys", "update", uuid, change)) == next(iter(change))
    assert client.get("api-keys", uuid) | {"last_used_at": ""} == before | {"last_used_at": ""}
    assert rotate(itself, uuid, overlap=60).status == 200


def test_the_outgoing_key_of_a_rotation_cannot_live_on_through_others(pbx: Pbx, client: Client) -> None:
    made = make(client, scopes=["*"])
    rotate(client, made["api_key_uuid"], overlap=60)
    old = Client(pbx.app, pbx.domain, made["key"])
    assert works(old)
    assert beyond(rotate(old, made["api_key_uuid"], overlap=60)) == "expires_at"
    assert beyond(old.call("api-keys", "create", json={**BODY, "scopes": ["*"]})) == "expires_at"


def test_an_unbound_key_with_every_scope_hands_out_any_key(pbx: Pbx, client: Client) -> None:
    every = holder(client, scopes=["*"], domains=["*"])
    made = make(every, scopes=["*"], domains=["*"])
    assert works(Client(pbx.app, pbx.other_domain, made["key"]))
    assert {key["created_by"] for key in client.list("api-keys")} > {"system"}


def test_keys_are_searched_sorted_and_filtered(client: Client) -> None:
    for name in ("key 10", "key 9", "other"):
        make(client, name=name)
    assert [k["name"] for k in client.list("api-keys", search="KEY")] == ["key 9", "key 10"]
    assert [k["name"] for k in client.list("api-keys", sort="-created_at")] == ["other", "key 9", "key 10"]
    used = holder(client, name="used")
    works(used)
    assert client.list("api-keys", sort="-last_used_at")[0]["name"] == "used"
    client.update("api-keys", client.list("api-keys", name="other")[0]["api_key_uuid"], enabled="false")
    assert [k["name"] for k in client.list("api-keys", enabled="false")] == ["other"]
    first = client.call("api-keys", "list", sort="last_used_at", cursor="", per_page=3)
    rest = client.call(
        "api-keys", "list", sort="last_used_at", cursor=first.body["pagination"]["next_cursor"], per_page=3
    )
    assert {k["name"] for k in [*first.data, *rest.data]} == {"key 10", "key 9", "other", "used"}


def test_every_write_leaves_an_audit_row_and_a_change(pbx: Pbx, client: Client) -> None:
    made = make(client)
    uuid = made["api_key_uuid"]
    rotated = rotate(client, uuid)
    client.update("api-keys", uuid, name="other")
    client.delete("api-keys", uuid)
    rows = pbx.rows(
        "select transaction_type, transaction_new from v_database_transactions where app_name = 'api-keys'"
        " order by transaction_date"
    )
    assert [row["transaction_type"] for row in rows] == ["add", "update", "update", "delete"]
    assert json.loads(rows[1]["transaction_new"])["pbxapi.api_key"][0]["hint"] == rotated.data["key"][-4:]
    pbx.apply()
    assert pbx.change(rotated)["state"] == "applied"
    assert {row["record_uuid"] for row in pbx.rows("select record_uuid::text from pbxapi.change")} == {uuid}


def run(pbx: Pbx, *arguments: str) -> Result:
    return CliRunner().invoke(commands, ["keys", *arguments], env={"PBXAPI_DATABASE_URL": pbx.config.database_url})


def test_the_command_line_makes_lists_rotates_and_revokes_keys(pbx: Pbx) -> None:
    made = run(
        pbx,
        *("create", "from the shell", "--domain", pbx.domain.upper(), "--scope", "extensions:read"),
        *("--network", "127.0.0.1", "--rate-limit", "9/second", "--expires", "2099-01-01"),
    )
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    client = Client(pbx.app, "", key)
    assert works(client)
    (row,) = pbx.client.list("api-keys")
    assert {**row, "last_used_at": "", "created_at": ""} == {
        "api_key_uuid": row["api_key_uuid"],
        "name": "from the shell",
        "hint": key[-4:],
        "domains": [str(DOMAIN_UUID)],
        "scopes": ["extensions:read"],
        "networks": ["127.0.0.1/32"],
        "rate_limit": "9/second",
        "enabled": "true",
        "expires_at": "2099-01-01T00:00:00Z",
        "previous_until": "",
        "last_used_at": "",
        "created_at": "",
        "created_by": "command line",
    }
    listed = run(pbx, "list")
    assert row["api_key_uuid"] in listed.stdout
    assert key not in listed.stdout
    rotated = run(pbx, "rotate", "from the shell", "--overlap", "60")
    assert (works(Client(pbx.app, "", rotated.stdout.strip())), works(client)) == (True, True)
    assert run(pbx, "revoke", row["api_key_uuid"]).exit_code == 0
    assert pbx.client.list("api-keys") == []
    audit = "select transaction_type as done from v_database_transactions where app_name = 'api-keys'"
    assert sorted(row["done"] for row in pbx.rows(audit)) == ["add", "delete", "update"]


def test_the_command_line_says_what_is_wrong(pbx: Pbx) -> None:
    for arguments, words in (
        (("create", "x", "--scope", "*"), "--every-domain"),
        (("create", "x", "--scope", "*", "--every-domain", "--domain", pbx.domain), "--every-domain"),
        (("create", "x", "--every-domain"), "--scope"),
        (("create", "x", "--every-domain", "--scope", "all"), "must be a scope"),
        (("create", "x", "--every-domain", "--scope", "*", "--network", "home"), "must be an address"),
        (("create", "x", "--every-domain", "--scope", "*", "--rate-limit", "many"), "such as 600/minute"),
        (("create", "x", "--every-domain", "--scope", "*", "--expires", "soon"), "must be a time"),
        (("create", "x", "--every-domain", "--scope", "*", "--expires", "2020-01-01"), "in the future"),
        (("create", "", "--every-domain", "--scope", "*"), "1 to 100 characters"),
        (("create", "x", "--domain", "nowhere.example.com", "--scope", "*"), "no domain nowhere.example.com"),
        (("revoke", "nobody"), "no key nobody"),
        (("rotate", "nobody", "--overlap", "99999999"), "2592000 seconds at most"),
    ):
        result = run(pbx, *arguments)
        assert result.exit_code != 0
        assert words in result.output
    assert pbx.client.list("api-keys") == []


def test_a_name_of_several_keys_revokes_none(pbx: Pbx) -> None:
    for _ in range(2):
        assert run(pbx, "create", "twin", "--every-domain", "--scope", "*").exit_code == 0
    assert "2 keys are named twin" in run(pbx, "revoke", "twin").output
    assert len(pbx.client.list("api-keys")) == 2
