"""PostgreSQL and Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator

from marshmallow import Schema, fields

from pbxapi.changes.queues import RedisFacts, read_redis
from pbxapi.config import admin_database_url
from pbxapi.data.database import Database, DatabaseError
from pbxapi.data.inspection import accepts_any_password, read_server
from pbxapi.data.migrations import MigrationError, pending_migrations
from pbxapi.doctor.checkup import Finding, Host, fail, ok, warn
from pbxapi.plugin.fields import TrueFalse
from pbxapi.plugin.indexes import missing_indexes
from pbxapi.plugin.loader import all_migrations, load_registry
from pbxapi.plugin.rights import grant, missing_rights, table_rights

SUPPORTED = range(13, 19)

CLOCK_SECONDS = 2.0
"""How far two clocks may be apart: a node counts as away after fifteen seconds, a signed link may live for one."""

BACKUP_DAYS = 2

NUMBERS = frozenset(f"v_destinations.destination_type_{kind}" for kind in ("voice", "fax", "text", "emergency"))
"""Flags that are numbers in every version of FusionPBX, and are written as such."""


def postgresql(host: Host) -> Iterator[Finding]:
    """Whether it answers, can be written to, and is a version that is tested."""
    try:
        server = read_server(host.database)
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        yield fail(f"no answer: {reason}", "look at PBXAPI_DATABASE_URL, else at database.0.* of config.conf")
        return
    if server.version not in SUPPORTED:
        yield fail(
            f"PostgreSQL {server.version} is not supported",
            f"{SUPPORTED[0]} to {SUPPORTED[-1]} are: pg_upgradecluster",
        )
    else:
        yield ok(f"PostgreSQL {server.version}, database {server.database}, role {server.role}")
    if server.replica:
        yield fail("it is a replica, which takes no writes", "name the primary in PBXAPI_DATABASE_URL")
    if server.pooled:
        yield fail(
            "a pooler stands between: sessions change their server process",
            "give pbxapi a direct connection, or pool_mode = session: it listens for changes and takes locks",
        )
    if server.superuser:
        yield warn(
            f"the role {server.role} may do everything",
            "give pbxapi a role of its own with least rights (docs/operators.md)",
        )


def rights(host: Host) -> Iterator[Finding]:
    """Whether our role may do all that the product does, after a restore or an upgrade too."""
    role = read_server(host.database).role
    registry = load_registry(host.config, host.database, migrating=True)
    with host.database.reading() as session:
        missing = missing_rights(session, registry, role)

    def give() -> None:
        admin = Database(admin_database_url(), max_size=1, name="pbxapi-doctor")
        try:
            with admin.writing() as session:
                grant(session, missing)
        finally:
            admin.close()

    for place, right in enumerate(missing):
        # One superuser's session gives all of them.
        yield fail(f"the role {role} lacks: {right.what}", f"{right.statement};", None if place else give)
    if not missing:
        yield ok(f"the role {role} may do what it needs")


def passwords(host: Host) -> Iterator[Finding]:
    """Whether pg_hba.conf lets in whoever asks."""
    if accepts_any_password(host.config.database_url):
        yield warn(
            "PostgreSQL takes any password from this host (trust in pg_hba.conf)",
            "every process here is any role: put scram-sha-256 for host lines into pg_hba.conf, then "
            "select pg_reload_conf()",
        )
    else:
        yield ok("a wrong password is refused, or none is asked for over the Unix socket")


def replication(host: Host) -> Iterator[Finding]:
    """Publications of all tables send ours too; where the other side has none of them, all replication stops."""
    server = read_server(host.database)
    if server.publications:
        yield warn(
            f"the publication {', '.join(server.publications)} is for all tables, pbxapi's too",
            "run pbxapi migrate of the same version on every server of the pair before the first write, then "
            "alter subscription ... refresh publication on each",
        )
    if server.subscriptions:
        yield warn(
            f"this server subscribes to {', '.join(server.subscriptions)}",
            "writes of two servers to one record end up as the later one; send the API's writes to one of them",
        )
    if not server.publications and not server.subscriptions:
        yield ok("no publication of all tables, no subscription")


def migrations(host: Host) -> Iterator[Finding]:
    """Whether our own tables are those of this version."""
    try:
        missing = pending_migrations(host.database, all_migrations(host.registry))
    except MigrationError as error:
        yield fail(str(error), "see docs/operators.md, Upgrades")
        return
    if missing:
        yield fail(f"the database lacks {', '.join(f'{m.owner}/{m.name}' for m in missing)}", "pbxapi migrate")
    else:
        yield ok("all migrations are applied")


def flags(host: Host) -> Iterator[Finding]:
    """FusionPBX has turned flags of text into booleans, column by column; some were numbers before."""
    registry = host.registry
    known = {name for resource in registry.resources.values() for name in _flags(resource.schema)}
    written = [table for table, verbs in table_rights(registry, registry.catalogue).items() if verbs - {"select"}]
    kinds = {
        f"{table}.{column}": registry.catalogue[table][column]
        for table in written
        for column in sorted(known & registry.catalogue[table].keys())
        if f"{table}.{column}" not in NUMBERS
    }
    unknown = {column: kind for column, kind in kinds.items() if kind not in ("bool", "text", "varchar", "bpchar")}
    for column, kind in unknown.items():
        yield fail(
            f"the flag {column} is {kind}: writing true or false to it fails",
            "run FusionPBX's upgrade to its end, which makes it a boolean (core/upgrade/upgrade.php --schema, and "
            "--types before 5.5)",
        )
    if not unknown:
        booleans = sum(kind == "bool" for kind in kinds.values())
        yield ok(f"{booleans} flags are booleans, {len(kinds) - booleans} text")


def _flags(schema: Schema) -> Iterator[str]:
    for name, found in schema.fields.items():
        inner = found.inner if isinstance(found, fields.List) else found
        if isinstance(inner, fields.Nested):
            yield from _flags(inner.schema)
        elif isinstance(inner, TrueFalse) and not found.dump_only:
            yield name


def indexes(host: Host) -> Iterator[Finding]:
    """What makes lists of large tables quick."""
    with host.database.reading() as session:
        missing = missing_indexes(session, host.registry)
    for name, statement in missing.items():
        yield warn(
            f"the index {name} is missing", f"{statement};  -- as the owner of the table; holds up no writes"
        )
    if not missing:
        yield ok("every index that the statements want is there")


def clocks(host: Host) -> Iterator[Finding]:
    """Whether the database, Redis and this host agree on the time."""
    apart = {"PostgreSQL": read_server(host.database).clock_ahead}
    if (facts := _redis(host)) is not None:
        apart["Redis"] = facts.clock_ahead
    wrong = {name: seconds for name, seconds in apart.items() if abs(seconds) > CLOCK_SECONDS}
    for name, seconds in wrong.items():
        yield fail(
            f"the clock of {name} is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this host's",
            "timedatectl set-ntp true on both",
        )
    if not wrong:
        yield ok(f"the clocks agree ({', '.join(apart)})")


def redis(host: Host) -> Iterator[Finding]:
    """Whether Redis keeps what is put into it, and from whom."""
    facts = _redis(host)
    if facts is None:
        yield fail("no answer", "look at PBXAPI_REDIS_URL; changes wait meanwhile, nothing is lost")
        return
    yield ok(f"Redis {facts.version}{' over a Unix socket' if facts.local else ''}")
    if facts.policy is None:
        yield warn("its settings may not be read", "see that maxmemory-policy is noeviction and appendonly is yes")
    elif facts.policy != "noeviction":
        yield fail(
            f"maxmemory-policy is {facts.policy}: under pressure Redis forgets work that is queued",
            "give pbxapi an instance of its own (docs/operators.md), or set maxmemory-policy noeviction",
        )
    if facts.append_only is False:
        yield warn("appendonly is no: what is queued is lost with the process", "set appendonly yes")
    if not facts.local and not facts.password:
        yield warn(
            "every process that reaches its port can write to it: it asks for no password",
            "use a Unix socket that only pbxapi's group opens (docs/operators.md), or requirepass",
        )


def _redis(host: Host) -> RedisFacts | None:
    return read_redis(host.config.redis_url)


def backup(host: Host) -> Iterator[Finding]:
    """FusionPBX's own backup holds the schema public only."""
    folder = host.path("/var/backups/pbxapi")
    dumps = [path.stat().st_mtime for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    if not dumps:
        yield warn(
            "there is no backup of pbxapi's own schema in /var/backups/pbxapi",
            "FusionPBX's backup leaves it out: run pbxapi backup each day (docs/operators.md)",
        )
        return
    days = (time.time() - max(dumps)) / 86400
    if days > BACKUP_DAYS:
        yield warn(
            f"the newest backup of pbxapi's own schema is {days:.0f} days old", "see why pbxapi backup fails"
        )
    else:
        yield ok("there is a backup of pbxapi's own schema of the last two days")
