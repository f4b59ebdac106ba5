"""One node: its host name is the switch's, and its cache is cleared in every form."""

from __future__ import annotations

import pytest

from pbxapi.errors import SwitchUnavailable
from pbxapi.switch.cache import Cache
from pbxapi.switch.node import Node


@pytest.fixture
def node(tmp_path, switch):
    (tmp_path / "cache").mkdir()
    return Node("east", switch, Cache("file", switch, tmp_path / "cache"), {"extensions": tmp_path / "conf"})


def test_the_host_name_is_asked_of_the_switch_once(node, simulator):
    assert node.hostname == "pbx1"
    assert node.hostname == "pbx1"
    assert simulator.commands == ["hostname"]


def test_the_last_known_host_name_serves_while_the_switch_is_away(tmp_path, node, switch, simulator):
    simulator.go_away()
    with pytest.raises(SwitchUnavailable):
        _ = node.hostname
    assert Node("east", switch, node.cache, {}, last_hostname="pbx0").hostname == "pbx0"


def test_the_cache_is_cleared_in_every_form_of_a_key(tmp_path, node):
    for name in ("directory.101@example.com", "pbx1.directory.101@example.com", "pbx2.directory.101@example.com"):
        (tmp_path / "cache" / name).write_text("")
    node.clear_cache(["directory:101@example.com"])
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["pbx2.directory.101@example.com"]
