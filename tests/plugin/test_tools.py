"""What an author is given: a package that is right as it is generated, and a suite that says so of any package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pbxapi.authoring import shipped_tables
from pbxapi.testing import Pbx

ROOT = Path(__file__).parents[2]


def pbxapi(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.defpath, "PBXAPI_FUSIONPBX_CONF": os.devnull, "HOME": str(folder), **environment}
    return subprocess.run(
        [sys.executable, "-m", "pbxapi.cli", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def ruff(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("door-codes", "v_pin_numbers"),
        ("mail-templates", "v_email_templates"),
        ("blocked-numbers", "v_call_block"),
    ],
)
def test_a_generated_plugin_passes_its_own_tests_the_suite_and_ruff(tmp_path: Path, name: str, table: str) -> None:
    made = pbxapi("plugin", "new", name, "--table", table, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    for arguments in (("check",), ("format", "--check")):
        checked = ruff(*arguments, folder=tmp_path / name)
        assert checked.returncode == 0, checked.stdout
    tested = pbxapi("plugin", "test", name, "-q", folder=tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "passed" in tested.stdout


def test_the_columns_come_from_the_database_that_is_configured(pbx: Pbx, tmp_path: Path) -> None:
    pbx.run("alter table v_pin_numbers add column floor text")
    url = {"PBXAPI_DATABASE_URL": pbx.config.database_url}
    assert pbxapi("plugin", "new", "codes", "--table", "v_pin_numbers", folder=tmp_path, **url).returncode == 0
    assert "floor = Text(" in (tmp_path / "codes/pbxapi_codes/plugin.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Codes",), "is not lower-case letters, digits and -"),
        (("../codes",), "is not lower-case letters, digits and -"),
        (("codes", "--table", "v_no_such_table"), "there is no table v_no_such_table"),
        (("codes", "--table", "v_domains"), "does not hold records of domains"),
        (("codes", "--table", "v_sip_profiles"), "does not hold records of domains"),
        (("there",), "is there already"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "there").mkdir()
    ended = pbxapi("plugin", "new", *arguments, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_the_shipped_tables_know_their_keys() -> None:
    tables = shipped_tables()
    assert len(tables) > 100
    assert [column.name for column in tables["v_pin_numbers"] if column.key] == ["pin_number_uuid"]


def test_a_bare_folder_is_held_to_the_suite_without_a_test_of_its_own(tmp_path: Path) -> None:
    assert pbxapi("plugin", "new", "tickets", folder=tmp_path).returncode == 0
    bare = tmp_path / "tickets" / "pbxapi_tickets"
    tested = pbxapi("plugin", "test", str(bare), "-q", folder=tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "passed" in tested.stdout
    # And it finds what is wrong.
    statement = bare / "sql" / "get.sql"
    text = statement.read_text("utf-8").replace("domain_uuid = %(domain_uuid)s", "%(domain_uuid)s is not null")
    statement.write_text(text.replace("%(domain_uuid)s is", "%(domain_uuid)s::uuid is"), "utf-8")
    tested = pbxapi("plugin", "test", str(bare), "-q", folder=tmp_path)
    assert tested.returncode == 1, tested.stdout + tested.stderr
    assert "test_another_tenants_record_is_not_there[tickets]" in tested.stdout


def test_the_example_keeps_every_rule() -> None:
    example = ROOT / "docs" / "plugins" / "example"
    tested = pbxapi("plugin", "test", str(example), "-q", folder=example)
    assert tested.returncode == 0, tested.stdout + tested.stderr
