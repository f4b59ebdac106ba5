"""Our own tables in a file and back; and the story of an operator who restores FusionPBX's own backup."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pbxapi.config import Config
from pbxapi.data.backup import BackupError, back_up, restore
from pbxapi.data.database import Database
from pbxapi.data.migrations import Migration, builtin_migrations, migrate, pending_migrations
from pbxapi.http import callers
from pbxapi.plugin.loader import all_migrations, load_plugins, migrate_all
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres, program
from pbxapi.testing import Pbx

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "plugins" / "example" / "pbxapi_callbacks"
TABLES = "select schemaname || '.' || tablename from pg_tables where schemaname in ('pbxapi', 'plugin_callbacks')"


def run(url: str, *statements: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(run(url, f"select t::text from {table} as t")) for (table,) in run(url, TABLES)}


@pytest.fixture
def url(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """A database with rows of ours in many tables, those of a plugin too, and what is hard to write down."""
    with scratch_database(postgres, template) as found:
        config = Config(database_url=found, plugins_path=(EXAMPLE,))
        database = Database(found)
        migrate_all(config, database)
        database.close()
        run(
            found,
            "insert into pbxapi.node (name, error)"
            " values ('node1', E'a\\ttab, a\\\\backslash, a\\nline, \u00fc\u4e2d')",
            "insert into pbxapi.api_key (api_key_uuid, name, key_hash, domains, scopes)"
            " values (gen_random_uuid(), '', '\\xdeadbeef00', array[gen_random_uuid()], '{a,\"b c\"}')",
            "insert into pbxapi.change (change_id, resource, action, old)"
            " select gen_random_uuid(), 'extensions', 'update', '{\"a\": [1, null, \"x\"]}'"
            " from generate_series(1, 500)",
            "insert into plugin_callbacks.callback (callback_uuid, domain_uuid, number)"
            " values (gen_random_uuid(), gen_random_uuid(), '+4930123')",
        )
        yield found


@pytest.fixture
def known() -> list[Migration]:
    config = Config(database_url="postgresql://", plugins_path=(EXAMPLE,))
    return all_migrations(load_plugins(config, {}))


@pytest.fixture
def file(url: str, tmp_path: Path) -> Path:
    database = Database(url)
    made = back_up(database, tmp_path / "pbxapi.backup")
    database.close()
    assert made.rows > 500
    return tmp_path / "pbxapi.backup"


def test_what_was_backed_up_comes_back_as_it_was(
    url: str, file: Path, known: list[Migration], postgres: EmbeddedPostgres
) -> None:
    before = content(url)
    assert len(before["pbxapi.change"]) == 500
    assert file.stat().st_mode & 0o777 == 0o600, "it holds the hashes of keys"
    run(
        url,
        "delete from pbxapi.change",
        "update pbxapi.node set error = 'x'",
        "drop table plugin_callbacks.callback cascade",
    )
    database = Database(url)
    restore(database, file, known, replace=True)
    assert content(url) == before
    assert pending_migrations(database, known) == []
    database.close()
    with scratch_database(postgres, "template1") as elsewhere:
        fresh = Database(elsewhere)
        restore(fresh, file, known)
        fresh.close()
        assert content(elsewhere) == before


def test_a_backup_is_of_one_moment_though_somebody_writes(url: str, tmp_path: Path) -> None:
    database = Database(url)
    with database.writing() as session:
        session.run("insert into pbxapi.node (name) values ('under way')")
        made = back_up(database, tmp_path / "b")
    (nodes,) = [table for table in made.tables if table.name == "node"]
    assert nodes.rows == 1
    database.close()


def test_there_is_nothing_to_back_up_before_the_first_migration(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    with scratch_database(postgres, "template1") as url:
        database = Database(url)
        with pytest.raises(BackupError, match="run pbxapi migrate"):
            back_up(database, tmp_path / "b")
        database.close()
    assert list(tmp_path.iterdir()) == []


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """The file with other members; what `change` answers None for is left out."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            if (new := change(name, data)) is not None:
                archive.writestr(name, new)


def of_manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def rewrite(name: str, data: bytes) -> bytes:
        if name != "manifest.json":
            return data
        manifest = json.loads(data)
        change(manifest)
        return json.dumps(manifest).encode()

    return lambda file: rewritten(file, rewrite)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut short": (cut, "no backup of pbxapi"),
    "a bit that flipped": (flipped, "damaged"),
    "another file": (lambda file: rewritten(file, lambda n, d: d if n != "manifest.json" else None), "damaged"),
    "a table that was changed": (
        lambda file: rewritten(file, lambda n, d: d + b"x\n" if n == "pbxapi.node" else d),
        "pbxapi.node is not as it was written",
    ),
    "a table that is missing": (
        lambda file: rewritten(file, lambda n, d: d if n != "pbxapi.node" else None),
        "damaged",
    ),
    "a newer version": (
        of_manifest(lambda m: m.update(version="9.9", migrations=[*m["migrations"], ["pbxapi", "9999_x", "abc"]])),
        "made by pbxapi 9.9 and holds migration 9999_x, which this version does not know",
    ),
    "a newer form": (of_manifest(lambda m: m.update(format=2, version="9.9")), "in a form that this one cannot"),
    "a plugin that is not here": (
        of_manifest(lambda m: m["migrations"].append(["faxes", "0001_x", "abc"])),
        "tables of the plugin faxes, which is not installed here",
    ),
    "another migration": (
        of_manifest(lambda m: m["migrations"][-1].__setitem__(2, "abc")),
        "than this version has",
    ),
    "rows that do not add up": (
        of_manifest(lambda m: [t.__setitem__("rows", t["rows"] + 1) for t in m["tables"]]),
        "rows instead of",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_backup_that_is_not_right_is_refused_and_nothing_changes(
    url: str, file: Path, known: list[Migration], wrong: str
) -> None:
    damage, words = WRONG[wrong]
    damage(file)
    before = content(url)
    database = Database(url)
    with pytest.raises(BackupError, match=words):
        restore(database, file, known, replace=True)
    database.close()
    assert content(url) == before


def test_tables_that_are_there_are_dropped_only_when_it_is_asked_for(
    url: str, file: Path, known: list[Migration]
) -> None:
    database = Database(url)
    with pytest.raises(BackupError, match="give --replace"):
        restore(database, file, known)
    database.close()


def test_a_backup_of_an_older_version_is_brought_up_to_date(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with scratch_database(postgres, "template1") as url:
        database = Database(url)
        migrate(database, builtin_migrations()[:3])
        run(url, "insert into pbxapi.node (name) values ('node1')")
        back_up(database, tmp_path / "old")
        migrate(database, builtin_migrations())
        restore(database, tmp_path / "old", builtin_migrations(), replace=True)
        assert pending_migrations(database, builtin_migrations()) == builtin_migrations()[3:]
        migrate(database, builtin_migrations())
        assert run(url, "select name from pbxapi.node") == [("node1",)]
        database.close()


def test_the_role_of_the_services_backs_up_and_restores(pbx: Pbx, tmp_path: Path) -> None:
    pbx.client.create("extensions", extension="76001")
    environment = {
        "PATH": os.defpath,
        "PBXAPI_FUSIONPBX_CONF": os.devnull,
        "PBXAPI_DATABASE_URL": pbx.config.database_url,
    }

    def pbxapi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pbxapi.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    file = tmp_path / "pbxapi.backup"
    made = pbxapi("backup", str(file))
    assert (made.returncode, made.stderr) == (0, "")
    nowhere = pbxapi("backup", str(tmp_path / "no" / "such" / "folder"))
    assert nowhere.stderr.endswith("cannot be written: No such file or directory\n")
    before = pbx.rows("select change_id from pbxapi.change")
    assert before
    pbx.run("delete from pbxapi.change")
    assert pbxapi("restore", str(file)).stderr.startswith("pbxapi: there are tables of pbxapi in this database")
    done = pbxapi("restore", str(file), "--replace")
    assert (done.returncode, done.stderr) == (0, "")
    assert pbx.rows("select change_id from pbxapi.change") == before
    assert pbx.client.create("extensions", extension="76002")
    assert pbx.apply() == 2


def pg(programs: Path, name: str, url: str, *arguments: str) -> None:
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
    }
    target = {names[key]: str(value) for key, value in conninfo_to_dict(url).items()}
    done = subprocess.run(
        [programs / name, *arguments],
        env={"PATH": os.defpath, "LC_ALL": "C", **target},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def programs(pytestconfig: pytest.Config) -> Path:
    """Those of the server: a newer pg_dump writes what an older server does not understand."""
    return pytestconfig.getoption("--postgres") or program("pg_dump").parent


@pytest.mark.parametrize("made_before_us", [False, True], ids=["a dump of today", "a dump from before pbxapi"])
def test_the_api_serves_again_after_fusionpbxs_own_restore(
    pbx: Pbx,
    programs: Path,
    tmp_path: Path,
    made_before_us: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pg_dump of schema public; drop schema public cascade; load it. Ours is in no dump of theirs."""
    monkeypatch.setattr(callers, "SECONDS", 0.0)
    client, superuser = pbx.client, pbx.superuser_url
    uuid = client.create("extensions", extension="76001")
    assert pbx.apply()
    dump = tmp_path / "fusionpbx.dump"
    options = ("--no-privileges",) if made_before_us else ()
    pg(programs, "pg_dump", superuser, "-Fc", "--schema=public", *options, f"--file={dump}")
    ours = content(superuser)
    lost = client.create("extensions", extension="76002")
    run(superuser, "drop schema public cascade", "create schema public")
    reply = client.call("extensions", "get", uuid)
    assert (reply.status, reply.error["code"]) == (503, "DATABASE_UNAVAILABLE")
    # The dump brings its own schema public; the documented way makes an empty one first.
    run(superuser, "drop schema public")
    pg(programs, "pg_restore", superuser, "--dbname", superuser.rpartition("/")[2], str(dump))
    if made_before_us:
        reply = client.call("extensions", "get", uuid)
        assert (reply.status, reply.error["code"]) == (503, "DATABASE_UNAVAILABLE")
    environment = {
        "PATH": os.defpath,
        "PBXAPI_FUSIONPBX_CONF": os.devnull,
        "PBXAPI_DATABASE_URL": pbx.config.database_url,
        "PBXAPI_ADMIN_DATABASE_URL": superuser,
    }

    def rights_by_doctor(*options: str) -> set[tuple[str, str]]:
        command = [sys.executable, "-m", "pbxapi.cli", "doctor", "--json", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return {(found["level"], found["text"]) for found in found if found["check"] == "rights"}

    missing = rights_by_doctor()
    lacking = ("fail", "the role pbxapi lacks: select, insert, update, delete on v_extensions")
    assert (lacking in missing) == made_before_us
    assert rights_by_doctor("--fix") == {("ok", "the role pbxapi may do what it needs")}
    assert client.get("extensions", uuid)["extension"] == "76001"
    assert client.call("extensions", "get", lost).status == 404
    assert client.update("extensions", uuid, description="restored").status == 200
    assert content(superuser)["pbxapi.change"] != ours["pbxapi.change"], "what came after the dump is still known"
    assert pbx.apply() == 2
    assert client.create("extensions", extension="76002")
