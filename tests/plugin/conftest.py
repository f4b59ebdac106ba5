"""What the tests of plugins share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbxapi.app import create_app
from pbxapi.plugin.loader import Registry
from pbxapi.testing import Client, Pbx
from tests.plugin.written import Host


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
