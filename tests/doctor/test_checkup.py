"""How checks are run: each by itself, none for ever, and what is mended is looked at again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pbxapi.doctor import checkup
from pbxapi.doctor.checks import CHECKS
from pbxapi.doctor.checkup import Check, Finding, Host, examine, fail, ok
from pbxapi.testing import Pbx


def falls(host: Host) -> Iterator[Finding]:
    yield ok("so far")
    raise RuntimeError("what nobody thought of")


def hangs(host: Host) -> Iterator[Finding]:
    time.sleep(30)
    yield ok("at last")


def test_a_check_that_falls_or_hangs_is_a_failure_and_the_others_go_on(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "DEADLINE", 0.2)
    checks = [
        Check("falls", falls),
        Check("hangs", hangs),
        Check("needs", lambda _: iter([ok("never looked at")]), ("falls",)),
        Check("needs that", lambda _: iter([ok("nor this")]), ("needs",)),
        Check("fine", lambda _: iter([ok("fine")])),
    ]
    found = [(name, finding.level, finding.text) for name, finding in examine(host, checks)]
    assert found == [
        ("falls", "ok", "so far"),
        ("falls", "fail", "the check fell: RuntimeError: what nobody thought of"),
        ("hangs", "fail", "no answer within 0 s"),
        ("needs", "skip", "needs falls"),
        ("needs that", "skip", "needs needs"),
        ("fine", "ok", "fine"),
    ]


def test_what_can_be_mended_is_mended_and_looked_at_again(host: Host) -> None:
    mended: list[str] = []

    def broken(host: Host) -> Iterator[Finding]:
        yield ok("mended") if mended else fail("broken", "mend it", lambda: mended.append("x"))

    assert [finding.level for _, finding in examine(host, [Check("broken", broken)])] == ["fail"]
    assert [finding.level for _, finding in examine(host, [Check("broken", broken)], fix=True)] == ["ok"]


def test_each_check_has_a_name_of_its_own_and_needs_one_before_it() -> None:
    names = [check.name for check in CHECKS]
    assert len({*names}) == len(names)
    for place, check in enumerate(CHECKS):
        assert {*check.needs} <= {*names[:place]}


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_prints_what_to_do_and_exits_1(pbx: Pbx, as_json: bool) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PBXAPI_FUSIONPBX_CONF": os.devnull,
        "PBXAPI_DATABASE_URL": pbx.config.database_url,
        "PBXAPI_REDIS_URL": pbx.config.redis_url,
        "PBXAPI_ESL_PORT": "1",
        "PBXAPI_BIND": "127.0.0.1:1",
    }
    command = [sys.executable, "-m", "pbxapi.cli", "doctor", *(["--json"] if as_json else [])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")
    if as_json:
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert {line["check"] for line in told} == {check.name for check in CHECKS}
        (api,) = [line for line in told if line["check"] == "api"]
        assert (api["level"], api["advice"]) == ("fail", "systemctl status pbxapi-api")
    else:
        assert "fail  api             the API does not answer at 127.0.0.1:1" in done.stdout
        assert "> systemctl status pbxapi-api\n" in done.stdout
