"""The command line: what it says when something is wrong, and what it shows when all is well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests
from psycopg.conninfo import conninfo_to_dict

from pbxapi import __version__
from pbxapi.data.database import Database
from pbxapi.plugin.loader import load_registry
from pbxapi.sandbox.database import create_schema, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import claim_port, held
from pbxapi.sandbox.stack import Program
from pbxapi.testing import Pbx
from tests.plugin import written

NOWHERE = "postgresql://pbxapi:geheim@127.0.0.1:1/fusionpbx"


def pbxapi(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.defpath, "PBXAPI_FUSIONPBX_CONF": os.devnull, **environment}
    return subprocess.run(
        [sys.executable, "-m", "pbxapi.cli", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def on(pbx: Pbx, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return pbxapi(*arguments, PBXAPI_DATABASE_URL=pbx.config.database_url, **environment)


def test_help_lists_every_command_without_a_database() -> None:
    shown = pbxapi("--help")
    assert shown.returncode == 0
    for command in ("sandbox", "serve", "worker", "relay", "jobs", "migrate", "plugins", "changes", "nodes"):
        assert f"\n  {command} " in shown.stdout
    assert pbxapi("--version").stdout.strip().endswith(__version__)


@pytest.mark.parametrize(
    "arguments", [["serve"], ["worker"], ["relay"], ["jobs"], ["migrate"], ["changes", "list"], ["nodes", "list"]]
)
def test_a_wrong_setting_ends_every_command_with_2_and_one_line(arguments: list[str]) -> None:
    for environment, words in (
        ({}, "pbxapi: PBXAPI_DATABASE_URL: is not set"),
        ({"PBXAPI_DATABASE_URL": NOWHERE, "PBXAPI_THREADS": "0"}, "pbxapi: PBXAPI_THREADS: must lie between"),
    ):
        ended = pbxapi(*arguments, **environment)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith(words)
        assert ended.stderr.count("\n") == 1


def test_a_database_that_does_not_answer_is_one_line_without_its_password() -> None:
    ended = pbxapi("serve", PBXAPI_DATABASE_URL=NOWHERE)
    assert ended.returncode == 1
    assert ended.stderr.startswith("pbxapi: PostgreSQL: ")
    assert ended.stderr.count("\n") == 1
    assert "geheim" not in ended.stderr


def test_a_command_that_does_not_exist_is_named() -> None:
    ended = pbxapi("swerve", PBXAPI_DATABASE_URL=NOWHERE)
    assert ended.returncode == 2
    assert "swerve" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_migrate_makes_the_tables_once_and_nothing_starts_without_them(postgres: EmbeddedPostgres) -> None:
    with scratch_database(postgres, "template1") as url:
        create_schema(url)
        for command in ("serve", "worker", "relay", "jobs"):
            ended = pbxapi(command, PBXAPI_DATABASE_URL=url)
            assert ended.returncode == 1
            assert "the database lacks pbxapi/0001_changes" in ended.stderr
            assert "run pbxapi migrate" in ended.stderr
        first = pbxapi("migrate", PBXAPI_DATABASE_URL=url)
        assert first.returncode == 0, first.stderr
        assert first.stdout.startswith("applied pbxapi/0001_changes\n")
        assert pbxapi("migrate", PBXAPI_DATABASE_URL=url).stdout == "nothing to do\n"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("insert into pbxapi.migration values ('pbxapi', '9999_later', '')")
        for command in ("serve", "worker", "relay", "jobs", "migrate"):
            ended = pbxapi(command, PBXAPI_DATABASE_URL=url)
            assert ended.returncode == 1
            assert "holds migration 9999_later, which this version does not know: it is newer" in ended.stderr


def test_migrate_says_which_plugins_migration_failed_and_does_all_else(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    written.write_plugin(
        tmp_path,
        "a_bad",
        written.PLUGIN.replace('"notes"', '"a-bad"'),
        migration="create table note (u nonsense);",
    )
    written.write_plugin(tmp_path, "b_good", migration="create table note (u uuid primary key);")
    (tmp_path / "c_useless").mkdir()
    (tmp_path / "c_useless" / "plugin.py").write_text("raise RuntimeError('a part is missing')\n")
    with scratch_database(postgres, "template1") as url:
        create_schema(url)
        settings = {"PBXAPI_DATABASE_URL": url, "PBXAPI_PLUGINS_PATH": str(tmp_path)}
        for said in ("applied pbxapi/0001_changes\n", ""):
            ended = pbxapi("migrate", **settings)
            assert ended.returncode == 1
            assert ended.stdout.startswith(said)
            assert ended.stdout.endswith("applied notes/0001_first\n" if said else "")
            assert ended.stderr.startswith("pbxapi: the plugin a-bad is not migrated: ")
            assert 'type "nonsense" does not exist' in ended.stderr
            assert ended.stderr.count("\n") == 1
        (tmp_path / "a_bad" / "migrations" / "0001_first.sql").write_text(
            "create table note (u uuid primary key);"
        )
        mended = pbxapi("migrate", **settings)
        assert (mended.returncode, mended.stdout) == (0, "applied a-bad/0001_first\n")


def test_plugins_are_listed_with_what_they_serve_or_why_not(pbx: Pbx, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "plugin.py").write_text("raise RuntimeError('a part is missing')\n")
    shown = on(pbx, "plugins", "list", PBXAPI_PLUGINS_PATH=str(tmp_path))
    assert shown.returncode == 0
    lines = {line.split()[0]: line for line in shown.stdout.splitlines()}
    for resource in load_registry(pbx.config, pbx.database).resources:
        assert any(resource in line.split() for line in lines.values())
    assert lines["broken"].endswith("RuntimeError: a part is missing (plugin.py:1)")
    assert str(broken) in lines["broken"]


PLUGIN = """
from pbxapi.plugin import Command, Plugin

def arguments(parser):
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("name")

def greet(run):
    with run.database.reading() as session:
        domains = session.value(
            "select count(*) from v_domains where %(domains)s::uuid[] is null or domain_uuid = any(%(domains)s)",
            domains=None,
        )
    print("hello " * run.arguments.times + run.arguments.name, domains)
    return 3

plugin = Plugin(name="greetings", version="1.0.0", commands={"greet": Command(greet, arguments, "Say hello.")})
"""


def test_a_plugin_can_bring_a_command(pbx: Pbx, tmp_path: Path) -> None:
    folder = tmp_path / "greetings"
    folder.mkdir()
    (folder / "plugin.py").write_text(PLUGIN)
    ended = on(pbx, "greet", "--times", "2", "Anna", PBXAPI_PLUGINS_PATH=str(tmp_path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "hello hello Anna 3\n", "")
    assert "--times" in on(pbx, "greet", "--help", PBXAPI_PLUGINS_PATH=str(tmp_path)).stdout
    assert on(pbx, "greet", PBXAPI_PLUGINS_PATH=str(tmp_path)).returncode == 2


def test_changes_are_listed_newest_first_and_shown_with_their_nodes(pbx: Pbx) -> None:
    first = pbx.client.call("extensions", "create", json={"extension": "7001"})
    pbx.apply()
    second = pbx.client.call("extensions", "create", json={"extension": "7002"})
    ids = [reply.headers["X-Change-Id"] for reply in (second, first)]
    shown = on(pbx, "changes", "list").stdout.splitlines()
    assert [line.split()[0] for line in shown[1:]] == ids
    assert [" pending " in line for line in shown[1:]] == [True, False]
    assert on(pbx, "changes", "list", "--state", "applied").stdout.count("\n") == 2
    assert on(pbx, "changes", "list", "--most", "1").stdout.count("\n") == 2
    one = on(pbx, "changes", "show", ids[1]).stdout
    assert f"record_uuid: {first.data['extension_uuid']}" in one
    assert "node1" in one.splitlines()[-1]
    assert "applied" in one.splitlines()[-1]


def test_a_change_that_is_not_there_is_said_so(pbx: Pbx) -> None:
    for command in ("show", "retry"):
        ended = on(pbx, "changes", command, str(uuid4()))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.count("\n") == 1
    assert on(pbx, "changes", "show", "17").returncode == 2
    assert on(pbx, "changes", "retry").returncode == 2


def test_all_that_failed_is_tried_again_at_once(pbx: Pbx) -> None:
    replies = [pbx.client.call("extensions", "create", json={"extension": f"700{n}"}) for n in range(3)]
    pbx.run("update pbxapi.change_node set state = 'failed', attempts = 8, error = 'the disk was full'")
    assert on(pbx, "changes", "retry", "--failed").stdout == "tried again: 3\n"
    pbx.apply()
    assert {pbx.change(reply)["state"] for reply in replies} == {"applied"}


def test_nodes_are_listed_and_one_that_is_gone_is_forgotten_with_what_waits_for_it(pbx: Pbx) -> None:
    pbx.run("insert into pbxapi.node (name, seen_at) values ('gone', now() - interval '1 hour')")
    reply = pbx.client.call("extensions", "create", json={"extension": "7001"})
    pbx.apply()
    assert pbx.change(reply)["state"] == "pending"
    lines = {line.split()[0]: line.split() for line in on(pbx, "nodes", "list").stdout.splitlines()}
    assert "yes" in lines["node1"]
    assert "no" in lines["gone"]
    assert on(pbx, "nodes", "forget", "unknown").returncode == 1
    assert on(pbx, "nodes", "forget", "gone").stdout == "forgotten: gone\n"
    assert pbx.change(reply)["state"] == "applied"


def test_commands_leave_no_connection_open(pbx: Pbx) -> None:
    on(pbx, "nodes", "list")
    with Database(pbx.config.database_url, name="look").dedicated() as connection:
        found = connection.execute(
            "select count(*) as open from pg_stat_activity"
            " where datname = current_database() and application_name = 'pbxapi'"
        ).fetchone()
    assert found == {"open": 0}


def test_a_fusionpbx_host_needs_nothing_but_its_own_configuration(
    pbx: Pbx, redis_url: str, tmp_path: Path, api_key: str
) -> None:
    place = conninfo_to_dict(pbx.config.database_url)
    conf = tmp_path / "config.conf"
    conf.write_text(
        "database.0.type = pgsql\n"
        + "".join(
            f"database.0.{key} = {place[name]}\n"
            for key, name in {"host": "host", "port": "port", "name": "dbname"}.items()
        )
        + f"database.0.username = {place['user']}\ndatabase.0.password = {place['password']}\n"
        + f"switch.event_socket.port = {pbx.switch.port}\ncache.method = file\n"
        + f"cache.location = {pbx.folders['cache']}\nswitch.voicemail.dir = {pbx.folders['voicemail']}\n"
    )
    # Only what FusionPBX has no say in: where our own two services are in this test.
    port = claim_port(None)
    environment = {
        "PBXAPI_FUSIONPBX_CONF": str(conf),
        "PBXAPI_REDIS_URL": redis_url,
        "PBXAPI_BIND": f"127.0.0.1:{port}",
    }

    def call(method: str, path: str, **more: Any) -> requests.Response:
        headers = {"X-API-Key": api_key, "X-Domain": pbx.domain, **more.pop("headers", {})}
        return requests.request(method, f"http://127.0.0.1:{port}/api/v1{path}", headers=headers, **more)

    def answers(_: float) -> bool:
        try:
            return call("GET", "/extensions").status_code == 200
        except requests.ConnectionError:
            return False

    def registered(_: float) -> bool:
        return bool(pbx.rows("select 1 from pbxapi.node where name = 'switch1' and seen_at < now() + '1 minute'"))

    with held(tmp_path / "lock") as lock, ExitStack() as stack:
        for command, ready in (("serve", answers), ("worker", registered)):
            log = tmp_path / f"{command}.log"
            program = Program(command, environment=environment, ready=ready, log=log, lock=lock)
            stack.callback(program.stop)
            program.start()
        assert pbxapi("nodes", "forget", "node1", "--force", **environment).returncode == 0
        made = call("POST", "/extensions", json={"extension": "7001"}, headers={"Prefer": "wait=20"})
        assert (made.status_code, made.headers["X-Change-State"]) == (201, "applied")
    assert pbx.socket.api(f"user_exists id 7001 {pbx.domain}") == "true"


def test_links_are_ended_by_a_command(pbx: Pbx) -> None:
    pbx.run("insert into pbxapi.secret (name, value) values ('link:test', 'x')")
    done = on(pbx, "links", "revoke")
    assert (done.returncode, done.stdout) == (0, "ended: all links\n")
    assert [row["name"] for row in pbx.rows("select name from pbxapi.secret")] == ["etag"]


def test_a_worker_writes_its_log_in_the_format_that_was_set(pbx: Pbx) -> None:
    environment = {
        "PATH": os.defpath,
        "PBXAPI_FUSIONPBX_CONF": os.devnull,
        "PBXAPI_DATABASE_URL": pbx.config.database_url,
        "PBXAPI_REDIS_URL": "redis://127.0.0.1:1/0",
        "PBXAPI_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "pbxapi.cli", "worker", "--node", "node1"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        told = [json.loads(worker.stderr.readline())]
        while told[-1]["message"] != "node node1 is served":
            told.append(json.loads(worker.stderr.readline()))
        worker.terminate()
        told += map(json.loads, worker.stderr)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in told)
