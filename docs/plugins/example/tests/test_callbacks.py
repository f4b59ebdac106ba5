"""What is special about callbacks."""

from __future__ import annotations

from pathlib import Path

from pbxapi.testing import Client, Pbx, run_jobs


def test_the_wallboard_shows_how_many_are_open(pbx: Pbx, client: Client, board: Path) -> None:
    uuid = client.create("callbacks", number="+4930123456")
    pbx.apply()
    (domain,) = pbx.rows("select domain_uuid from v_domains where domain_name = %(name)s", name=pbx.domain)
    shown = board / f"{domain['domain_uuid']}.txt"
    assert shown.read_text("utf-8") == "1\n"
    client.request("POST", f"/callbacks/{uuid}/attempts", {"outcome": "talked"})
    pbx.apply()
    assert shown.read_text("utf-8") == "0\n"
    assert client.get("callbacks", uuid)["state"] == "done"


def test_the_one_that_has_waited_longest_is_next(client: Client) -> None:
    assert client.request("GET", "/callbacks/next").status == 404
    first, _ = (client.create("callbacks", number=number) for number in ("1001", "1002"))
    assert client.request("GET", "/callbacks/next").data["callback_uuid"] == first
    assert client.request("GET", "/callbacks/next.php", query={"state": "open"}).data["callback_uuid"] == first
    assert client.request("GET", "/callbacks/next", query={"state": "late"}).status == 404
    assert client.request("GET", "/callbacks/next", query={"state": "asleep"}).error["field"] == "state"


def test_what_is_done_takes_no_attempt(client: Client) -> None:
    uuid = client.create("callbacks", number="+4930123456")
    for status in (201, 400):
        assert client.request("POST", f"/callbacks/{uuid}/attempts", {"outcome": "talked"}).status == status


def test_a_callback_that_nobody_makes_is_late_and_then_given_up(pbx: Pbx, client: Client) -> None:
    uuid = client.create("callbacks", number="+4930123456")
    assert run_jobs(pbx, "callbacks") == 0
    pbx.run("update pbxapi.job set due_at = now()")
    assert run_jobs(pbx, "callbacks") == 1
    assert client.get("callbacks", uuid)["state"] == "late"
    told = pbx.rows("select record_uuid::text, data from pbxapi.event where type = 'callbacks.late'")
    assert told == [{"record_uuid": uuid, "data": {"callback_uuid": uuid}}]
    pbx.run("update plugin_callbacks.callback set insert_date = now() - interval '31 days'")
    pbx.run("update pbxapi.schedule set next_at = now()")
    assert run_jobs(pbx, "callbacks") == 1
    assert client.get("callbacks", uuid)["state"] == "given up"


def test_its_figure_is_part_of_the_metrics(client: Client) -> None:
    client.create("callbacks", number="+4930123456")
    metrics = client.app.test_client().get("/metrics").text
    assert 'pbxapi_callbacks_by_state{state="open"} 1.0' in metrics


def test_its_check_is_part_of_the_health(client: Client) -> None:
    health = client.app.test_client().get("/readyz").get_json()
    assert health["plugins"]["checks"] == {"callbacks.on_time": "0 late"}
