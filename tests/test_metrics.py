"""/metrics: every figure is what happened, its labels are few, and reading them hurts nobody."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pbxapi.changes.nodes import Heartbeat
from pbxapi.http.figures import NOWHERE
from pbxapi.metrics import SECONDS
from pbxapi.plugin import Metric, Plugin
from pbxapi.plugin.loader import LoadedPlugin, PluginError
from pbxapi.plugin.rules import check_plugin
from pbxapi.switch.event_socket import EventSocket
from pbxapi.testing import API_KEY, Pbx, close_pbx, make_pbx

DASHBOARD = Path(__file__).parents[1] / "ops" / "grafana" / "pbxapi.json"

PLUGIN = """
from pbxapi.plugin import Metric, Plugin, Setting

def slow(run):
    return run.session.value("select count(*) from pg_sleep(%(s)s)", s=run.options["PBXAPI_PROBE_SLEEP"])

plugin = Plugin(
    name="probe",
    version="1",
    settings=(Setting("PBXAPI_PROBE_SLEEP", float, 0.0),),
    metrics={
        "sent_total": Metric("Sent.", lambda run: {("ok",): 3, ("failed",): 1}, "counter", ("result",)),
        "slept": Metric("Slept.", slow),
    },
)
"""


def figures(pbx: Pbx) -> dict[str, float]:
    """Every sample by its name and labels, as Prometheus understands them."""
    reply = pbx.app.test_client().get("/metrics")
    assert reply.status_code == 200
    assert reply.content_type.startswith("text/plain; version=")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in found, f"{name} is there twice"
            found[name] = sample.value
    return found


def test_requests_are_counted_by_route_method_and_kind_of_answer(pbx: Pbx) -> None:
    client = pbx.client
    uuids = [row["extension_uuid"] for row in client.list("extensions")][:3]
    for uuid in (*uuids, "00000000-0000-4000-8000-000000000000"):
        client.call("extensions", "get", uuid)
    client.through("php").call("extensions", "get", uuids[0])
    client.request("DELETE", "/extensions", headers={"X-API-Key": "wrong"})
    for name in ("a", "b"):
        pbx.app.test_client().open(f"/{name}", method="INVENTED")
    found = figures(pbx)
    route = "route=/api/v1/extensions/<record:uuid>"
    assert found[f"pbxapi_http_requests_total{{method=GET,{route},status=2xx}}"] == 3
    assert found[f"pbxapi_http_requests_total{{method=GET,{route},status=4xx}}"] == 1
    assert found[f"pbxapi_http_request_seconds_count{{method=GET,{route}}}"] == 4
    assert found[f"pbxapi_http_request_seconds_bucket{{le=+Inf,method=GET,{route}}}"] == 4
    assert 0 < found[f"pbxapi_http_request_seconds_sum{{method=GET,{route}}}"] < 60
    assert found["pbxapi_http_requests_total{method=GET,route=/api/v1/extensions/get.php,status=2xx}"] == 1
    assert found[f"pbxapi_http_requests_total{{method=DELETE,route={NOWHERE},status=4xx}}"] == 1
    assert found[f"pbxapi_http_requests_total{{method=other,route={NOWHERE},status=4xx}}"] == 2
    assert found["pbxapi_pool_requests_total"] > 0
    assert found["pbxapi_pool_connections"] >= 1


def test_changes_are_counted_by_node(pbx: Pbx) -> None:
    client = pbx.client
    client.create("extensions", extension="7001")
    pbx.apply()
    pbx.switch.break_xml("[error near line 108]: unexpected closing tag </section>")
    client.create("extensions", extension="7002")
    pbx.apply()
    found = figures(pbx)
    assert found["pbxapi_changes_applied_total{node=node1}"] == 1
    assert found["pbxapi_change_failures_total{node=node1}"] == 1
    assert found["pbxapi_changes_waiting{node=node1}"] == 1
    assert found["pbxapi_reloads_total{node=node1}"] == 1


def test_what_is_set_aside_shows(pbx: Pbx) -> None:
    pbx.client.create("extensions", extension="7001")
    pbx.run("update pbxapi.change_node set state = 'failed'")
    assert figures(pbx)["pbxapi_changes_failed{node=node1}"] == 1


def test_changes_that_wait_for_the_first_node_show(pbx: Pbx) -> None:
    pbx.run("delete from pbxapi.node")
    pbx.client.create("extensions", extension="7001")
    assert figures(pbx)["pbxapi_changes_homeless"] == 1


def test_the_event_socket_shows_though_nothing_is_to_be_done(pbx: Pbx) -> None:
    beating = EventSocket(pbx.switch.host, pbx.switch.port, "wrong")
    Heartbeat(pbx.database, "node1", beating).beat()
    beating.close()
    found = figures(pbx)
    assert (found["pbxapi_event_socket_up{node=node1}"], found["pbxapi_node_up{node=node1}"]) == (0, 1)
    ready = pbx.app.test_client().get("/readyz").get_json()
    assert ready["switch"]["state"] == "degraded"
    assert ready["switch"]["nodes"]["node1"]["socket_error"]
    Heartbeat(pbx.database, "node1", pbx.socket).beat()
    assert pbx.app.test_client().get("/readyz").get_json()["switch"]["state"] == "ok"


def test_requests_whose_rate_nobody_looked_at_are_counted(database_url: str, tmp_path: Path) -> None:
    system = make_pbx(database_url, tmp_path / "pbx", rate_limit="600/minute", redis_url="redis://127.0.0.1:1/0")
    try:
        before = figures(system)["pbxapi_rate_limit_unchecked_total"]
        for _ in range(3):
            system.client.list("extensions", per_page=1)
        assert figures(system)["pbxapi_rate_limit_unchecked_total"] - before == 3
    finally:
        close_pbx(system)


def test_figures_are_for_those_who_may_watch(pbx: Pbx) -> None:
    web = pbx.app.test_client()
    assert web.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 403
    assert web.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 403
    assert web.get("/metrics", headers={"X-API-Key": "wrong"}).status_code == 401
    from_afar = web.get("/metrics", headers={"X-API-Key": API_KEY}, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert from_afar.status_code == 200


@pytest.fixture
def plugged(database_url: str, tmp_path: Path) -> Iterator[Pbx]:
    """With a plugin that brings figures; one of them takes two seconds."""
    folder = tmp_path / "plugins" / "probe"
    folder.mkdir(parents=True)
    (folder / "plugin.py").write_text(PLUGIN)
    environment = {"PBXAPI_PROBE_SLEEP": "2"}
    system = make_pbx(database_url, tmp_path / "pbx", plugins_path=(folder.parent,), environment=environment)
    yield system
    close_pbx(system)


def test_a_plugins_figure_that_takes_too_long_is_left_out_and_told(plugged: Pbx) -> None:
    found = figures(plugged)
    assert found["pbxapi_figures_read{source=probe}"] == 0
    assert found["pbxapi_figures_read{source=postgresql}"] == 1
    assert "pbxapi_probe_slept" not in found
    assert found["pbxapi_node_up{node=node1}"] == 1
    loaded = plugged.app.extensions["pbxapi"].registry.plugin("probe")
    assert loaded is not None
    loaded.options["PBXAPI_PROBE_SLEEP"] = 0.0
    assert figures(plugged)["pbxapi_figures_read{source=probe}"] == 0, "what was read is believed for a second"
    time.sleep(SECONDS)
    found = figures(plugged)
    assert found["pbxapi_probe_slept"] == 1
    assert found["pbxapi_probe_sent_total{result=ok}"] == 3


@pytest.mark.parametrize(
    ("name", "metric", "reason"),
    [
        ("Sent", Metric("x", lambda _: 1), "is not lower-case letters, digits and _"),
        (
            "sent",
            Metric("x", lambda _: {("a",): 1}, labels=("of what",)),
            "is not lower-case letters, digits and _",
        ),
        ("sent", Metric("x", lambda _: 1, "counter"), "must end in _total"),
        ("sent_total", Metric("x", lambda _: 1), "must end in _total"),
    ],
)
def test_a_figure_that_prometheus_would_not_take_is_told_at_load(name: str, metric: Metric, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        check_plugin(Plugin(name="probe", version="1", metrics={name: metric}), builtin=False)


def test_a_figure_with_a_name_that_is_taken_leaves_the_others(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Plugin(name="changes", version="1", metrics={"waiting": Metric("Taken.", lambda _: 1)})
    loaded = LoadedPlugin("changes", "somewhere", False, taken)
    monkeypatch.setattr(pbx.app.extensions["pbxapi"].registry, "plugins", [loaded])
    found = figures(pbx)
    assert found["pbxapi_figures_read{source=changes}"] == 0
    assert found["pbxapi_changes_waiting{node=node1}"] == 0


def test_the_dashboard_shows_the_figures_that_there_are(pbx: Pbx) -> None:
    pbx.client.list("extensions")
    text = pbx.app.test_client().get("/metrics").text
    there = {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\S+) ", text, re.M)}
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked += [variable["query"] for variable in dashboard["templating"]["list"]]
    shown = {
        re.sub("_(bucket|sum|count)$", "", name).removesuffix("_total")
        for name in re.findall(r"\bpbxapi_\w+", " ".join(asked))
    }
    assert shown == there
