"""A backup of our own schemas in one file, and its way back. FusionPBX's own backup takes schema ``public`` alone.

The file is a zip archive: each table as PostgreSQL's COPY writes it in text, which every version reads, and
``manifest.json`` with the columns, number of rows and SHA-256 of each, and the migrations that had made them.
pg_dump would have to be as new as the server, and is not there where the database is on another host.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg import sql

from pbxapi import __version__
from pbxapi.data.database import Connection, Database
from pbxapi.data.migrations import Migration, hold_migrations, make_again, published

FORMAT = 1
_MANIFEST = "manifest.json"
_CHUNK = 1 << 20

_SCHEMAS = "n.nspname = 'pbxapi' or starts_with(n.nspname, 'plugin_')"

# In the order in which they were made: one that refers to another comes after it.
_TABLES = f"""
select n.nspname as schema, c.relname as name,
       array(select a.attname::text from pg_attribute as a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
              order by a.attnum) as columns
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
 where c.relkind = 'r' and ({_SCHEMAS})
 order by c.oid
"""

_OBJECTS = f"""
select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                      else 'table' end || ' ' || c.oid::regclass as object
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm', 'S') and ({_SCHEMAS})
union all
select 'routine ' || p.oid::regprocedure
  from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace where {_SCHEMAS}
union all
select 'type ' || t.oid::regtype
  from pg_type as t join pg_namespace as n on n.oid = t.typnamespace
 where t.typtype in ('e', 'd', 'r') and ({_SCHEMAS})
"""


class BackupError(Exception):
    """A backup cannot be made or brought back; says why. Nothing was changed."""


@dataclass(frozen=True)
class Table:
    """One table of a backup.

    Attributes:
        columns: in the order of its file.
        rows: how many there are.
        sha256: of its file.
    """

    schema: str
    name: str
    columns: list[str]
    rows: int
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Backup:
    """What a backup says of itself.

    Attributes:
        version: of the program that made it.
        made_at: when, in UTC.
        migrations: owner, name and checksum of those that had made the tables.
    """

    format: int
    version: str
    made_at: str
    migrations: list[list[str]]
    tables: list[Table]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


def back_up(database: Database, path: Path) -> Backup:
    """Write all our tables, as they are at one moment, into a file that only its owner can read.

    A file of that name is replaced when the new one is whole.

    Raises:
        BackupError: there is nothing of ours.
        OSError: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, database.dedicated() as connection:
                made = _write(archive, connection)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return made


def _write(archive: zipfile.ZipFile, connection: Connection) -> Backup:
    _take_time(connection)
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        tables = connection.execute(_TABLES).fetchall()
        if not any((row["schema"], row["name"]) == ("pbxapi", "migration") for row in tables):
            raise BackupError("there are no tables of pbxapi in this database: run pbxapi migrate")
        migrations = connection.execute(
            "select owner, name, checksum from pbxapi.migration order by 1, 2"
        ).fetchall()
        made = Backup(
            FORMAT,
            __version__,
            datetime.now(UTC).isoformat(timespec="seconds"),
            [[row["owner"], row["name"], row["checksum"]] for row in migrations],
            [_write_table(archive, connection, **row) for row in tables],
        )
    archive.writestr(_MANIFEST, json.dumps(asdict(made), indent=1))
    return made


def _write_table(
    archive: zipfile.ZipFile, connection: Connection, schema: str, name: str, columns: list[str]
) -> Table:
    digest = hashlib.sha256()
    cursor = connection.cursor()
    with (
        archive.open(f"{schema}.{name}", "w", force_zip64=True) as file,
        cursor.copy(_copy("copy {table} ({columns}) to stdout", schema, name, columns)) as copy,
    ):
        for data in copy:
            digest.update(data)
            file.write(data)
    return Table(schema, name, columns, cursor.rowcount, digest.hexdigest())


def restore(database: Database, path: Path, migrations: Sequence[Migration], *, replace: bool = False) -> Backup:
    """Bring a backup back: the tables as their migrations make them, and the rows. All or nothing.

    Afterwards `pbxapi.data.migrations.migrate` applies what is newer than the backup.

    Args:
        migrations: those of the product and of its plugins.
        replace: whether tables of ours that are there may be dropped, with what is in them.

    Raises:
        BackupError: the file is none or is damaged, was made by a newer version or with a plugin that is not here,
            or there are tables already.
        OSError: the file cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise BackupError(f"{path} is no backup of pbxapi") from None
    with archive, database.dedicated() as connection:
        backup = _read(archive, path)
        wanted = _needed(backup, migrations)
        _take_time(connection)
        hold_migrations(connection)
        if found := published(connection):
            raise BackupError(f"{'; '.join(found)}: end the replication first, and restore on every node")
        with connection.transaction():
            present = connection.execute(_OBJECTS).fetchall()
            if present and not replace:
                raise BackupError("there are tables of pbxapi in this database: give --replace to drop them")
            for row in present:
                _drop(connection, row["object"])
            make_again(connection, wanted)
            for table in backup.tables:
                _read_table(archive, connection, table)
    return backup


def _drop(connection: Connection, what: str) -> None:
    """Drop one of our objects, and what hangs on it; which may have gone with another one already."""
    kind, _, name = what.partition(" ")
    connection.execute(sql.SQL("drop {} if exists {} cascade").format(sql.SQL(kind), sql.SQL(name)))


def _read(archive: zipfile.ZipFile, path: Path) -> Backup:
    """The manifest, once everything that it names is there and whole."""
    try:
        found: dict[str, Any] = json.loads(archive.read(_MANIFEST))
        if found["format"] != FORMAT:
            raise BackupError(f"{path} was made by pbxapi {found['version']}, in a form that this one cannot read")
        backup = Backup(**{**found, "tables": [Table(**table) for table in found["tables"]]})
        for table in backup.tables:
            digest = hashlib.sha256()
            with archive.open(table.file) as file:
                while data := file.read(_CHUNK):
                    digest.update(data)
            if digest.hexdigest() != table.sha256:
                raise BackupError(f"{path} is damaged: {table.file} is not as it was written")
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise BackupError(f"{path} is damaged, or no backup of pbxapi: {error}") from None
    return backup


def _needed(backup: Backup, migrations: Sequence[Migration]) -> list[Migration]:
    """The migrations that made the backup's tables, in the order in which they are applied."""
    known = {(m.owner, m.name): m for m in migrations}
    for owner, name, checksum in backup.migrations:
        migration = known.get((owner, name))
        if migration is None and owner != "pbxapi":
            raise BackupError(f"the backup holds tables of the plugin {owner}, which is not installed here")
        if migration is None:
            raise BackupError(
                f"the backup was made by pbxapi {backup.version} and holds migration {name}, which this version "
                "does not know: install that version or a newer one"
            )
        if migration.checksum != checksum:
            raise BackupError(f"the backup was made with another migration {owner}/{name} than this version has")
    wanted = {(owner, name) for owner, name, _ in backup.migrations}
    return [m for m in migrations if (m.owner, m.name) in wanted]


def _read_table(archive: zipfile.ZipFile, connection: Connection, table: Table) -> None:
    name = sql.Identifier(table.schema, table.name)
    connection.execute(sql.SQL("delete from {}").format(name))  # what its migration put in
    cursor = connection.cursor()
    statement = _copy("copy {table} ({columns}) from stdin", table.schema, table.name, table.columns)
    with archive.open(table.file) as file, cursor.copy(statement) as copy:
        while data := file.read(_CHUNK):
            copy.write(data)
    if cursor.rowcount != table.rows:
        raise BackupError(f"{table.file} has {cursor.rowcount} rows instead of {table.rows}")


def _copy(text: str, schema: str, name: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(text).format(
        table=sql.Identifier(schema, name), columns=sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def _take_time(connection: Connection) -> None:
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(sql.SQL("set {} = 0").format(sql.Identifier(setting)))


__all__ = ["Backup", "BackupError", "back_up", "restore"]
