"""Ways to break a plugin: what the host sees of each, in four places, while all others answer."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from pbxapi.app import create_app
from pbxapi.changes.drain import NodeDrain
from pbxapi.changes.jobs import PluginJobs
from pbxapi.data.jobs import add_job
from pbxapi.plugin.loader import load_registry
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import NODE, Client, Pbx, close_pbx, make_pbx
from tests.plugin.written import PLUGIN, SQL, Host, write_plugin


@dataclass(frozen=True)
class Way:
    """One way to break a plugin; NAME stands for its name.

    Attributes:
        reason: how the reason begins that the host is told.
        old, new: what is replaced in the declaration of a good plugin, or all of it where there is no `old`.
        sql: statements that are not those of a good one.
        migration: its migration, which nobody has applied.
    """

    reason: str
    new: str = ""
    old: str = ""
    sql: Mapping[str, str] | None = None
    migration: str = ""

    def text(self, name: str) -> str:
        text = PLUGIN.replace("import Plugin,", "import EventType, Link, Operation, Plugin, Setting, Sort,")
        text = text.replace(self.old, self.new) if self.old else self.new or text
        return text.replace('"notes"', f'"{name}"').replace("NAME", name)


_PLUGIN = 'version="1.0.0"'
_RESOURCE = 'sort=("call_block_name",),'
_TWO = "operations=(Operation('a', print, path='x'), Operation('b', print, path='x')),"
_NAMELESS = "select call_block_uuid, call_block_name from v_call_block where %(domain_uuid)s is not null"

WAYS: Mapping[str, Way] = {
    # What is no plugin at all
    "an import that fails": Way("ModuleNotFoundError: No module named 'no_such_module'", "import no_such_module"),
    "a syntax error": Way("SyntaxError: '(' was never closed", "plugin = ("),
    "an exit": Way("SystemExit: 3", "raise SystemExit(3)"),
    "a fault of its own": Way("RuntimeError: the moon is full", "raise RuntimeError('the moon is full')"),
    "no declaration": Way("plugin.py has no Plugin named `plugin`", "answer = 42"),
    "a declaration with a word too many": Way(
        "TypeError: Plugin.__init__() got an", f"{_PLUGIN}, colour=1", _PLUGIN
    ),
    "another version of the contract": Way(
        "needs plugin API >=2,<3, this is 1.0", f'{_PLUGIN}, api=">=2,<3"', _PLUGIN
    ),
    "a fault within a function": Way("KeyError: 'moon' (plugin.py:4)", "\n\ndef f():\n    {}['moon']\n\nf()"),
    # What another has
    "a name that is taken": Way("the name users is taken by /", 'Plugin(name="users"', 'Plugin(name="notes"'),
    "a resource that is taken": Way(
        "the resource gateways is taken by /", 'name="gateways", label', 'name="notes", label'
    ),
    "an event that is taken": Way(
        "the event extension.created is taken by /",
        f"{_PLUGIN}, events=(EventType('extension.created', 'Mine.'),)",
        _PLUGIN,
    ),
    "a path that is taken": Way(
        "the path of the resource console is taken by pbxapi itself",
        'name="console", label',
        'name="notes", label',
    ),
    "two operations at one URL": Way("NAME: the operations a and b have the same clean URL", _TWO, _RESOURCE),
    "a store_new that does not wait for the checks": Way(
        "NAME: store_new must be a generator", f"{_RESOURCE} store_new=print,", _RESOURCE
    ),
    "a setting without a category": Way(
        "NAME: settings names moon, which is not category/subcategory",
        f"{_RESOURCE} settings=('moon',),",
        _RESOURCE,
    ),
    # What the operator has not done
    "a setting that is missing": Way(
        "ValueError: PBXAPI_NAME_URL is not set",
        f"{_PLUGIN}, settings=(Setting('PBXAPI_NAME_URL'.upper().replace('-', '_'), required=True),)",
        _PLUGIN,
    ),
    "a setting of the wrong kind": Way(
        "ValueError: PBXAPI_NAME_MOST must be a int",
        f"{_PLUGIN}, settings=(Setting('PBXAPI_NAME_MOST'.upper().replace('-', '_'), int),)",
        _PLUGIN,
    ),
    "a setting of somebody else's": Way(
        "the setting PBXAPI_DATABASE_URL does not begin with PBXAPI_NAME_",
        f"{_PLUGIN}, settings=(Setting('PBXAPI_DATABASE_URL'),)",
        _PLUGIN,
    ),
    "a migration that is not applied": Way(
        "its migrations 0001_first are not applied: run pbxapi migrate", migration="create table x (u uuid);"
    ),
    "a migration of FusionPBX's tables": Way(
        "migration 0001_first touches v_users: FusionPBX's tables are not altered",
        migration="alter table v_users add column note text;",
    ),
    # What is wrong with its statements
    "a statement that PostgreSQL cannot read": Way(
        'sql/list.sql: column "pelican" does not exist',
        sql={"list": SQL["list"].replace("select", "select pelican, ")},
    ),
    "a list without a column that it declares": Way(
        "the columns of NAME list: column r.call_block_name does not exist",
        sql={"list": SQL["list"].replace(", call_block_name", "")},
    ),
    "a statement that keeps nobody out": Way(
        "sql/list.sql: v_call_block belongs to domains; the statement must name %(domain_uuid)s",
        sql={"list": _NAMELESS},
    ),
    "a statement that changes tables": Way(
        "ValueError: sql/list.sql: a statement is a select, insert, update or delete, not 'drop'",
        sql={"list": "drop table v_call_block"},
    ),
    "a statement that is missing": Way(
        "NAME: there is no statement delete.sql", 'standard=("list", "get", "delete")', 'standard=("list", "get")'
    ),
    "a value that nobody gives": Way(
        "sql/get.sql: get has no %(pelican)s; it has call_block_uuid, domain_name, domain_uuid, domains",
        sql={"get": SQL["get"].replace("%(call_block_uuid)s", "%(pelican)s")},
    ),
    "a get that does not answer what an update writes": Way(
        "get.sql of NAME must answer what update.sql writes: column r.call_block_name does not exist",
        'standard=("list", "get", "update")',
        'standard=("list", "get")',
        sql={
            "get": SQL["get"].replace(", call_block_name", ""),
            "update": "update v_call_block set call_block_name = %(call_block_name)s"
            " where domain_uuid = %(domain_uuid)s and call_block_uuid = %(call_block_uuid)s",
        },
    ),
    # What is spelled wrong
    "a table that is not there": Way(
        'id and table of NAME: relation "v_blok" does not exist',
        'table="v_blok"',
        'table="v_call_block"',
    ),
    "a unique column that is not there": Way(
        'unique of NAME: column "pelican" does not exist', f'unique=("pelican",), {_RESOURCE}', _RESOURCE
    ),
    "a link to nothing": Way(
        'the link call_block_name of NAME: relation "v_extension" does not exist',
        'call_block_name = Link("v_extension", "extension_uuid")',
        "call_block_name = Text()",
    ),
    "a text instead of a tuple": Way(
        "NAME: search must be a tuple: ('call_block_name',)", f'search="call_block_name", {_RESOURCE}', _RESOURCE
    ),
    "a schema that is a record": Way(
        "NAME: schema must be a class with Record as its base", "schema=Note()", "schema=Note"
    ),
    "a standard operation that is none": Way(
        "NAME: standard names lst, which is none of list, get, create, update, delete",
        'standard=("lst", "get")',
        'standard=("list", "get")',
    ),
    "an order of an unknown kind": Way(
        "NAME: sort has the kind alphabetic, which is none of natural, text, number",
        'sort={"name": Sort("call_block_name", "alphabetic")},',
        _RESOURCE,
    ),
    "a method that is none": Way(
        "NAME: the operation 'a' has the method FETCH",
        "operations=(Operation('a', print, ('FETCH',), path='x'),),",
        _RESOURCE,
    ),
    "a scope that nobody declared": Way(
        "NAME: add the scope NAME:atempt to Plugin.scopes",
        "operations=(Operation('a', print, path='x', scope='NAME:atempt'),),",
        _RESOURCE,
    ),
    # What cannot be served
    "a path that no URL can have": Way(
        "NAME: the operation 'a' has a path that no URL can have",
        "operations=(Operation('a', print, path='<x'),),",
        _RESOURCE,
    ),
    "a row of what no record has": Way(
        "NAME: row names pelican, which Note has not",
        f'row=("call_block_uuid", "pelican"), {_RESOURCE}',
        _RESOURCE,
    ),
}


@dataclass(frozen=True)
class Broken:
    """A host with a plugin for each of `WAYS`, and a good one that is found last.

    Attributes:
        logged: what the start wrote to the log.
        printed: what ``pbxapi plugins list`` prints.
    """

    client: Client
    logged: str
    printed: str


def folder(what: str) -> str:
    return what.replace(" ", "_").replace("'", "")


def named(what: str) -> str:
    return f"broken-{list(WAYS).index(what)}"


@pytest.fixture(scope="module")
def broken(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broken]:
    root = tmp_path_factory.mktemp("broken")
    plugins = root / "plugins"
    environment = {}
    for what, way in WAYS.items():
        name = named(what)
        write_plugin(plugins, folder(what), way.text(name), {**SQL, **(way.sql or {})}, way.migration)
        environment[f"PBXAPI_{name.upper().replace('-', '_')}_MOST"] = "many"
    write_plugin(plugins, "zz_good", PLUGIN.replace("notes", "memos"))
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    with scratch_database(postgres, template) as url:
        pbx = make_pbx(url, root / "pbx")
        logging.getLogger("pbxapi").addHandler(handler)
        app = create_app(replace(pbx.config, plugins_path=(plugins,), environment=environment))
        logging.getLogger("pbxapi").removeHandler(handler)
        listed = subprocess.run(
            [sys.executable, "-m", "pbxapi.cli", "plugins", "list"],
            env={
                "PATH": os.defpath,
                "PBXAPI_FUSIONPBX_CONF": os.devnull,
                "PBXAPI_DATABASE_URL": url,
                "PBXAPI_PLUGINS_PATH": str(plugins),
                **environment,
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        yield Broken(Client(app, pbx.domain), "\n".join(lines), listed.stdout)
        app.extensions["pbxapi"].database.close()
        close_pbx(pbx)


def test_there_are_more_than_ten_ways() -> None:
    assert len(WAYS) > 20


@pytest.mark.parametrize("what", WAYS)
def test_a_broken_plugin_is_shown_with_its_reason_in_every_place(broken: Broken, what: str) -> None:
    name = named(what)
    way, client = WAYS[what], broken.client
    reason = way.reason.replace("PBXAPI_NAME_", f"PBXAPI_{name.upper().replace('-', '_')}_").replace("NAME", name)
    (shown,) = [row for row in client.list("plugins") if row["origin"].endswith(f"/{folder(what)}")]
    assert shown["error"].startswith(reason)
    assert (shown["state"], shown["resources"], shown["events"]) == ("left out", [], [])
    assert f"plugin {shown['name']} ({shown['origin']}) is left out: {shown['error']}" in broken.logged
    (line,) = [line for line in broken.printed.splitlines() if f"{shown['origin']} " in line]
    assert line.startswith(shown["name"])
    assert line.endswith(shown["error"])
    health = client.app.test_client().get("/readyz").get_json()
    assert health["state"] == "degraded"
    assert shown["error"] in health["plugins"]["left_out"].values()
    assert client.call(name, "list").status == 404


def test_all_others_answer(broken: Broken) -> None:
    client = broken.client
    rows = client.list("plugins")
    assert len([row for row in rows if row["state"] == "left out"]) == len(WAYS)
    paths = client.request("GET", "/openapi.json").body["paths"]
    for row in rows:
        for resource in row["resources"]:
            if "get" in paths.get(f"/api/v1/{resource}", {}):
                reply = client.call(resource, "list")
                # No switch is part of this: what asks one says so.
                away = reply.status == 503 and reply.error["code"] == "SWITCH_UNAVAILABLE"
                assert away if resource == "active-calls" else reply.status == 200, f"{resource}: {reply.body}"
    assert client.call("memos", "list").status == 200
    assert client.create("extensions", extension="7001")


# While it runs


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


RUNNING = PLUGIN.replace("import Plugin,", "import Job, Plugin, RunTask,")


def test_a_task_that_raises_or_is_none_fails_its_change_alone(
    pbx: Pbx, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delete = (
        "delete from v_call_block where domain_uuid = %(domain_uuid)s and call_block_uuid = %(call_block_uuid)s"
    )
    uuids = {}
    for name, tasks, task in (("notes", "{'fall': lambda: 1 / 0}", "fall"), ("memos", "{}", "fly")):
        text = RUNNING.replace('"notes"', f'"{name}"').replace('"Note"', f'"{name}"')
        effects = f'effects=lambda c: [RunTask("{name}", "{task}")]'
        text = text.replace('("list", "get")', f'("list", "get", "delete"), {effects}')
        text = text.replace('version="1.0.0"', f'version="1.0.0", tasks={tasks}')
        write_plugin(tmp_path / "plugins", name, text, {**SQL, "delete": delete})
        uuids[name] = str(uuid4())
        pbx.run(
            "insert into v_call_block (call_block_uuid, domain_uuid)"
            " select %(uuid)s, domain_uuid from v_domains where domain_name = %(name)s",
            uuid=uuids[name],
            name=pbx.domain,
        )
    config = replace(pbx.config, plugins_path=(tmp_path / "plugins",))
    app = create_app(config)
    client = Client(app, pbx.domain)
    broken = {name: client.delete(name, uuid) for name, uuid in uuids.items()}
    good = client.call("extensions", "create", json={"extension": "7002"})
    NodeDrain(config, pbx.database, load_registry(config, pbx.database), NODE, pbx.socket).run()
    errors = {n: client.get("changes", r.headers["X-Change-Id"])["nodes"][0]["error"] for n, r in broken.items()}
    assert errors == {
        "notes": "ZeroDivisionError: division by zero",
        "memos": "the plugin memos declares no task fly: add it to Plugin.tasks",
    }
    assert "a task of plugin notes failed on node node1" in caplog.text
    assert client.get("changes", good.headers["X-Change-Id"])["state"] == "applied"
    app.extensions["pbxapi"].database.close()


def test_a_check_that_raises_says_so_in_the_health_and_everything_serves(host: Host, tmp_path: Path) -> None:
    text = PLUGIN.replace('version="1.0.0"', 'version="1.0.0", checks={"sky": lambda run: 1 / 0}')
    write_plugin(tmp_path / "plugins", "notes", text)
    _, client = host()
    response = client.app.test_client().get("/readyz")
    assert response.status_code == 200
    plugins = response.get_json()["plugins"]
    assert plugins["state"] == "degraded"
    assert plugins["checks"]["notes.sky"] == "failed: ZeroDivisionError: division by zero"
    assert client.call("notes", "list").status == 200


def test_a_job_that_raises_names_the_plugin_and_the_others_jobs_are_done(
    host: Host, pbx: Pbx, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, job in (("notes", "lambda run: 1 / 0"), ("memos", "lambda run: run.log.warning('done')")):
        text = RUNNING.replace('"notes"', f'"{name}"').replace('"Note"', f'"{name}"')
        text = text.replace('version="1.0.0"', f'version="1.0.0", jobs={{"work": Job({job}, attempts=1)}}')
        write_plugin(tmp_path / "plugins", name, text)
    registry, client = host()
    for name in ("notes", "memos"):
        with pbx.database.writing() as session:
            add_job(session, name, "work", {})
        plugin = registry.plugin(name)
        assert plugin is not None
        PluginJobs(pbx.database, plugin).run()
    (row,) = pbx.rows("select plugin, state, error from pbxapi.job")
    assert row == {"plugin": "notes", "state": "failed", "error": "ZeroDivisionError: division by zero"}
    assert "plugin notes" in caplog.text
    assert "done" in caplog.text
    assert client.call("notes", "list").status == 200
