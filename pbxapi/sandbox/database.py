"""Databases with FusionPBX's tables."""

from __future__ import annotations

import lzma
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pbxapi.config import Config
from pbxapi.data.database import Database
from pbxapi.plugin.loader import load_registry
from pbxapi.plugin.rights import ROLE, grant, missing_rights
from pbxapi.sandbox.postgres import EmbeddedPostgres, program
from pbxapi.sandbox.process import ServerError

_PASSWORD = "least"


def create_schema(url: str) -> None:
    """Create all of FusionPBX's tables, empty.

    Raises:
        psycopg.Error: no connection, or some of the tables are there.
    """
    with psycopg.connect(url) as connection:
        connection.execute(files("pbxapi.sandbox").joinpath("schema.sql").read_bytes())


def load_dump(url: str, path_xz: Path) -> None:
    """Load a plain dump of pg_dump, compressed by xz, into an empty database.

    Raises:
        ServerError: the dump does not load; carries psql's own words.
        OSError: the file cannot be read.
        lzma.LZMAError: it is no xz file.
    """
    variables = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
    }
    target = {variables[name]: str(value) for name, value in conninfo_to_dict(url).items()}
    with lzma.open(path_xz) as dump:
        result = subprocess.run(
            [str(program("psql")), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"],
            env={"LC_ALL": "C", "PATH": os.defpath} | target,
            input=dump.read(),
            capture_output=True,
            check=False,
        )
    if result.returncode != 0:
        raise ServerError(f"{path_xz.name} does not load:\n{result.stderr.decode(errors='replace').strip()}")


def url_of_role(url: str) -> str:
    """The same database for the role that `give_rights` has made."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{ROLE}:{_PASSWORD}@{place}"))


def give_rights(url: str, config: Config) -> str:
    """Let the product's own role do in a database what it needs, and nothing else; the URL for it.

    Args:
        url: the superuser's.
        config: whose plugins.
    """
    database = Database(url)
    try:
        registry = load_registry(replace(config, database_url=url), database, migrating=True)
        with database.writing() as session:
            grant(session, missing_rights(session, registry))
            session.run(f"alter role {ROLE} password '{_PASSWORD}'")
    finally:
        database.close()
    return url_of_role(url)


@contextmanager
def scratch_database(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """URL of a database of one's own, a copy of `template`, dropped afterwards with all sessions in it."""
    name = f"scratch_{secrets.token_hex(6)}"
    url = postgres.create_database(name, template)
    try:
        yield url
    finally:
        postgres.drop_database(name)
