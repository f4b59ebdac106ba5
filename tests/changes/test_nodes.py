"""Several switch nodes over one database: each its own folders, its own switch, its own state of every change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbxapi.app import create_app
from pbxapi.changes.drain import NodeDrain
from pbxapi.changes.nodes import Heartbeat
from pbxapi.config import Config
from pbxapi.data.change import add_node, count_waiting, forget_node, note_change, prune_changes
from pbxapi.data.database import Database, Session
from pbxapi.plugin.loader import load_registry
from pbxapi.sandbox import sample
from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.switch.event_socket import EventSocket
from pbxapi.testing import FOLDERS, Client, Pbx

GATEWAY = {"proxy": "sip.example.net", "register": "false", "profile": "external", "enabled": "true"}


@dataclass
class SwitchNode:
    """One host: a switch, folders, and what its worker runs."""

    name: str
    switch: SwitchSimulator
    folders: dict[str, Path]
    socket: EventSocket
    drain: NodeDrain

    def knows(self, extension: str) -> bool:
        return self.socket.api(f"user_exists id {extension} {sample.DOMAIN}") == "true"


@dataclass
class Cluster:
    """Nodes over one database, and a client of the API."""

    database: Database
    nodes: list[SwitchNode]
    client: Client

    def apply(self) -> None:
        for node in self.nodes:
            node.drain.run()

    def states(self, change_id: str) -> dict[str, str]:
        return {row["node"]: row["state"] for row in self.client.get("changes", change_id)["nodes"]}


@pytest.fixture
def cluster(database_url: str, tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        database = Database(database_url, max_size=8, name="pbxapi-test")
        stack.callback(database.close)
        nodes = [make_node(stack, database, database_url, tmp_path, f"node{n}") for n in (1, 2, 3)]
        app = create_app(Config(database_url=database_url), ask=lambda *_: {})
        stack.callback(app.extensions["pbxapi"].database.close)
        yield Cluster(database, nodes, Client(app, sample.DOMAIN))


def make_node(stack: ExitStack, database: Database, url: str, root: Path, name: str) -> SwitchNode:
    folders = {folder: root / name / folder for folder in FOLDERS}
    for folder in folders.values():
        folder.mkdir(parents=True)
    switch = SwitchSimulator(
        directory_dir=folders["extensions"],
        sip_profiles_dir=folders["sip_profiles"],
        dialplan_dir=folders["dialplan"],
        hostname=f"{name}.host.example.com",
        switchname=f"{name}-switch",
        database_url=url,
        cache_dir=folders["cache"],
    )
    stack.enter_context(switch)
    config = Config(
        database_url=url,
        node=name,
        cache_method="file",
        cache_location=folders["cache"],
        xml_extensions_dir=folders["extensions"],
        xml_sip_profiles_dir=folders["sip_profiles"],
        xml_dialplan_dir=folders["dialplan"],
        voicemail_dir=folders["voicemail"],
    )
    socket = EventSocket(switch.host, switch.port, switch.password)
    stack.callback(socket.close)
    with database.writing() as session:
        add_node(session, name)
    return SwitchNode(
        name, switch, folders, socket, NodeDrain(config, database, load_registry(config, database), name, socket)
    )


def test_every_change_reaches_the_files_the_cache_and_the_switch_of_every_node(cluster: Cluster) -> None:
    entries = [node.folders["cache"] / f"directory.7001@{sample.DOMAIN}" for node in cluster.nodes]
    for entry in entries:
        entry.write_text("<document/>")
    reply = cluster.client.call("extensions", "create", json={"extension": "7001"})
    cluster.apply()
    assert cluster.states(reply.headers["X-Change-Id"]) == dict.fromkeys(("node1", "node2", "node3"), "applied")
    for node, entry in zip(cluster.nodes, entries, strict=True):
        assert not entry.exists()
        assert (node.folders["extensions"] / sample.DOMAIN / "v_7001.xml").exists()
        assert node.switch.reloads == 1
        assert node.knows("7001")


def test_keys_with_a_host_name_use_the_one_that_the_nodes_own_switch_reports(cluster: Cluster) -> None:
    entries = []
    for node in cluster.nodes:
        assert node.switch.hostname != node.switch.switchname != node.name
        for name in (node.switch.hostname, node.switch.switchname, node.name):
            entry = node.folders["cache"] / f"{name}.configuration.sofia.conf"
            entry.write_text("<document/>")
            entries.append((entry, name == node.switch.hostname))
    made = cluster.client.create("gateways", gateway="trunk", **GATEWAY)
    for node in cluster.nodes:
        node.drain.run()
    for entry, goes in entries:
        # The rescan has made the switch write its own again; the one that was there is gone all the same.
        assert entry.read_text() != "<document/>" if goes else entry.read_text() == "<document/>"
    assert all(made in node.switch.gateways for node in cluster.nodes)


def test_a_node_that_fails_fails_alone(cluster: Cluster) -> None:
    cluster.nodes[1].switch.break_xml("[error near line 108]: unexpected closing tag </section>")
    change_id = cluster.client.call("extensions", "create", json={"extension": "7001"}).headers["X-Change-Id"]
    for _ in range(8):
        cluster.apply()
        with cluster.database.writing() as session:
            session.run("update pbxapi.change_node set due_at = clock_timestamp() where state = 'pending'")
    assert cluster.states(change_id) == {"node1": "applied", "node2": "failed", "node3": "applied"}
    shown = cluster.client.get("changes", change_id)
    assert shown["state"] == "failed"
    assert [row["error"] for row in shown["nodes"] if row["error"]] == [
        "reloadxml: +OK [[error near line 108]: unexpected closing tag </section>]"
    ]


def test_a_node_that_was_away_catches_up_and_the_others_do_not_wait(cluster: Cluster) -> None:
    away = cluster.nodes[2]
    away.switch.go_away()
    made = cluster.client.create("extensions", extension="7001")
    ids = [
        cluster.client.update("extensions", made, extension=number).headers["X-Change-Id"]
        for number in ("7002", "7003")
    ]
    cluster.apply()
    assert cluster.states(ids[-1]) == {"node1": "applied", "node2": "applied", "node3": "pending"}
    assert cluster.nodes[0].knows("7003")
    away.switch.come_back()
    away.drain.run()
    assert cluster.client.get("changes", ids[-1])["state"] == "applied"
    assert [away.knows(number) for number in ("7001", "7002", "7003")] == [False, False, True]
    assert away.switch.reloads == 1


def test_a_node_that_is_gone_for_good_is_forgotten_with_all_that_waits_for_it(cluster: Cluster) -> None:
    cluster.nodes[2].switch.go_away()
    change_id = cluster.client.call("extensions", "create", json={"extension": "7001"}).headers["X-Change-Id"]
    cluster.apply()
    assert cluster.client.get("changes", change_id)["state"] == "pending"
    with cluster.database.writing() as session:
        assert forget_node(session, "node3")
        assert not forget_node(session, "node4")
    assert cluster.client.get("changes", change_id)["state"] == "applied"
    assert cluster.states(change_id) == {"node1": "applied", "node2": "applied"}
    later = cluster.client.call("extensions", "create", json={"extension": "7002"}).headers["X-Change-Id"]
    assert cluster.states(later).keys() == {"node1", "node2"}


def test_a_hundred_creates_are_one_reload_on_each_of_three_nodes(cluster: Cluster) -> None:
    for number in range(7000, 7100):
        cluster.client.create("extensions", extension=str(number))
    cluster.apply()
    assert [node.switch.reloads for node in cluster.nodes] == [1, 1, 1]


def test_a_change_that_waits_for_three_nodes_waits_once(cluster: Cluster) -> None:
    for number in (7001, 7002):
        cluster.client.create("extensions", extension=str(number))
    cluster.nodes[0].drain.run()
    with cluster.database.reading() as session:
        assert count_waiting(session, 100) == 2
        assert count_waiting(session, 1) == 1


# Coming and going


def note(session: Session) -> str:
    return str(
        note_change(
            session,
            resource="extensions",
            action="update",
            record_uuid=sample.DOMAIN_UUID,
            domain_uuid=sample.DOMAIN_UUID,
            domain_name=sample.DOMAIN,
            old=None,
            changed=(),
            request_id="",
            key_id="",
        )
    )


def nodes_of(pbx: Pbx, change_id: str) -> list[str]:
    rows = pbx.rows("select node from pbxapi.change_node where change_id = %(id)s order by node", id=change_id)
    return [row["node"] for row in rows]


def test_a_write_that_meets_a_node_on_its_way_in_is_noted_for_it(pbx: Pbx) -> None:
    noted: list[str] = []

    def write() -> None:
        with pbx.database.writing() as session:
            change_id = note(session)
        noted.append(change_id)

    with pbx.database.writing() as session:
        assert add_node(session, "node2")
        writing = threading.Thread(target=write)
        writing.start()
        time.sleep(0.3)
        assert not noted, "the write did not wait"
    writing.join()
    assert nodes_of(pbx, noted[0]) == ["node1", "node2"]


def test_the_first_node_waits_for_the_write_under_way_and_takes_it(pbx: Pbx) -> None:
    pbx.run("delete from pbxapi.node")

    def come() -> None:
        with pbx.database.writing() as session:
            add_node(session, "node2")

    with pbx.database.writing() as session:
        change_id = note(session)
        session.value("select")  # what was noted travels with it
        coming = threading.Thread(target=come)
        coming.start()
        time.sleep(0.3)
        assert coming.is_alive()
    coming.join()
    assert nodes_of(pbx, change_id) == ["node2"]


def test_a_change_of_an_only_node_that_is_forgotten_waits_for_the_next(pbx: Pbx, client: Client) -> None:
    change_id = client.call("extensions", "create", json={"extension": "7001"}).headers["X-Change-Id"]
    with pbx.database.writing() as session:
        forget_node(session, "node1")
    assert client.get("changes", change_id)["state"] == "pending"
    pbx.run("update pbxapi.change set created_at = now() - interval '1 year'")
    with pbx.database.reading() as session:
        assert prune_changes(session, 14) == 0
    with pbx.database.writing() as session:
        add_node(session, "node1")
    pbx.apply()
    assert client.get("changes", change_id)["state"] == "applied"


def test_a_forgotten_node_whose_worker_lives_is_made_known_again(
    pbx: Pbx, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pbx.database.writing() as session:
        forget_node(session, "node1")
    Heartbeat(pbx.database, "node1", pbx.socket).beat()
    assert "pbxapi reconcile --fix" in caplog.text
    change_id = client.call("extensions", "create", json={"extension": "7001"}).headers["X-Change-Id"]
    assert nodes_of(pbx, change_id) == ["node1"]


def test_a_heartbeat_tells_both_names_of_the_switch(pbx: Pbx) -> None:
    pbx.switch.switchname = "another"
    Heartbeat(pbx.database, "node1", pbx.socket).beat()
    assert pbx.rows("select hostname, switchname from pbxapi.node") == [
        {"hostname": "switch1", "switchname": "another"}
    ]
