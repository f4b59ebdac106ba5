"""What only this repository's tests share; the fixtures that plugin authors have too are in pbxapi/testing.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxapi.sandbox.database import load_dump, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres

SHARED = Path(__file__).parents[2] / "shared"
"""Facts and data about FusionPBX, where somebody has put them beside the checkout."""


@pytest.fixture(scope="session")
def dump_template(postgres: EmbeddedPostgres) -> str:
    """Name of the database with FusionPBX's own tables and first rows."""
    dump = SHARED / "data" / "fusionpbx-5.6.sql.xz"
    if not dump.exists():
        pytest.skip(f"no {dump.name} in ../shared/data")
    load_dump(postgres.create_database("dump"), dump)
    return "dump"


@pytest.fixture
def dump_url(postgres: EmbeddedPostgres, dump_template: str) -> Iterator[str]:
    """A database of the test's own, as FusionPBX's installer leaves it."""
    with scratch_database(postgres, dump_template) as url:
        yield url
