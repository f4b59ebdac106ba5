"""Plugins by other people: found, checked, and left out when they are broken while all others answer."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbxapi.app import create_app
from pbxapi.authoring import shipped_tables, write_package
from pbxapi.config import Config
from pbxapi.data.database import Database
from pbxapi.plugin.loader import Registry, load_registry, migrate_all
from pbxapi.testing import Client, Pbx

SQL = {
    "list": """
        -- Notes of a domain, for the list.
        select call_block_uuid, call_block_name from v_call_block where domain_uuid = %(domain_uuid)s
    """,
    "get": """
        -- One note.
        select call_block_uuid, call_block_name from v_call_block
         where domain_uuid = %(domain_uuid)s and call_block_uuid = %(call_block_uuid)s
    """,
}
PLUGIN = """
    from pbxapi.plugin import Plugin, Record, Resource, Text

    class Note(Record):
        call_block_uuid = Text(dump_only=True)
        call_block_name = Text()

    notes = Resource(
        name="notes", label="Note", id="call_block_uuid", schema=Note, table="v_call_block",
        standard=("list", "get"), sort=("call_block_name",),
    )
    plugin = Plugin(name="notes", version="1.0.0", resources=(notes,))
"""


def write_plugin(
    root: Path, folder: str, text: str = PLUGIN, sql: Mapping[str, str] = SQL, migration: str = ""
) -> Path:
    """A plugin in a folder below `root`."""
    place = root / folder
    (place / "sql").mkdir(parents=True)
    (place / "plugin.py").write_text(textwrap.dedent(text), "utf-8")
    for name, statement in sql.items():
        (place / "sql" / f"{name}.sql").write_text(textwrap.dedent(statement), "utf-8")
    if migration:
        (place / "migrations").mkdir()
        (place / "migrations" / "0001_first.sql").write_text(migration, "utf-8")
    return place


Host = Callable[..., tuple[Registry, Client]]


@pytest.fixture
def host(pbx: Pbx, tmp_path: Path) -> Iterator[Host]:
    """Starts the API again with the plugins below `tmp_path`; what it loaded, and a client."""
    started = []

    def start(**settings: Any) -> tuple[Registry, Client]:
        config = replace(pbx.config, **{"plugins_path": (tmp_path / "plugins",), **settings})
        app = create_app(config)
        started.append(app)
        return app.extensions["pbxapi"].registry, Client(app, pbx.domain)

    yield start
    for app in started:
        app.extensions["pbxapi"].database.close()


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


BROKEN: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "an import that fails": ("import no_such_module", {}, "ModuleNotFoundError: No module named 'no_such_module'"),
    "a syntax error": ("plugin = (", {}, "SyntaxError: '(' was never closed"),
    "an exit": ("raise SystemExit(3)", {}, "SystemExit: 3"),
    "no declaration": ("answer = 42", {}, "plugin.py has no Plugin named `plugin`"),
    "another version of the contract": (
        PLUGIN.replace('version="1.0.0"', 'version="1.0.0", api=">=2,<3"'),
        {},
        "needs plugin API >=2,<3, this is 1.0",
    ),
    "a resource that is taken": (
        PLUGIN.replace('name="notes", label', 'name="gateways", label'),
        {},
        "the resource gateways is taken by ",
    ),
    "a name that is taken": (
        PLUGIN.replace('Plugin(name="notes"', 'Plugin(name="users"'),
        {},
        "the name users is ",
    ),
    "a setting that is missing": (
        PLUGIN.replace(
            'version="1.0.0"', 'version="1.0.0", settings=(Setting("PBXAPI_NOTES_URL", required=True),)'
        ).replace("import Plugin,", "import Plugin, Setting,"),
        {},
        "ValueError: PBXAPI_NOTES_URL is not set",
    ),
    "a statement that PostgreSQL cannot read": (
        PLUGIN,
        {"list": SQL["list"].replace("select", "select pelican, ")},
        'sql/list.sql: column "pelican" does not exist',
    ),
    "a list without a column that it declares": (
        PLUGIN,
        {"list": SQL["list"].replace(", call_block_name", "")},
        "the columns of notes list: column r.call_block_name does not exist",
    ),
    "a statement that names no domain": (
        PLUGIN,
        {"list": "select call_block_uuid, call_block_name from v_domains, v_call_block"},
        "sql/list.sql: v_call_block, v_domains belongs to domains; the statement must name %(domain_uuid)s",
    ),
    "a statement that changes tables": (
        PLUGIN,
        {"list": "drop table v_call_block"},
        "ValueError: sql/list.sql: a statement is a select, insert, update or delete, not 'drop'",
    ),
    "a statement that is missing": (
        PLUGIN.replace('standard=("list", "get")', 'standard=("list", "get", "delete")'),
        {},
        "notes: there is no statement delete.sql",
    ),
    "two operations at one URL": (
        PLUGIN.replace(
            'sort=("call_block_name",),',
            "operations=(Operation('a', print, path='x'), Operation('b', print, path='x')),",
        ).replace("import Plugin,", "import Operation, Plugin,"),
        {},
        "notes: the operations a and b have the same clean URL",
    ),
    "a path that no URL can have": (
        PLUGIN.replace('sort=("call_block_name",),', "operations=(Operation('a', print, path='<x'),),").replace(
            "import Plugin,", "import Operation, Plugin,"
        ),
        {},
        "notes: the operation 'a' has a path that no URL can have",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_left_out_with_its_reason_and_the_others_answer(
    host: Host, pbx: Pbx, tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    text, sql, reason = BROKEN[what]
    write_plugin(tmp_path / "plugins", "a_broken", text, {**SQL, **sql})
    write_plugin(tmp_path / "plugins", "b_good", PLUGIN.replace("notes", "memos"))
    registry, client = host()
    (error,) = left_out(registry).values()
    assert error.startswith(reason)
    assert f"is left out: {error}" in caplog.text
    (shown,) = [row for row in client.list("plugins") if row["state"] == "left out"]
    assert (shown["error"], shown["resources"]) == (error, [])
    health = client.app.test_client().get("/readyz").get_json()
    assert (health["state"], list(health["plugins"]["left_out"].values())) == ("degraded", [error])
    assert client.call("memos", "list").status == 200
    assert client.call("notes", "list").status == 404
    assert client.create("extensions", extension="7001")


def test_a_clash_names_both_places(host: Host, tmp_path: Path) -> None:
    first = write_plugin(tmp_path / "plugins", "one")
    second = write_plugin(tmp_path / "plugins", "two")
    registry, client = host()
    (loser,) = [loaded for loaded in registry.plugins if loaded.error]
    assert (loser.origin, loser.error) == (str(second), f"the name notes is taken by {first}")
    assert client.call("notes", "list").status == 200


def test_a_handler_that_raises_answers_500_and_the_log_names_the_plugin(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = PLUGIN.replace(
        'sort=("call_block_name",),', "operations=(Operation('trip', lambda call: 1 / 0, path='trip'),),"
    )
    write_plugin(tmp_path / "plugins", "notes", text.replace("import Plugin,", "import Operation, Plugin,"))
    _, client = host()
    reply = client.request("GET", "/notes/trip.php")
    assert (reply.status, reply.error["code"]) == (500, "INTERNAL_ERROR")
    assert "ZeroDivisionError" not in str(reply.body)
    assert "failed in plugin notes" in caplog.text
    assert client.call("notes", "list").status == 200


def test_effects_that_raise_fail_their_change_alone(pbx: Pbx, tmp_path: Path) -> None:
    from pbxapi.changes.drain import NodeDrain
    from pbxapi.testing import NODE

    text = PLUGIN.replace(
        'standard=("list", "get")', 'standard=("list", "get", "delete"), effects=lambda c: 1 / 0'
    )
    delete = (
        "delete from v_call_block where domain_uuid = %(domain_uuid)s and call_block_uuid = %(call_block_uuid)s"
    )
    write_plugin(tmp_path / "plugins", "notes", text, {**SQL, "delete": delete})
    config = replace(pbx.config, plugins_path=(tmp_path / "plugins",))
    app = create_app(config)
    client = Client(app, pbx.domain)
    uuid = "7a54d2a6-4d5e-4c6e-9d4f-0d5a7c1f2b3e"
    pbx.run(
        "insert into v_call_block (call_block_uuid, domain_uuid)"
        " select %(uuid)s, domain_uuid from v_domains where domain_name = %(name)s",
        uuid=uuid,
        name=pbx.domain,
    )
    broken = client.delete("notes", uuid)
    good = client.call("extensions", "create", json={"extension": "7002"})
    NodeDrain(config, pbx.database, load_registry(config, pbx.database), NODE, pbx.socket).run()
    change = client.get("changes", broken.headers["X-Change-Id"])
    assert "ZeroDivisionError" in change["nodes"][0]["error"]
    assert client.get("changes", good.headers["X-Change-Id"])["state"] == "applied"
    app.extensions["pbxapi"].database.close()


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
    assert [(m.owner, m.name) for m in migrate_all(config, pbx.database)] == [("notes", "0001_first")]
    registry, client = host()
    assert left_out(registry) == {}
    assert client.list("notes") == []
    assert migrate_all(config, pbx.database) == []


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
    assert [m.owner for m in migrate_all(config, pbx.database)] == ["notes"]
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
    """How long 200 take is measured by tests/bench/many_plugins.py; here is counted what that depends on."""
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
    assert pbx.rows("select pid from pg_stat_activity where application_name = 'loading'") == []
