"""Finding plugins: a broken one of somebody else's is left out with its reason, and the product goes on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxapi.app import create_app
from pbxapi.config import Config
from pbxapi.plugin import loader
from pbxapi.plugin.loader import LoadedPlugin, Registry, load_plugins
from pbxapi.plugin.rules import PluginError, supports

CATALOGUE = {"v_notes": {"note_uuid": "uuid", "domain_uuid": "uuid", "text": "text"}}

PLUGIN = """
from pbxapi.plugin import Operation, Plugin, Record, Resource, Text, fields


class Note(Record):
    note_uuid = fields.UUID(dump_only=True)
    text = Text(required=True)


def answer(call):
    return None


notes = Resource(
    name="notes", label="Note", id="note_uuid", schema=Note, table="v_notes", standard=("list", "get"),
)
plugin = Plugin(name="notes", version="1.0.0", resources=(notes,))
"""
LIST = "-- Notes.\nselect note_uuid, text from v_notes where domain_uuid = %(domain_uuid)s"
GET = LIST + " and note_uuid = %(note_uuid)s"


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[Path]:
    """A folder for plugins of somebody else's; what was imported from it is forgotten afterwards."""
    before = set(sys.modules)
    folder = tmp_path / "plugins"
    folder.mkdir()
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("pbxapi_plugins_"):
            del sys.modules[name]


def write(folder: Path, name: str, code: str = PLUGIN, **sql: str) -> Path:
    """A plugin's folder; its statements are list and get where none are named."""
    place = folder / name
    (place / "sql").mkdir(parents=True)
    (place / "plugin.py").write_text(code)
    for statement, text in (sql or {"list": LIST, "get": GET}).items():
        (place / "sql" / f"{statement}.sql").write_text(text)
    return place


def load(*folders: Path, **settings: object) -> Registry:
    config = Config(database_url="postgresql://", plugins_path=folders, **settings)  # type: ignore[arg-type]
    return load_plugins(config, CATALOGUE)


def named(registry: Registry, name: str) -> LoadedPlugin:
    return next(plugin for plugin in registry.plugins if plugin.name == name)


def test_a_plugin_in_a_folder_serves(plugins: Path) -> None:
    place = write(plugins, "notes")
    registry = load(plugins)
    notes = registry.resources["notes"]
    assert (notes.plugin, notes.origin) == ("notes", str(place))
    assert set(notes.statements) == {"list", "get"}
    assert not named(registry, "notes").builtin


def test_the_products_own_plugins_all_serve() -> None:
    registry = load()
    assert {"extensions", "voicemails", "gateways", "changes"} <= set(registry.resources)
    assert all(plugin.builtin and not plugin.error for plugin in registry.plugins)


def serving(*operations: str) -> str:
    """The plugin with further operations."""
    return PLUGIN.replace('"get"),', f'"get"), operations=({", ".join(operations)},),')


def declared(**attributes: str) -> str:
    """The plugin with other attributes."""
    more = ", ".join(f"{name}={value!r}" for name, value in attributes.items())
    return PLUGIN.replace('name="notes", version="1.0.0"', more)


BROKEN = {
    "syntax": ("def (:\n", "invalid syntax"),
    "import": ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
    "raises": ("raise RuntimeError('not today')\n", "not today"),
    "exits": ("import sys\nsys.exit('over and out')\n", "over and out"),
    "silent": ("raise LookupError\n", "LookupError"),
    "nothing": ("", "no Plugin named"),
    "wrong": ("plugin = 'notes'\n", "no Plugin named"),
    "name": (declared(name="No Tes", version="1"), "lower-case"),
    "resource-name": (PLUGIN.replace('Resource(\n    name="notes"', 'Resource(name="../notes"'), "lower-case"),
    "newer": (declared(name="notes", version="1", api=">=2"), "needs plugin API >=2"),
    "older": (declared(name="notes", version="1", api="<1"), "needs plugin API <1"),
    "range": (declared(name="notes", version="1", api="latest"), "is not of the form"),
    "schema": (PLUGIN.replace("text = Text(required=True)", "text = Text(maximum=3)"), "maximum"),
    "twice": (PLUGIN.replace("resources=(notes,)", "resources=(notes, notes)"), "notes"),
    "same-url": (serving('Operation("a", answer, path="x")', 'Operation("b", answer, path="x")'), "have the same"),
    "same-php": (serving('Operation("a", answer, path="x", php="list")'), "have the same"),
    "body": (serving('Operation("a", answer, ("POST",), path="a", body=lambda **k: 1 / 0)'), "division by zero"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_left_out_with_its_reason(
    plugins: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    code, reason = BROKEN[what]
    place = write(plugins, "bad", code)
    write(plugins, "zgood", PLUGIN.replace('"notes"', '"good"'))
    with caplog.at_level(logging.ERROR):
        registry = load(plugins)
    bad = next(plugin for plugin in registry.plugins if plugin.origin == str(place))
    assert reason in bad.error
    assert registry.plugin(bad.name) is None
    assert "good" in registry.resources
    assert "extensions" in registry.resources
    assert str(place) in caplog.text
    assert reason in caplog.text


STATEMENTS = {
    "without-a-domain": (LIST.partition(" where")[0], "v_notes belongs to domains"),
    "with-a-star": ("select * from v_notes where domain_uuid = %(domain_uuid)s", "select *"),
    "with-a-star-of-a-table": ("select 1, n.* from v_notes as n where domain_uuid = %(domain_uuid)s", "select *"),
    "of-two": (LIST + "; drop table v_notes", "one statement a file"),
    "of-another-kind": ("drop table v_notes", "not 'drop'"),
    "empty": ("", "empty"),
}


@pytest.mark.parametrize("what", STATEMENTS)
def test_a_plugin_with_a_statement_that_may_not_be_is_left_out(plugins: Path, what: str) -> None:
    text, reason = STATEMENTS[what]
    write(plugins, "notes", list=text, get=GET)
    registry = load(plugins)
    assert reason in named(registry, "notes").error
    assert "list.sql" in named(registry, "notes").error
    assert "notes" not in registry.resources


def test_a_plugin_without_a_statement_that_it_needs_is_left_out(plugins: Path) -> None:
    write(plugins, "notes", list=LIST)
    assert "get.sql" in named(load(plugins), "notes").error


def test_a_statement_on_tables_of_nobody_needs_no_domain(plugins: Path) -> None:
    write(plugins, "notes", list="select note_uuid, text from v_colours", get="select 1 as text from v_colours")
    assert not named(load(plugins), "notes").error


def test_two_plugins_of_one_name_are_told_apart_by_their_places(tmp_path: Path, plugins: Path) -> None:
    first = write(plugins, "notes")
    second = write(tmp_path / "more", "notes")
    registry = load(plugins, tmp_path / "more")
    clash = next(plugin for plugin in registry.plugins if plugin.origin == str(second))
    assert str(first) in clash.error
    assert registry.resources["notes"].origin == str(first)


def test_a_resource_of_the_products_own_is_not_taken_over(plugins: Path) -> None:
    write(
        plugins,
        "mine",
        PLUGIN.replace('"notes"', '"mine"', 2).replace('name="mine", label', 'name="extensions", label'),
    )
    registry = load(plugins)
    mine = next(plugin for plugin in registry.plugins if not plugin.builtin)
    assert "extensions is taken by" in mine.error
    assert str(Path(registry.resources["extensions"].origin).name) == "extensions"
    assert registry.resources["extensions"].origin in mine.error


def test_a_broken_plugin_does_not_keep_a_name_from_others(tmp_path: Path, plugins: Path) -> None:
    write(plugins, "notes", "raise RuntimeError('broken')")
    good = write(tmp_path / "more", "notes")
    registry = load(plugins, tmp_path / "more")
    assert registry.resources["notes"].origin == str(good)


def test_in_safe_mode_only_the_products_own_are_read(plugins: Path) -> None:
    place = write(plugins, "notes", "raise SystemExit('was imported')")
    registry = load(plugins, safe_mode=True)
    assert all(plugin.origin != str(place) for plugin in registry.plugins)


def test_only_the_plugins_that_are_named_are_read(plugins: Path) -> None:
    write(plugins, "notes")
    write(plugins, "more_notes", "raise RuntimeError('was imported')")
    registry = load(plugins, plugins=("notes", "changes"))
    assert {plugin.name for plugin in registry.plugins} == {"notes", "changes"}


def test_a_broken_plugin_of_the_products_own_ends_the_start(
    tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = loader.builtin_folder
    write(plugins, "notes", list="select note_uuid, text from v_notes", get=GET)
    monkeypatch.setattr(loader, "builtin_folder", lambda name: plugins if name == "plugins" else own(name))
    monkeypatch.setattr(loader, "_PACKAGE", "pbxapi_plugins_broken")
    (tmp_path / "none").mkdir()
    with pytest.raises(PluginError, match=r"plugin notes \(.*notes\): "):
        load()


def test_a_plugin_of_somebody_elses_serves_in_the_application(plugins: Path, database_url: str) -> None:
    text = PLUGIN.replace("v_notes", "v_contacts").replace("note_uuid", "contact_uuid")
    sql = {
        name: statement.replace("v_notes", "v_contacts")
        .replace("note_uuid", "contact_uuid")
        .replace(" text", " contact_type as text")
        for name, statement in (("list", LIST), ("get", GET))
    }
    write(plugins, "notes", text, **sql)
    write(plugins, "bad", "raise RuntimeError('broken')")
    app = create_app(Config(database_url=database_url, plugins_path=(plugins,)), ask=lambda *_: {})
    headers = {"X-API-Key": "test-key-5f0c2a4e7d6b4d1c", "X-Domain": "pbx.example.com"}
    for path in ("/api/v1/notes", "/api/v1/notes/list.php", "/api/v1/extensions"):
        response = app.test_client().get(path, headers=headers)
        assert response.status_code == 200, response.text
        assert response.get_json()["pagination"]["total"] > 0
    app.extensions["pbxapi"].database.close()


@pytest.mark.parametrize(
    ("wanted", "version", "fits"),
    [
        (">=1,<2", "1.0", True),
        (">=1,<2", "1.9.9", True),
        (">=1,<2", "2.0", False),
        (">=1.1", "1.0", False),
        ("==1.0", "1.0.0", True),
        (" >= 1 , < 2 ", "1.5", True),
        (">1", "1.0", False),
        ("<=1.10", "1.9", True),
    ],
)
def test_a_range_holds_a_version_or_not(wanted: str, version: str, fits: bool) -> None:
    assert supports(wanted, version) is fits


@pytest.mark.parametrize("wanted", ["", "1", "~=1.0", ">=1;<2", "latest", ">=one"])
def test_what_is_no_range_is_told(wanted: str) -> None:
    with pytest.raises(PluginError, match="is not of the form"):
        supports(wanted, "1.0")
