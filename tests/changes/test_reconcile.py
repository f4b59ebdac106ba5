"""pbxapi reconcile: what differs between the database and a node is found, named and put right."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pbxapi.changes.reconcile import NothingToCompare, Reconciliation
from pbxapi.plugin.loader import load_registry
from pbxapi.testing import NODE, Client, Pbx

GATEWAY = {"proxy": "sip.example.net", "register": "false", "profile": "external", "enabled": "true"}


def reconciliation(pbx: Pbx, domain: str | None = None) -> Reconciliation:
    registry = load_registry(pbx.config, pbx.database)
    return Reconciliation(pbx.config, pbx.database, registry, NODE, pbx.socket, domain)


def found(pbx: Pbx, domain: str | None = None) -> list[str]:
    return sorted(difference.what for difference in reconciliation(pbx, domain).compare())


@pytest.fixture
def small(pbx: Pbx) -> Pbx:
    """A small system; the sample data were written behind the API's back, and nothing of them is on the node."""
    for table in ("v_extensions", "v_devices", "v_dialplans", "v_voicemails", "v_destinations"):
        column = {"v_extensions": "extension", "v_voicemails": "voicemail_id"}.get(table, "null")
        pbx.run(f"delete from {table} where coalesce({column}, '') not in ('1001', '1002')")
    return pbx


@pytest.fixture
def clean(small: Pbx) -> Pbx:
    """The same, and its node is as its database says."""
    _, left = reconciliation(small).run(fix=True)
    assert left == []
    return small


@pytest.fixture
def files(clean: Pbx) -> Path:
    return clean.folders["extensions"] / clean.domain


def test_the_first_repair_writes_every_file_and_the_second_finds_nothing(small: Pbx) -> None:
    differences, left = reconciliation(small).run(fix=True)
    assert differences
    assert left == []
    extensions = small.rows(
        "select 1 from v_extensions join v_domains using (domain_uuid) "
        "where enabled::text = 'true' and domain_enabled::text = 'true'"
    )
    assert len(list(small.folders["extensions"].glob("*/v_*.xml"))) == len(extensions) > 0
    assert found(small) == []


def test_a_repair_reads_the_xml_once_for_each_profile_or_once(clean: Pbx, files: Path) -> None:
    profiles = {reload.by for reload in clean.switch.reload_log}
    assert profiles == {"rescan"}
    assert clean.switch.reloads == 1
    for path in files.glob("v_*.xml"):
        path.unlink()
    reconciliation(clean).run(fix=True)
    assert [reload.by for reload in clean.switch.reload_log[1:]] == ["reloadxml"]


def test_looking_changes_nothing(clean: Pbx, files: Path) -> None:
    (files / "v_1001.xml").unlink()
    (files / "v_9999.xml").write_text("<include/>")
    changes = clean.rows("select count(*) from pbxapi.change")
    assert found(clean) == [
        f"extensions/{clean.domain}/v_1001.xml is missing",
        f"extensions/{clean.domain}/v_9999.xml belongs to no record",
    ]
    assert not (files / "v_1001.xml").exists()
    assert (files / "v_9999.xml").exists()
    assert clean.rows("select count(*) from pbxapi.change") == changes


def test_a_lost_a_changed_and_a_stray_file_are_mended(clean: Pbx, files: Path) -> None:
    good = (files / "v_1002.xml").read_text()
    (files / "v_1001.xml").unlink()
    (files / "v_1002.xml").write_text(good.replace("1002", "1003"))
    (files / "v_9999.xml").write_text("<include/>")
    differences, left = reconciliation(clean).run(fix=True)
    assert (len(differences), left) == (3, [])
    assert (files / "v_1001.xml").exists()
    assert (files / "v_1002.xml").read_text() == good
    assert not (files / "v_9999.xml").exists()


def test_what_somebody_wrote_into_the_database_reaches_the_switch(clean: Pbx) -> None:
    clean.run("update v_extensions set enabled = false where extension = '1001'")  # behind the API's back
    assert f"the switch knows the user 1001@{clean.domain}" in found(clean)
    reconciliation(clean).run(fix=True)
    assert clean.socket.api(f"user_exists id 1001 {clean.domain}") == "false"
    assert found(clean) == []


def test_a_cache_entry_that_is_older_than_its_row_is_deleted(clean: Pbx) -> None:
    entry = clean.folders["cache"] / f"directory.1001@{clean.domain}"
    assert entry.exists()
    clean.run(
        "update v_extensions set update_date = now() where extension = '1001' and domain_uuid = "
        "(select domain_uuid from v_domains where domain_name = %(domain)s)",
        domain=clean.domain,
    )
    os.utime(entry, (time.time() - 60, time.time() - 60))
    assert found(clean) == [f"the cache's directory:1001@{clean.domain} is older than the record"]
    before = entry.stat().st_mtime
    reconciliation(clean).run(fix=True)
    assert not entry.exists() or entry.stat().st_mtime > before


def test_a_user_in_the_cache_that_is_no_longer_in_the_database_goes(clean: Pbx) -> None:
    for host in ("", "switch1."):
        (clean.folders["cache"] / f"{host}directory.9999@{clean.domain}").write_text("<document/>")
    reconciliation(clean).run(fix=True)
    assert list(clean.folders["cache"].glob("*9999*")) == []
    assert found(clean) == []


def test_a_gateway_that_the_switch_lost_is_found_again_and_one_that_nobody_knows_is_taken_out(
    clean: Pbx,
) -> None:
    client = clean.client
    kept, gone = (client.create("gateways", gateway=name, **GATEWAY) for name in ("kept", "gone"))
    clean.apply()
    clean.socket.api(f"sofia profile external killgw {kept}")
    clean.run("delete from v_gateways where gateway_uuid = %(uuid)s", uuid=gone)
    assert found(clean) == sorted(
        [
            "the switch does not run the gateway",
            f"sip_profiles/external/v_{gone}.xml belongs to no record",
            f"the switch runs gateway {gone}, which belongs to no record",
        ]
    )
    _, left = reconciliation(clean).run(fix=True)
    assert left == []
    assert {kept} == clean.switch.gateways.keys() & {kept, gone}


def test_a_gateway_of_a_closed_domain_or_of_none_is_left_alone(clean: Pbx) -> None:
    closed, shared = (clean.client.create("gateways", gateway=name, **GATEWAY) for name in ("closed", "shared"))
    clean.apply()
    clean.run(
        "update v_gateways set domain_uuid = (select domain_uuid from v_domains "
        "where domain_enabled::text <> 'true' limit 1) where gateway_uuid = %(uuid)s",
        uuid=closed,
    )
    clean.run("update v_gateways set domain_uuid = null where gateway_uuid = %(uuid)s", uuid=shared)
    reconciliation(clean).run(fix=True)
    assert {closed, shared} <= clean.switch.gateways.keys()
    for uuid in (closed, shared):
        assert (clean.folders["sip_profiles"] / "external" / f"v_{uuid}.xml").exists()


def test_files_are_no_strays_where_nobody_accounts_for_them(clean: Pbx, files: Path) -> None:
    (files / "v_9999.xml").write_text("<include/>")
    registry = load_registry(clean.config, clean.database)
    registry.plugins[:] = [plugin for plugin in registry.plugins if plugin.name != "extensions"]
    without = Reconciliation(clean.config, clean.database, registry, NODE, clean.socket)
    without.run(fix=True)
    assert (files / "v_9999.xml").exists()


def test_nothing_is_taken_for_a_stray_while_a_record_cannot_be_asked(
    clean: Pbx, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(change: object) -> None:
        raise RuntimeError("the plugin is broken")

    registry = load_registry(clean.config, clean.database)
    extensions = registry.resources["extensions"]
    monkeypatch.setattr(extensions, "declaration", replace(extensions.declaration, effects=broken))
    (files / "v_9999.xml").write_text("<include/>")
    differences = Reconciliation(clean.config, clean.database, registry, NODE, clean.socket).compare()
    assert any("the plugin is broken" in difference.what for difference in differences)
    assert not any("belongs to no record" in difference.what for difference in differences)


def test_one_domain_is_compared_without_the_others(clean: Pbx) -> None:
    for domain in (clean.domain, clean.other_domain):
        (clean.folders["extensions"] / domain / "v_1001.xml").unlink()
    assert found(clean, clean.other_domain.upper()) == [f"extensions/{clean.other_domain}/v_1001.xml is missing"]
    reconciliation(clean, clean.other_domain).run(fix=True)
    assert found(clean) == [f"extensions/{clean.domain}/v_1001.xml is missing"]


def test_what_cannot_be_mended_is_left_and_said(clean: Pbx, files: Path) -> None:
    (files / "v_1001.xml").unlink()
    clean.switch.break_xml("[error near line 108]: unexpected closing tag </section>")
    (files / "v_1002.xml").unlink()
    (files / "v_1002.xml").mkdir()
    differences, left = reconciliation(clean).run(fix=True)
    assert len(differences) == 2
    assert any("v_1002.xml" in difference.what for difference in left)


def test_an_unknown_node_and_an_unknown_domain_are_named(pbx: Pbx) -> None:
    registry = load_registry(pbx.config, pbx.database)
    with pytest.raises(NothingToCompare, match="elsewhere"):
        Reconciliation(pbx.config, pbx.database, registry, "elsewhere", pbx.socket).compare()
    with pytest.raises(NothingToCompare, match=r"nosuch\.example\.com"):
        reconciliation(pbx, "nosuch.example.com").compare()


def test_a_change_that_waits_is_applied_on_the_way(clean: Pbx, client: Client) -> None:
    client.create("extensions", extension="7001")
    assert f"extensions/{clean.domain}/v_7001.xml is missing" in found(clean)
    _, left = reconciliation(clean).run(fix=True)
    assert left == []
    assert clean.socket.api(f"user_exists id 7001 {clean.domain}") == "true"
