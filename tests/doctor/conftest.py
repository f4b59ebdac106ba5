"""One telephone system for all checks, looked at as a host whose other files are the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pbxapi.doctor.checks import CHECKS
from pbxapi.doctor.checkup import Finding, Host, examine
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.testing import Pbx, close_pbx, make_pbx

BY_NAME = {check.name: check for check in CHECKS}

Look = Callable[..., list[Finding]]


@pytest.fixture(scope="module")
def pbx(
    postgres: EmbeddedPostgres,
    redis_server: EmbeddedRedis,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(
            url, tmp_path_factory.mktemp("pbx"), service_url=url_of_role(url), redis_url=redis_server.url
        )
        yield system
        close_pbx(system)


@pytest.fixture
def host(pbx: Pbx, tmp_path: Path) -> Iterator[Host]:
    """The host of `pbx`; what a test changes in it is its own."""
    found = Host(pbx.config, root=tmp_path / "root")
    yield found
    found.close()


@pytest.fixture
def look(host: Host) -> Look:
    """What a check finds, by its name; keywords change the settings."""

    def find(name: str, **settings: object) -> list[Finding]:
        looked_at = replace(host, config=replace(host.config, **settings)) if settings else host
        found = [finding for _, finding in examine(looked_at, [replace(BY_NAME[name], needs=())])]
        if looked_at is not host:
            looked_at.close()
        return found

    return find


def said(found: list[Finding], level: str) -> str:
    """The texts of a level, with their advice."""
    return "\n".join(f"{finding.text} > {finding.advice}" for finding in found if finding.level == level)


def levels(found: list[Finding]) -> set[str]:
    return {finding.level for finding in found}
