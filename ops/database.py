"""The database's side of an installation, for install.sh.

    database.py login       exit 0 where the account of our settings gets in
    database.py migrated    exit 0 where our tables are those of this release
    database.py password    give our role the password of our settings, where it has none
    database.py password anew   ... whatever it has
    database.py drop        take our role away, and with it our schemas and every right in FusionPBX's

`password` and `drop` go by an account that may do it (pbxapi.config.admin_database_url). `pbxapi rights` makes the
role.
"""

from __future__ import annotations

import logging
import sys

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pbxapi.config import SETTINGS_PLACE, admin_database_url, load_config
from pbxapi.data.database import Database
from pbxapi.data.migrations import pending_migrations
from pbxapi.plugin.loader import all_migrations, load_registry
from pbxapi.plugin.rights import ROLE


def login() -> bool:
    """Whether the account of our settings gets in."""
    try:
        psycopg.connect(load_config().database_url, connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True


def migrated() -> bool:
    """Whether no migration is waiting."""
    if not login():
        return False
    config = load_config()
    database = Database(config.database_url, max_size=1, name="pbxapi-install")
    try:
        return not pending_migrations(database, all_migrations(load_registry(config, database, migrating=True)))
    finally:
        database.close()


def password(anew: bool) -> None:
    """Set it; what crosses the wire, and may be logged, is its hash."""
    account = conninfo_to_dict(load_config().database_url)
    role, secret = str(account["user"]), str(account["password"])
    with psycopg.connect(admin_database_url()) as admin:
        has_one = admin.execute("select from pg_authid where rolname = %s and rolpassword is not null", (role,))
        if has_one.rowcount and not anew:
            sys.exit(
                f"The role {role} has another password than {SETTINGS_PLACE}. If another host uses this database "
                "too, copy the line PBXAPI_DATABASE_URL from its file; else run again with --new-password."
            )
        hashed = admin.pgconn.encrypt_password(secret.encode(), role.encode(), b"scram-sha-256").decode()
        admin.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(hashed)))


def drop() -> None:
    """Drop what it owns, and it; where another database holds things of it, nothing is done."""
    with psycopg.connect(admin_database_url()) as admin:
        if admin.execute("select from pg_roles where rolname = %s", (ROLE,)).rowcount:
            role = sql.Identifier(ROLE)
            admin.execute(sql.SQL("drop owned by {} cascade").format(role))
            admin.execute(sql.SQL("drop role {}").format(role))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    match sys.argv[1:]:
        case ["login"]:
            sys.exit(not login())
        case ["migrated"]:
            sys.exit(not migrated())
        case ["password"]:
            password(anew=False)
        case ["password", "anew"]:
            password(anew=True)
        case ["drop"]:
            drop()
        case _:
            sys.exit(__doc__)
