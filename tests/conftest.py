"""The servers and databases that tests share. Each pytest-xdist worker has its own.

A test that writes takes `database_url`: a database of its own with FusionPBX's tables and the sample data
(pbxapi/sandbox/sample.py), copied in some 30 ms. Tests that only read can share one by a module fixture over
`scratch_database(postgres, template)`. Do not kill `postgres`: start an EmbeddedPostgres for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema, load_dump, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.redis import EmbeddedRedis

DUMP = Path(__file__).parents[2] / "shared" / "data" / "fusionpbx-5.6.sql.xz"
"""An empty FusionPBX database, where somebody has put it beside the checkout."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres.temporary() as server:
        yield server


@pytest.fixture(scope="session")
def api_key() -> str:
    """The API key of the sample data."""
    return "test-key-5f0c2a4e7d6b4d1c"


@pytest.fixture(scope="session")
def sample_dirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders that the sample data's settings name, by their keys in `sample.fill`."""
    root = tmp_path_factory.mktemp("switch")
    names = ("extensions", "sip_profiles", "dialplan", "voicemail", "recordings", "cache")
    folders = {name: root / name for name in names}
    for folder in folders.values():
        folder.mkdir()
    return folders


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres, api_key: str, sample_dirs: dict[str, Path]) -> str:
    """Name of the database with sample data that tests get copies of; nobody may stay connected to it."""
    url = postgres.create_database("sample")
    create_schema(url)
    sample.fill(url, key=api_key, xml_dirs=sample_dirs)
    return "sample"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """A database of the test's own, with sample data."""
    with scratch_database(postgres, template) as url:
        yield url


@pytest.fixture(scope="session")
def dump_template(postgres: EmbeddedPostgres) -> str:
    """Name of the database with FusionPBX's own tables and first rows."""
    if not DUMP.exists():
        pytest.skip(f"no {DUMP.name} in ../shared/data")
    load_dump(postgres.create_database("dump"), DUMP)
    return "dump"


@pytest.fixture
def dump_url(postgres: EmbeddedPostgres, dump_template: str) -> Iterator[str]:
    """A database of the test's own, as FusionPBX's installer leaves it."""
    with scratch_database(postgres, dump_template) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis.temporary() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """An empty Redis; no other test uses it meanwhile."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url
