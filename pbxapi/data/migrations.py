"""Our own tables, in schema `pbxapi` of FusionPBX's database; FusionPBX's tables are never altered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pbxapi.config import builtin_folder
from pbxapi.data.database import Connection, Database

_LOCK = 0x70627861_7069_0001  # "pbxapi": one migration at a time, whatever process runs it

# A role that may not make schemas may not even say this of one that is there.
_SCHEMA = re.compile(r"\bcreate\s+schema\s+if\s+not\s+exists\s+(\w+)\s*;", re.I)

_TABLE = """
create schema if not exists pbxapi;
create table if not exists pbxapi.migration (
  owner       text not null,
  name        text not null,
  checksum    text not null,
  applied_at  timestamptz not null default clock_timestamp(),
  primary key (owner, name)
)
"""


# What a migration of a plugin must leave as it is: whatever the schemas hold that are not its own.
_FOREIGN = """
select md5(string_agg(part, '|' order by part)) as shape
  from pg_namespace as n
 cross join lateral (
   select concat_ws(' ', c.oid, c.relname, c.relkind, c.relrowsecurity, c.relhasrules, c.relhastriggers) as part
     from pg_class as c where c.relnamespace = n.oid
   union all
   select concat_ws(' ', a.attrelid, a.attname, a.atttypid, a.attnotnull, a.atthasdef, a.attisdropped)
     from pg_attribute as a join pg_class as c on c.oid = a.attrelid
    where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm')
   union all
   select concat_ws(' ', k.oid, k.conname, k.contype, k.conrelid, k.confrelid)
     from pg_constraint as k
    where k.connamespace = n.oid or k.confrelid in (select oid from pg_class where relnamespace = n.oid)
   union all
   select concat_ws(' ', t.oid, t.tgname, t.tgrelid, t.tgenabled)
     from pg_trigger as t join pg_class as c on c.oid = t.tgrelid where c.relnamespace = n.oid
   union all
   select concat_ws(' ', p.oid, p.proname, md5(p.prosrc)) from pg_proc as p where p.pronamespace = n.oid
 ) as found
 where n.nspname in ('public', 'pbxapi')
"""


# Only what publishes tables that do not exist yet; one of a list of tables cannot hold ours.
_PUBLISHED = (
    "select format('publication %I publishes all tables', pubname) as what from pg_publication where puballtables"
)
_PUBLISHED_SCHEMAS = """
select format('publication %I publishes schema %I', p.pubname, n.nspname) as what
  from pg_publication_namespace as s
  join pg_publication as p on p.oid = s.pnpubid
  join pg_namespace as n on n.oid = s.pnnspid
 where n.nspname = 'pbxapi' or starts_with(n.nspname, 'plugin_')
"""

# What a migration says of rows, which replication carries to the other nodes by itself.
_ROWS = re.compile(r"^(?:insert|update|delete)\b(?:[^;']|'(?:[^']|'')*')*;\n?", re.I | re.M)


Applied = Mapping[tuple[str, str], str]
"""Owner and name of each migration that is applied -> its checksum."""


class MigrationError(Exception):
    """The database and the migrations of this version do not fit together; says what to do."""


class ReplicatedError(MigrationError):
    """The database is replicated together with tables that do not exist yet: the other nodes need them first."""

    def __init__(self, published: Sequence[str]) -> None:
        super().__init__(
            f"{'; '.join(published)}. A row in a table that another node lacks stops its replication, so nothing "
            "was changed here.\n"
            "1. here: pbxapi migrate --sql >pbxapi.sql; run it by psql in the database of every other node\n"
            "2. here: pbxapi migrate --made-on-all-nodes\n"
            "3. on every other node: alter subscription NAME refresh publication;\n"
            "4. here, where this node subscribes to another one: alter subscription NAME refresh publication with "
            "(copy_data = false);\n"
            "5. on every node: pbxapi rights --apply"
        )


@dataclass(frozen=True)
class Migration:
    """One file of SQL, applied once.

    Attributes:
        owner: ``pbxapi``, or the plugin whose tables it makes.
        name: the file's name without ``.sql``; files are applied in its order.
    """

    owner: str
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Of the text as it was applied: a file that changed afterwards is noticed."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(owner: str, folder: Path) -> list[Migration]:
    """The migrations of a folder, in order."""
    return [Migration(owner, p.stem, p.read_text("utf-8")) for p in sorted(folder.glob("*.sql"))]


def builtin_migrations() -> list[Migration]:
    """Those of the product itself."""
    return read_migrations("pbxapi", builtin_folder("sql") / "migrations")


def migrate(
    database: Database, migrations: Sequence[Migration], *, made_on_all_nodes: bool = False
) -> list[Migration]:
    """Apply what is missing, each file in a transaction of its own; those applied now.

    Forward only. Several processes may call it at once: the others wait.

    Args:
        made_on_all_nodes: whether the nodes that this database is replicated to have what `ddl` says.

    Raises:
        ReplicatedError: something is missing, and the other nodes need it first.
        MigrationError: an applied file has changed, the database is newer than this version, or a plugin's file
            changes what is not its own.
    """
    applied: list[Migration] = []
    with database.dedicated() as connection:
        connection.execute("set statement_timeout = 0")
        connection.execute("set lock_timeout = '30s'")
        hold_migrations(connection)
        done = _applied(connection)
        _check(migrations, done)
        missing = any((m.owner, m.name) not in done for m in migrations)
        if missing and not made_on_all_nodes and (found := published(connection)):
            raise ReplicatedError(found)
        _run(connection, _TABLE)
        for migration in migrations:
            if (migration.owner, migration.name) in done:
                continue
            with connection.transaction():
                before = _foreign_shape(connection, migration)
                try:
                    _run(connection, migration.text)
                except psycopg.OperationalError:
                    raise
                except psycopg.Error as error:
                    reason = error.diag.message_primary or error
                    raise MigrationError(f"migration {migration.owner}/{migration.name}: {reason}") from error
                if _foreign_shape(connection, migration) != before:
                    raise MigrationError(
                        f"migration {migration.owner}/{migration.name} changes what is not the plugin's own: "
                        "FusionPBX's tables are not altered"
                    )
                connection.execute(
                    "insert into pbxapi.migration (owner, name, checksum) values (%s, %s, %s)",
                    [migration.owner, migration.name, migration.checksum],
                )
            applied.append(migration)
    return applied


def hold_migrations(connection: Connection) -> None:
    """Wait until no other process makes or drops our tables; until the connection is closed."""
    connection.execute("select pg_advisory_lock(%s)", [_LOCK])


def make_again(connection: Connection, migrations: Sequence[Migration]) -> None:
    """Make the tables of migrations where none of ours are, in the connection's transaction; noted nowhere."""
    _run(connection, _TABLE)
    for migration in migrations:
        _run(connection, migration.text)
        connection.execute("set local search_path to default")  # a plugin's migration begins in its own schema


def _run(connection: Connection, text: str) -> None:
    for schema in _SCHEMA.findall(text):
        found = connection.execute("select to_regnamespace(%s) is not null as found", [schema]).fetchone()
        if found and not found["found"]:
            try:
                connection.execute(f"create schema {schema}")
            except psycopg.errors.InsufficientPrivilege:
                raise MigrationError(
                    f"this role may not make the schema {schema}: run pbxapi rights --apply as a superuser"
                ) from None
    connection.execute(_SCHEMA.sub("", text))


def _foreign_shape(connection: Connection, migration: Migration) -> str | None:
    """What the tables look like that a plugin's migration must leave alone; None for one of the product's own."""
    if migration.owner == "pbxapi":
        return None
    row = connection.execute(_FOREIGN).fetchone()
    return str(row["shape"]) if row else None


def pending_migrations(database: Database, migrations: Sequence[Migration]) -> list[Migration]:
    """What `migrate` would apply.

    Raises:
        MigrationError: an applied file has changed, or the database is newer than this version.
    """
    return missing_migrations(migrations, applied_migrations(database))


def applied_migrations(database: Database) -> Applied:
    """What is applied."""
    with database.dedicated() as connection:
        return _applied(connection)


def missing_migrations(migrations: Sequence[Migration], applied: Applied) -> list[Migration]:
    """As `pending_migrations`, where many ask of one database."""
    _check(migrations, applied)
    return [m for m in migrations if (m.owner, m.name) not in applied]


def ddl(migrations: Sequence[Migration]) -> str:
    """What makes the tables of migrations on another node: for psql, all or nothing, and without any rows."""
    parts = [_TABLE.strip() + ";", *(_ROWS.sub("", migration.text).strip() for migration in migrations)]
    return "\n\n".join(["begin;", *parts, "commit;"])


def published(connection: Connection) -> list[str]:
    """The publications that would carry rows of tables of ours, whichever they are."""
    found = connection.execute(_PUBLISHED).fetchall()
    if connection.info.server_version >= 150_000:
        found += connection.execute(_PUBLISHED_SCHEMAS).fetchall()
    return [row["what"] for row in found]


def _applied(connection: Connection) -> dict[tuple[str, str], str]:
    found = connection.execute("select to_regclass('pbxapi.migration') is not null as found").fetchone()
    if not (found and found["found"]):
        return {}
    rows = connection.execute("select owner, name, checksum from pbxapi.migration").fetchall()
    return {(row["owner"], row["name"]): row["checksum"] for row in rows}


def _check(migrations: Sequence[Migration], done: Applied) -> None:
    known = {(m.owner, m.name): m for m in migrations}
    for (owner, name), checksum in done.items():
        migration = known.get((owner, name))
        if migration is None:
            if owner == "pbxapi":
                raise MigrationError(
                    f"the database holds migration {name}, which this version does not know: it is newer than "
                    "the program; install the version that made it"
                )
        elif migration.checksum != checksum:
            raise MigrationError(f"migration {owner}/{name} was applied with other content; restore the file")
