"""A reload of `pbxapi serve`: what systemd, nginx and those who call see of it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pbxapi.testing import API_KEY, Pbx
from tests.ops.service import DEADLINE, Service


@pytest.fixture
def service(pbx: Pbx, tmp_path: Path) -> Iterator[Service]:
    started = Service(tmp_path, pbx.config.database_url)
    yield started
    started.stop()


def test_a_reload_serves_by_the_settings_that_are_there_now(service: Service, pbx: Pbx) -> None:
    assert service.status("/api/v1/extensions", pbx.domain) == 200
    service.set(PBXAPI_URL_PREFIX="/pbxapi/v1")
    service.reload()
    end = time.monotonic() + DEADLINE  # workers of the first master answer what they have accepted
    while service.status("/pbxapi/v1/extensions", pbx.domain) != 200:
        assert time.monotonic() < end
    assert service.process.wait(DEADLINE) == 0
    assert {service.status("/api/v1/extensions", pbx.domain) for _ in range(5)} == {404}


def test_a_reload_to_settings_that_cannot_be_used_changes_nothing(service: Service, pbx: Pbx) -> None:
    service.set(PBXAPI_THREADS="many")
    os.kill(service.main, signal.SIGHUP)
    end = time.monotonic() + DEADLINE
    while "PBXAPI_THREADS" not in service.log.read_text() and time.monotonic() < end:
        time.sleep(0.1)
    assert "PBXAPI_THREADS" in service.log.read_text()
    assert service.status("/api/v1/extensions", pbx.domain) == 200
    service.set(PBXAPI_URL_PREFIX="/pbxapi/v1")
    service.reload()  # and the next one is not blocked by the one that failed
    assert service.process.wait(DEADLINE) == 0
    assert service.status("/pbxapi/v1/extensions", pbx.domain) == 200


def test_a_reload_lets_running_requests_end(service: Service, pbx: Pbx) -> None:
    def create() -> tuple[int, str]:
        connection = service.connect()
        headers = {"X-API-Key": API_KEY, "X-Domain": pbx.domain, "Prefer": "wait=5"}  # nobody applies it
        connection.request("POST", "/api/v1/extensions", b'{"extension": "7311"}', headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers["X-Change-State"]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(create)
        end = time.monotonic() + DEADLINE
        while not pbx.rows("select 1 as one from v_extensions where extension = '7311'"):
            assert time.monotonic() < end
            time.sleep(0.05)
        service.reload()
        assert not running.done()
        assert running.result(DEADLINE) == (201, "pending")
    assert service.process.wait(DEADLINE) == 0


def test_a_reload_that_is_wanted_during_a_reload_is_not_lost(service: Service, pbx: Pbx) -> None:
    service.reload()
    second = service.main
    service.set(PBXAPI_URL_PREFIX="/pbxapi/v1")
    service.reload()  # the first master may not have ended yet
    assert len({service.process.pid, second, service.main}) == 3
    assert service.process.wait(DEADLINE) == 0
    end = time.monotonic() + DEADLINE
    while service.status("/pbxapi/v1/extensions", pbx.domain) != 200:
        assert time.monotonic() < end


def test_a_reload_after_an_upgrade_starts_what_the_link_then_names(pbx: Pbx, tmp_path: Path) -> None:
    for release, prefix in (("1", "/one"), ("2", "/two")):
        folder = tmp_path / "releases" / release
        folder.mkdir(parents=True)
        script = folder / "pbxapi"
        script.write_text(
            f"#!{sys.executable}\nimport os\nos.environ['PBXAPI_URL_PREFIX'] = '{prefix}'\n"
            "from pbxapi.cli import main\nmain()\n"
        )
        script.chmod(0o755)
    current = tmp_path / "current"
    current.symlink_to("releases/1")
    service = Service(tmp_path, pbx.config.database_url, [current / "pbxapi"])
    try:
        assert service.status("/one/extensions", pbx.domain) == 200
        (tmp_path / "next").symlink_to("releases/2")
        (tmp_path / "next").replace(current)
        service.reload()
        assert service.process.wait(DEADLINE) == 0
        assert service.status("/two/extensions", pbx.domain) == 200
        assert service.status("/one/extensions", pbx.domain) == 404
    finally:
        service.stop()
