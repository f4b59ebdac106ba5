"""The settings of the plugin under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pbxapi.testing import settings_of


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="session")
def pbx_settings(pytestconfig: pytest.Config, board: Path) -> dict[str, Any]:
    return {**settings_of(pytestconfig), "environment": {"PBXAPI_CALLBACKS_BOARD": str(board)}}
