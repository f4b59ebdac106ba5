"""The API over the tables of FusionPBX's earlier versions, in both spellings of flags.

Every resource is used once, in both families of URLs. `make versions` plays the whole contract over each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pbxapi.conformance import Kind, Suite
from pbxapi.plugin.loader import load_registry
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.versions import VERSIONS, become
from pbxapi.testing import Family, close_pbx, make_pbx
from tests.contract.test_every_resource import KINDS

FAMILIES: tuple[Family, ...] = ("clean", "php")


@pytest.fixture(scope="module", params=["5.1", "5.3", "5.4 in part"])
def old(
    request: pytest.FixtureRequest,
    postgres: EmbeddedPostgres,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Suite]:
    """A telephone system of an earlier version; `in part`: every second flag is a boolean already."""
    if request.config.getoption("--fusionpbx") != VERSIONS[-1]:
        pytest.skip("the tables are those of an earlier version already")
    version, _, part = request.param.partition(" ")
    with scratch_database(postgres, template) as url:
        become(url, version, mixed=bool(part))
        pbx = make_pbx(url, tmp_path_factory.mktemp("old"), service_url=url_of_role(url))
        yield Suite(pbx, load_registry(pbx.config, pbx.database), KINDS)
        close_pbx(pbx)


def test_all_is_served(old: Suite) -> None:
    assert {loaded.name: loaded.faults for loaded in old.registry.plugins if loaded.faults} == {}
    assert old.resources.keys() >= KINDS.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_list_and_its_records_can_be_read(old: Suite, family: Family) -> None:
    client = old.client.through(family)
    for name, resource in old.resources.items():
        if "list" in resource.declaration.standard:
            rows = client.list(name, per_page=3)
            for row in rows if old.offers(name, "get") else ():
                record = client.get(name, row[resource.declaration.id])
                assert not [field for field, value in record.items() if value is True or value is False], name
                assert {field: record[field] for field in row if isinstance(record.get(field), str)} == {
                    field: str(value) for field, value in row.items() if isinstance(record.get(field), str)
                }, name


RULED = {"ring_group_forward_enabled"}
"""A flag that is never true by itself: it wants a destination."""


def flags(old: Suite, name: str, record: dict[str, Any]) -> list[str]:
    fields = old.resources[name].schema.load_fields
    return [field for field in fields if record.get(field) in ("true", "false") and field not in RULED]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.body])
def test_a_record_lives_and_each_of_its_flags_can_be_set(old: Suite, name: str, family: Family) -> None:
    client, kind = old.client.through(family), KINDS[name]
    assert isinstance(kind, Kind)
    uuid = client.create(name, **old.body(name))
    made = client.get(name, uuid)
    for field in flags(old, name, made):
        other = "false" if made[field] == "true" else "true"
        reply = client.call(name, "update", uuid, {field: other})
        if reply.status == 400:
            continue  # a flag that wants something else with it; nothing of the database's
        assert (reply.status, client.get(name, uuid)[field]) == (200, other), f"{field}: {reply.body}"
    client.delete(name, uuid)
    assert client.call(name, "get", uuid).status == 404
    old.pbx.apply()
    assert old.pbx.rows("select error from pbxapi.change_node where error is not null") == []


def test_what_a_version_has_no_column_for_is_left_out_of_answers_and_told_when_it_is_sent(old: Suite) -> None:
    columns = {
        row["column_name"]
        for row in old.pbx.rows(
            "select column_name from information_schema.columns where table_name = 'v_extensions'"
        )
    }
    reply = old.client.call("extensions", "create", json={"extension": "74321", "extension_language": "de"})
    assert reply.status == 201
    record = old.client.get("extensions", reply.data["extension_uuid"])
    if "extension_language" in columns:
        assert record["extension_language"] == "de"
        assert "warnings" not in reply.body or reply.body["warnings"] == []
    else:
        assert "extension_language" not in record
        told = ["extension_language is not stored: this version of FusionPBX has no such column"]
        assert reply.body["warnings"] == told
        again = old.client.update("extensions", record["extension_uuid"], extension_language="fr", description="x")
        assert again.body["warnings"] == told
        assert old.client.get("extensions", record["extension_uuid"])["description"] == "x"
    old.client.delete("extensions", record["extension_uuid"])
