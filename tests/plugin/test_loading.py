"""Plugins by other people: found, checked, and left out when they are broken while all others answer."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbxapi.authoring import shipped_tables, write_package
from pbxapi.config import Config
from pbxapi.data.database import Database
from pbxapi.plugin.loader import Registry, load_registry, migrate_all
from pbxapi.plugin.rules import OWN_PATHS
from pbxapi.sandbox.database import give_rights
from pbxapi.testing import Pbx
from tests.plugin.written import PLUGIN, SQL, Host, write_plugin


def left_out(registry: Registry) -> dict[str, str]:
    return {loaded.name: loaded.error for loaded in registry.plugins if loaded.error}


def test_a_plugin_of_a_folder_serves_both_families_beside_the_built_in_ones(host: Host, tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "notes")
    registry, client = host()
    assert left_out(registry) == {}
    assert client.list("notes") == client.through("php").list("notes")
    (shown,) = [row for row in client.list("plugins") if row["name"] == "notes"]
    assert (shown["state"], shown["resources"], shown["builtin"]) == ("serves", ["notes"], "false")


def test_in_safe_mode_only_the_built_in_ones_are_loaded(host: Host, tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "notes", "raise RuntimeError('not even looked at')")
    registry, client = host(safe_mode=True)
    assert all(loaded.builtin for loaded in registry.plugins)
    assert client.call("notes", "list").status == 404


def test_a_list_of_names_limits_what_is_loaded(host: Host, tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "notes")
    registry, client = host(plugins=("extensions", "voicemails"))
    assert [loaded.name for loaded in registry.plugins] == ["extensions", "voicemails"]
    registry, client = host(plugins=("extensions", "voicemails", "notes"))
    assert client.call("notes", "list").status == 200
    assert client.call("gateways", "list").status == 404


def test_what_the_product_serves_itself_is_no_name_for_a_resource(pbx: Pbx) -> None:
    prefix = pbx.config.url_prefix + "/"
    rules = [
        rule.rule.removeprefix(prefix) for rule in pbx.app.url_map.iter_rules() if rule.rule.startswith(prefix)
    ]
    served = {rule.partition("/")[0] for rule in rules}
    assert served - pbx.app.extensions["pbxapi"].registry.resources.keys() == OWN_PATHS


def test_a_clash_names_both_places(host: Host, tmp_path: Path) -> None:
    first = write_plugin(tmp_path / "plugins", "one")
    second = write_plugin(tmp_path / "plugins", "two")
    registry, client = host()
    (loser,) = [loaded for loaded in registry.plugins if loaded.error]
    assert (loser.origin, loser.error) == (str(second), f"the name notes is taken by {first}")
    assert client.call("notes", "list").status == 200


@pytest.mark.parametrize(
    "field",
    [
        "fields.Field(metadata={'enum': {1, 2}})",  # no form in JSON
        "fields.String(validate=fields.validate.Length(min={3}))",
    ],
)
def test_what_cannot_be_described_is_left_out_of_the_document_and_serves(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    text = PLUGIN.replace("call_block_name = Text()", f"call_block_name = {field}").replace(
        "import Plugin,", "import fields, Plugin,"
    )
    write_plugin(tmp_path / "plugins", "a_strange", text)
    write_plugin(tmp_path / "plugins", "b_good", PLUGIN.replace("notes", "memos"))
    _, client = host()
    document = client.request("GET", "/openapi.json")
    assert document.status == 200
    described = {path.split("/")[3] for path in document.body["paths"]}
    assert {"memos", "extensions"} <= described
    assert "notes" not in described
    assert not [name for name in document.body["components"]["schemas"] if name.startswith("Notes")]
    assert "plugin notes: the resource notes is left out of openapi.json" in caplog.text
    assert client.call("notes", "list").status == 200


def test_the_document_is_made_when_it_is_first_asked_for_and_then_kept(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pbxapi.http.documents import Documents

    made = []
    make = Documents._make

    def making(documents: Documents) -> dict[str, Any]:
        made.append(documents)
        return make(documents)

    monkeypatch.setattr(Documents, "_make", making)
    _, client = host()
    client.list("extensions")
    assert made == []
    first, second = (client.request("GET", "/openapi.json") for _ in range(2))
    assert len(made) == 1
    assert first.body == second.body


# Tables of their own

OWN = {name: text.replace("v_call_block", "plugin_notes.note") for name, text in SQL.items()}
TABLE = "create table note (call_block_uuid uuid primary key, domain_uuid uuid not null, call_block_name text);"


@pytest.fixture
def config(pbx: Pbx, tmp_path: Path) -> Config:
    return replace(pbx.config, plugins_path=(tmp_path / "plugins",))


def test_a_plugin_serves_once_its_own_tables_are_there(
    host: Host, pbx: Pbx, config: Config, tmp_path: Path
) -> None:
    write_plugin(tmp_path / "plugins", "notes", sql=OWN, migration=TABLE)
    registry, _ = host()
    assert left_out(registry) == {"notes": "its migrations 0001_first are not applied: run pbxapi migrate"}
    give_rights(pbx.superuser_url, config)
    own = Database(config.database_url)
    applied, failed = migrate_all(config, own)
    assert ([(m.owner, m.name) for m in applied], failed) == ([("notes", "0001_first")], {})
    registry, client = host()
    assert left_out(registry) == {}
    assert client.list("notes") == []
    assert migrate_all(config, own) == ([], {})
    own.close()


@pytest.mark.parametrize(
    ("migration", "reason"),
    [
        ("alter table v_users add column note text;", "touches v_users: FusionPBX's tables are not altered"),
        ("do $$ begin execute 'alter table v_' || 'users add column note text'; end $$;", "not with $$"),
        # What the text does not show, the shape of the tables does.
        ("create table v (u uuid); alter table v set schema public;", "changes what is not the plugin's own"),
        ("create table note (u nonsense);", 'type "nonsense" does not exist'),
    ],
)
def test_a_migration_that_touches_what_is_not_its_own_is_undone_and_the_others_are_applied(
    pbx: Pbx, config: Config, tmp_path: Path, migration: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_plugin(tmp_path / "plugins", "a_bad", PLUGIN.replace('"notes"', '"a-bad"'), migration=migration)
    write_plugin(tmp_path / "plugins", "b_good", sql=OWN, migration=TABLE)
    before = pbx.rows(
        "select table_name, column_name from information_schema.columns where table_schema = 'public'"
    )
    applied, failed = migrate_all(config, pbx.database)
    assert [m.owner for m in applied] == ["notes"]
    assert list(failed) == ["a-bad"]
    assert reason in failed["a-bad"]
    after = pbx.rows(
        "select table_name, column_name from information_schema.columns where table_schema = 'public'"
    )
    assert len(after) == len(before)
    assert re.search(f"plugin a-bad .* is left out: .*{re.escape(reason)}", caplog.text)
    registry = load_registry(config, pbx.database)
    assert list(left_out(registry)) == ["a-bad"]
    assert "notes" in registry.resources


def test_a_secret_never_reaches_a_jobs_arguments(host: Host, pbx: Pbx, tmp_path: Path) -> None:
    text = PLUGIN.replace(
        'sort=("call_block_name",),',
        "operations=(Operation('later', lambda call: call.later('x', secret_sauce='1'), methods=('POST',),"
        " writes=True),),",
    ).replace("import Plugin,", "import Operation, Plugin,")
    write_plugin(tmp_path / "plugins", "notes", text)
    _, client = host()
    assert client.request("POST", "/notes/later.php").status == 500
    assert pbx.rows("select 1 from pbxapi.job") == []


def test_many_plugins_cost_a_round_trip_each_and_a_request_nothing(
    host: Host, pbx: Pbx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long 200 take is measured by tests/bench/start.py; here is counted what that depends on."""
    from pbxapi.data.database import Session
    from pbxapi.data.trial import Trial

    many = 25
    columns = shipped_tables()["v_pin_numbers"]
    for number in range(many):
        write_package(f"codes-{number}", tmp_path / "packages" / str(number), "v_pin_numbers", columns)
    tried: list[str] = []
    ran: list[str] = []
    attempt, execute = Trial._try, Session._execute

    def trying(trial: Trial, text: str) -> str | None:
        tried.append(text)
        return attempt(trial, text)

    def executing(session: Session, statement: Any, parameters: Any) -> Any:
        ran.append(str(statement))
        return execute(session, statement, parameters)

    monkeypatch.setattr(Trial, "_try", trying)
    _, alone = host()
    folders = tuple((tmp_path / "packages").glob("*/pbxapi_codes_*"))
    registry, crowded = host(plugins_path=folders)
    assert (len(tried), left_out(registry)) == (many, {})
    monkeypatch.setattr(Session, "_execute", executing)
    counts = []
    for client in (alone, crowded):
        client.list("extensions")
        ran.clear()
        client.list("extensions")
        counts.append(len(ran))
    assert counts[0] == counts[1] > 0


def test_loading_leaves_no_connection_behind(pbx: Pbx, config: Config, tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "notes")
    database = Database(config.database_url, name="loading")
    load_registry(config, database)
    end = time.monotonic() + 10  # PostgreSQL ends a session a moment after its client has left
    while pbx.rows("select pid from pg_stat_activity where application_name = 'loading'"):
        assert time.monotonic() < end
        time.sleep(0.05)
