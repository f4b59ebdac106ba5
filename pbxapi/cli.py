"""The command line: ``pbxapi COMMAND``.

A command reads the settings, says what is wrong with them in one line (exit 2), and imports what it needs only
when it runs, so that each starts quickly. A further command is a further function here.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from pbxapi import __version__
from pbxapi.errors import ConfigError
from pbxapi.logs import log_to_stderr, printable

if TYPE_CHECKING:
    from pbxapi.config import Config
    from pbxapi.data.database import Database, Row, Session
    from pbxapi.plugin.loader import LoadedPlugin, Registry


class Commands(click.Group):
    """The product's own commands, and behind them those of plugins."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name; plugins are read only where the product has none of it."""
        return super().get_command(ctx, cmd_name) or _plugin_command(cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pbxapi")
def commands() -> None:
    """A REST API beside FusionPBX, and a sure way from it to FreeSWITCH."""


def main() -> None:
    """Run the command line. A fault that can be foreseen is one line on standard error; a wrong value exits 2."""
    try:
        status = commands.main(standalone_mode=False)
    except click.Abort:
        status = _tell("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        status = error.exit_code
    except click.ClickException as error:
        status = _tell(error.format_message(), error.exit_code)
    except ConfigError as error:
        status = _tell(str(error), 2)
    except Exception as error:
        line = _foreseen(error)
        if line is None:
            raise
        status = _tell(line, 1)
    raise SystemExit(status)


def _foreseen(error: Exception) -> str | None:
    """What an operator is told about a fault that no code can prevent; None for all others."""
    from pbxapi.data.backup import BackupError
    from pbxapi.data.database import DatabaseError
    from pbxapi.data.migrations import MigrationError
    from pbxapi.plugin.rules import PluginError
    from pbxapi.sandbox.process import ServerError

    match error:
        case BackupError() | MigrationError() | PluginError() | ServerError():
            return str(error)
        case DatabaseError():
            return f"PostgreSQL: {' '.join(str(error).split())}"
    return None


def _tell(line: str, status: int) -> int:
    click.echo(f"pbxapi: {line}", err=True)
    return status


@commands.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(".sandbox"),
    show_default=True,
    help="The folder for everything; it is kept.",
)
@click.option(
    "--key",
    envvar="PBXAPI_SANDBOX_KEY",
    help="The API key; without one the folder's own, made at the first start.",
)
def sandbox(port: int, data: Path, key: str | None) -> None:
    """Run the whole product, with databases and a simulated switch of its own."""
    from pbxapi.sandbox.stack import Sandbox

    log_to_stderr("plain", logging.WARNING)
    Sandbox(data, port=port, key=key or None).run()


@commands.command()
def serve() -> None:
    """Serve the API by gunicorn."""
    from pbxapi.app import create_app
    from pbxapi.http.server import Server

    config = _config()
    log_to_stderr(config.log_format)
    with _database(config) as database:
        _check_migrated(database)
    Server(config, lambda: create_app(config)).run()


@commands.command()
@click.option("--node", help="The switch node to serve; PBXAPI_NODE, else the switch's host name.")
@click.option("--relay/--no-relay", default=True, help="Whether it also hands changes to the nodes' queues.")
def worker(node: str | None, relay: bool) -> None:
    """Apply changes to one switch node."""
    from pbxapi.changes.worker import run_worker

    config = _config()
    config = replace(config, node=node) if node else config
    log_to_stderr(config.log_format)
    with _database(config) as database:
        run_worker(config, database, _load_migrated(config, database), relay=relay)


@commands.command()
def relay() -> None:
    """Hand changes to the nodes' queues, where no worker does so."""
    from pbxapi.changes.worker import run_relay

    config = _config()
    log_to_stderr(config.log_format)
    with _database(config) as database:
        _load_migrated(config, database)
        run_relay(config, database)


@commands.command()
@click.option("--plugin", help="Only this one's, in this process.")
def jobs(plugin: str | None) -> None:
    """Do the background jobs of plugins, each plugin's in a process of its own."""
    from pbxapi.changes.jobs import run_all_jobs, run_plugin_jobs

    config = _config()
    log_to_stderr(config.log_format)
    with _database(config) as database:
        registry = _load_migrated(config, database)
        if plugin is None:
            run_all_jobs(registry)
            return
        loaded = registry.plugin(plugin)
        if loaded is None:
            raise click.ClickException(f"there is no plugin {plugin}")
        run_plugin_jobs(config, database, loaded, registry)


@commands.command()
@click.option("--sql", is_flag=True, help="Only print what makes the missing tables on another node.")
@click.option("--made-on-all-nodes", is_flag=True, help="Go on although the database is replicated.")
def migrate(sql: bool, made_on_all_nodes: bool) -> None:
    """Make or update the tables of pbxapi and its plugins; FusionPBX's are never altered.

    Stops where a publication would carry the new tables' rows to nodes that lack the tables, and says what to do.
    Where a plugin's migration fails it names the plugin and exits 1, and all others are applied all the same.
    """
    from pbxapi.data.migrations import ddl, pending_migrations
    from pbxapi.plugin.loader import all_migrations, load_registry, migrate_all

    config = _config()
    with _database(config) as database:
        if sql:
            registry = load_registry(config, database, migrating=True)
            click.echo(ddl(pending_migrations(database, all_migrations(registry))))
            return
        logging.disable(logging.CRITICAL)  # what fails is told below
        applied, failed = migrate_all(config, database, made_on_all_nodes=made_on_all_nodes)
    for migration in applied:
        click.echo(f"applied {migration.owner}/{migration.name}")
    if failed:
        said = "; ".join(f"the plugin {name} is not migrated: {reason}" for name, reason in failed.items())
        raise click.ClickException(printable(said))
    if not applied:
        click.echo("nothing to do")


@commands.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write all tables of pbxapi and its plugins into FILE. FusionPBX's own backup does not take them."""
    from pbxapi.data.backup import back_up

    with _database(_config()) as database:
        try:
            made = back_up(database, file)
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None
    click.echo(f"{file}: {len(made.tables)} tables, {made.rows} rows")


@commands.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Drop the tables of pbxapi that are there, with what is in them.")
def restore(file: Path, replace: bool) -> None:
    """Bring the tables of FILE back, all or nothing; stop the services first."""
    from pbxapi.data import backup
    from pbxapi.plugin.loader import all_migrations, load_registry

    config = _config()
    with _database(config) as database:
        known = all_migrations(load_registry(config, database, migrating=True))
        found = backup.restore(database, file, known, replace=replace)
    click.echo(f"restored: {len(found.tables)} tables, {found.rows} rows, of {found.made_at}")


@commands.command()
@click.option("--role", default="pbxapi", show_default=True, help="The role that the services use.")
@click.option("--sql", is_flag=True, help="Print the statements that give everything, for a superuser's psql.")
@click.option("--apply", is_flag=True, help="Give what is missing.")
def rights(role: str, sql: bool, apply: bool) -> None:
    """What the product's role lacks in the database. Exits 1 where something is missing.

    Uses PBXAPI_ADMIN_DATABASE_URL, else the account of FusionPBX's configuration.
    """
    from pbxapi.config import admin_database_url
    from pbxapi.plugin.loader import load_registry
    from pbxapi.plugin.rights import grant, read_rights

    config = replace(_config(), database_url=admin_database_url())
    with _database(config) as database:
        registry = load_registry(config, database, migrating=True)
        with database.writing() as session:
            found = read_rights(session, registry, role)
            missing = [right for right in found if not right.given]
            if apply:
                grant(session, missing)
    if sql:
        for right in found:
            click.echo(f"{right.statement};")
        return
    for right in missing:
        click.echo(f"{'given' if apply else 'missing'}: {right.what}")
    if not missing:
        click.echo("nothing is missing")
    elif not apply:
        raise click.exceptions.Exit(1)


@commands.command()
@click.option("--fix", is_flag=True, help="Do what can be done by itself.")
@click.option("--json", "as_json", is_flag=True, help="One object a line, for programs.")
def doctor(fix: bool, as_json: bool) -> None:
    """Look at the whole installation, and say what to do. Exits 1 where something does not work."""
    from pbxapi.config import fusionpbx_conf
    from pbxapi.doctor.checks import CHECKS
    from pbxapi.doctor.checkup import Host, examine

    logging.disable(logging.CRITICAL)  # what a check finds it says itself
    conf, conf_path = fusionpbx_conf()
    host = Host(_config(), conf, conf_path)
    failed = False
    for name, finding in examine(host, CHECKS, fix=fix):
        failed |= finding.level == "fail"
        if as_json:
            told = {"check": name, "level": finding.level, "text": finding.text, "advice": finding.advice}
            click.echo(json.dumps(told))
            continue
        click.echo(f"{finding.level:4}  {name:14}  {printable(finding.text)}")
        if finding.advice:
            click.echo(f"{'':22}> {printable(finding.advice)}")
    host.close()
    raise click.exceptions.Exit(int(failed))


@commands.group()
def plugins() -> None:
    """What serves the resources."""


@plugins.command("list")
def list_plugins() -> None:
    """Plugins, their resources, and why one is left out."""
    from pbxapi.plugin.loader import load_registry

    config = _config()
    with _database(config) as database:
        found = load_registry(config, database).plugins
    _table(
        ("PLUGIN", "VERSION", "FROM", "RESOURCES", "COMMANDS", "LEFT OUT BECAUSE"),
        (
            (
                loaded.name,
                loaded.plugin.version if loaded.plugin else "",
                "pbxapi" if loaded.builtin else loaded.origin,
                " ".join(resource.declaration.name for resource in loaded.resources),
                " ".join(loaded.plugin.commands) if loaded.plugin else "",
                loaded.faults,
            )
            for loaded in found
        ),
    )


@commands.group()
def plugin() -> None:
    """Writing plugins."""


@plugin.command("new")
@click.argument("name")
@click.option(
    "--table", help="A table of FusionPBX's whose records it serves; without it, one of its own is made."
)
@click.option(
    "--into", type=click.Path(path_type=Path), help="The new folder; one named as the plugin when left out."
)
def new_plugin(name: str, table: str | None, into: Path | None) -> None:
    """Make a complete package for the plugin NAME. The columns come from the database, where one is configured."""
    from pbxapi.authoring import CannotMake, read_table, shipped_tables, write_package

    columns = []
    if table is not None:
        try:
            config = _config()
        except ConfigError:
            columns = shipped_tables().get(table, [])
        else:
            with _database(config) as database:
                columns = read_table(database, table)
    place = into or Path(name)
    try:
        written = write_package(name, place, table, columns)
    except CannotMake as error:
        raise click.ClickException(str(error)) from None
    for path in written:
        click.echo(path)
    click.echo(f"test it: pbxapi plugin test {place}")


@plugin.command("test", context_settings={"ignore_unknown_options": True})
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def test_plugin(path: Path, options: tuple[str, ...]) -> None:
    """Hold the plugin at PATH to what holds for all, and run its own tests. OPTIONS go to pytest."""
    path = path.resolve()
    tests = sorted(path.rglob("test_*.py"))
    arguments = [str(path)] if tests else []
    if not any("pbxapi.conformance" in test.read_text("utf-8") for test in tests):
        arguments += ["--pyargs", "pbxapi.conformance"]
    if (path / "plugin.py").exists():
        arguments += ["--pbxapi-plugins-path", str(path)]
    settings = path / "pyproject.toml"
    arguments += ["-c", str(settings) if settings.exists() else os.devnull, "--rootdir", str(path)]
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, *options])
    raise click.exceptions.Exit(done.returncode)


@commands.group()
def changes() -> None:
    """What became of writes on the switch nodes."""


@changes.command("list")
@click.option("--state", type=click.Choice(["pending", "applied", "failed"]))
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
def list_changes(state: str | None, most: int) -> None:
    """The newest changes of all domains."""
    from pbxapi.changes import journal

    with _database(_config()) as database, database.reading() as session:
        rows = journal.list_changes(session, state, most)
    _rows(rows, "change_id", "created_at", "state", "action", "resource", "record_uuid", "domain", "error")


@changes.command("show")
@click.argument("change_id", type=click.UUID)
def show_change(change_id: UUID) -> None:
    """One change, and its state on each node."""
    from pbxapi.changes import journal

    with _database(_config()) as database, database.reading() as session:
        found = journal.show_change(session, change_id)
    if found is None:
        raise click.ClickException(f"there is no change {change_id}")
    change, nodes = found
    for name, value in change.items():
        click.echo(f"{name}: {_text(value)}")
    click.echo()
    _rows(nodes, "node", "state", "attempts", "due_at", "applied_at", "error")


@changes.command("retry")
@click.argument("change_ids", type=click.UUID, nargs=-1)
@click.option("--failed", is_flag=True, help="All that have failed.")
def retry_changes(change_ids: tuple[UUID, ...], failed: bool) -> None:
    """Try changes again, from the first attempt on."""
    from pbxapi.changes import journal

    if bool(change_ids) == failed:
        raise click.UsageError("name changes, or give --failed for all that have failed")
    with _database(_config()) as database, database.writing() as session:
        tried = journal.retry_changes(session, change_ids or None)
    if not tried:
        raise click.ClickException("there is nothing to try again")
    click.echo(f"tried again: {tried}")


@commands.group()
def nodes() -> None:
    """The switch nodes."""


@nodes.command("list")
def list_nodes() -> None:
    """Nodes, when their workers were last seen, and what waits for them."""
    from pbxapi.changes import journal

    with _database(_config()) as database, database.reading() as session:
        rows = journal.list_nodes(session)
    _rows(rows, "name", "hostname", "switchname", "up", "seen_at", "pending", "failed", "error")


@nodes.command("forget")
@click.argument("name")
@click.option("--force", is_flag=True, help="Although its worker is running.")
def forget_node(name: str, force: bool) -> None:
    """Drop a node that is gone for good, with all that waits for it."""
    from pbxapi.changes import journal
    from pbxapi.data import change

    with _database(_config()) as database, database.writing() as session:
        node = next((row for row in journal.list_nodes(session) if row["name"] == name), None)
        if node is None:
            raise click.ClickException(f"there is no node {name}")
        if node["up"] and not force:
            raise click.ClickException(f"the worker of {name} is running: stop it first, or give --force")
        change.forget_node(session, name)
    click.echo(f"forgotten: {name}")


def _spelled(spell: str) -> Callable[..., Any]:
    """A callback that checks the values of an option by a function of `pbxapi.data.keys`."""

    def check(context: click.Context, option: click.Parameter, value: Any) -> Any:
        from pbxapi.data import keys

        read = getattr(keys, spell)
        try:
            return tuple(map(read, value)) if option.multiple else value and read(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return check


@commands.group()
def links() -> None:
    """Links to recordings and voicemail messages, which are good without a key."""


@links.command("revoke")
def revoke_links() -> None:
    """End every link that was handed out; within two seconds none is good any more."""
    from pbxapi.data import links

    with _database(_config()) as database, database.writing() as session:
        links.revoke_links(session)
    click.echo("ended: all links")


@commands.group()
def keys() -> None:
    """API keys beside the system's own. A key is shown once, when it is made."""


@keys.command("create")
@click.argument("name")
@click.option("--domain", "domains", multiple=True, help="A domain's name or uuid; can be repeated.")
@click.option("--every-domain", is_flag=True, help="Instead of domains: all there are and will be.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    callback=_spelled("scope"),
    help="Such as extensions:read, extensions:*, *:read or *; can be repeated.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    callback=_spelled("network"),
    help="From where it may be used, such as 192.0.2.0/24; can be repeated. Anywhere without it.",
)
@click.option("--rate-limit", default="", callback=_spelled("rate"), help="Its own, such as 600/minute.")
@click.option("--expires", default="", callback=_spelled("moment"), help="Such as 2030-12-31T23:59:59Z.")
def create_key(
    name: str,
    domains: tuple[str, ...],
    every_domain: bool,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    rate_limit: str,
    expires: str,
) -> None:
    """Make a key; it goes to standard output, and is known at no later time."""
    from pbxapi.data import keys

    if bool(domains) == every_domain:
        raise click.UsageError("name a --domain, or give --every-domain")
    if not name.isprintable() or not 1 <= len(name) <= keys.NAME_MOST:
        raise click.UsageError(f"NAME must have 1 to {keys.NAME_MOST} characters, all printable")
    if expires and datetime.fromisoformat(expires) <= datetime.now(UTC):
        raise click.UsageError("--expires must lie in the future")
    with _database(_config()) as database, database.writing() as session:
        uuid, key = keys.create_key(
            session,
            name=name,
            domains=None if every_domain else [_domain(session, domain) for domain in domains],
            scopes=scopes,
            networks=networks,
            rate_limit=rate_limit,
            expires_at=expires,
        )
    click.echo(f"made: {uuid}", err=True)
    click.echo(key)


@keys.command("list")
def list_keys() -> None:
    """All keys, without the keys themselves."""
    from pbxapi.data import keys

    with _database(_config()) as database, database.reading() as session:
        rows = keys.list_keys(session)
    for row in rows:
        row |= {name: " ".join(row[name]) for name in ("domains", "scopes", "networks")}
    _rows(
        rows,
        "api_key_uuid",
        "name",
        "hint",
        "enabled",
        "expires_at",
        "last_used_at",
        "scopes",
        "networks",
        "rate_limit",
        "domains",
    )


@keys.command("revoke")
@click.argument("key")
def revoke_key(key: str) -> None:
    """Delete KEY, named by uuid or name: it is refused within two seconds."""
    from pbxapi.data import keys

    with _database(_config()) as database, database.writing() as session:
        found = _key(session, key)
        keys.revoke_key(session, found)
    click.echo(f"revoked: {found['api_key_uuid']}")


@keys.command("rotate")
@click.argument("key")
@click.option(
    "--overlap",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seconds for which the old one stays good.",
)
def rotate_key(key: str, overlap: int) -> None:
    """Replace KEY, named by uuid or name, by a new one, which goes to standard output."""
    from pbxapi.data import keys

    if overlap > keys.OVERLAP_MOST:
        raise click.UsageError(f"--overlap can be {keys.OVERLAP_MOST} seconds at most")
    with _database(_config()) as database, database.writing() as session:
        found = _key(session, key)
        made = keys.rotate_key(session, found, overlap)
    click.echo(f"rotated: {found['api_key_uuid']}", err=True)
    click.echo(made)


def _domain(session: Session, name: str) -> UUID:
    from pbxapi.data import keys

    found = keys.find_domain(session, name)
    if found is None:
        raise click.ClickException(f"there is no domain {name}")
    return found


def _key(session: Session, name: str) -> Row:
    from pbxapi.data import keys

    found = keys.named_keys(session, name)
    if len(found) != 1:
        raise click.ClickException(
            f"{len(found)} keys are named {name}: give the uuid" if found else f"there is no key {name}"
        )
    return found[0]


@commands.command()
@click.option("--node", help="The switch node of this host; PBXAPI_NODE, else the switch's host name.")
@click.option("--domain", help="Only this one; what belongs to no record is then looked for in its folders alone.")
@click.option("--fix", is_flag=True, help="Put right what differs.")
def reconcile(node: str | None, domain: str | None, fix: bool) -> None:
    """Compare the database with this node's files, cache and switch. Exits 1 where differences are left."""
    from pbxapi.changes.reconcile import NothingToCompare, Reconciliation
    from pbxapi.errors import SwitchError
    from pbxapi.switch.commands import host_name
    from pbxapi.switch.event_socket import EventSocket

    config = _config()
    log_to_stderr(config.log_format, logging.WARNING)
    switch = EventSocket(config.esl_host, config.esl_port, config.esl_password)
    with _database(config) as database:
        try:
            name = node or config.node or host_name(switch)
            repair = Reconciliation(config, database, _load_migrated(config, database), name, switch, domain)
            found, left = repair.run(fix=fix)
        except (NothingToCompare, SwitchError) as error:
            raise click.ClickException(str(error)) from None
        finally:
            switch.close()
    for difference in found:
        click.echo(difference)
    for difference in left if fix else ():
        click.echo(f"left: {difference}")
    click.echo(f"found: {len(found)}, left: {len(left)}")
    if left:
        raise click.exceptions.Exit(1)


def _plugin_command(name: str) -> click.Command | None:
    from pbxapi.data.database import DatabaseError
    from pbxapi.plugin.loader import load_registry
    from pbxapi.plugin.rules import PluginError

    try:
        config = _config()
        with _database(config) as database:
            registry = load_registry(config, database)
    except (ConfigError, DatabaseError, PluginError) as error:
        reason = " ".join(str(error).split())
        raise click.UsageError(
            f"no command {name} of the product's own, and plugins cannot be read: {reason}"
        ) from None
    for loaded in registry.plugins:
        if loaded.plugin and not loaded.error and name in loaded.plugin.commands:
            return _wrap(config, loaded, name)
    return None


def _wrap(config: Config, loaded: LoadedPlugin, name: str) -> click.Command:
    from pbxapi.plugin import CommandRun

    assert loaded.plugin is not None
    command = loaded.plugin.commands[name]
    parser = ArgumentParser(prog=f"pbxapi {name}", description=command.help)
    if command.arguments:
        command.arguments(parser)

    def run(arguments: tuple[str, ...]) -> int:
        parsed = parser.parse_args(arguments)
        with _database(config) as database:
            return command.run(CommandRun(parsed, database, loaded.options))

    return click.Command(
        name,
        callback=run,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    )


def _config() -> Config:
    from pbxapi.config import load_config

    return load_config()


@contextmanager
def _database(config: Config) -> Iterator[Database]:
    from pbxapi.data.database import Database

    database = Database(config.database_url, max_size=6, name="pbxapi")  # a worker has several threads
    with database.dedicated():
        pass  # one that does not answer is told at once; the pool would try for seconds
    try:
        yield database
    finally:
        database.close()


def _load_migrated(config: Config, database: Database) -> Registry:
    """The plugins that can serve, once the database has all that the product needs."""
    from pbxapi.plugin.loader import load_registry

    _check_migrated(database)
    return load_registry(config, database)


def _check_migrated(database: Database) -> None:
    """Whether the database has the product's own tables; a plugin that lacks its own is left out later."""
    from pbxapi.data.migrations import MigrationError, builtin_migrations, pending_migrations

    if missing := pending_migrations(database, builtin_migrations()):
        names = ", ".join(f"{migration.owner}/{migration.name}" for migration in missing)
        raise MigrationError(f"the database lacks {names}: run pbxapi migrate")


def _rows(rows: Iterable[Mapping[str, Any]], *columns: str) -> None:
    titles = [column.replace("_", " ").upper() for column in columns]
    _table(titles, ([_text(row[column]) for column in columns] for row in rows))


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [titles, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(titles))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return " ".join(str(value).split())


if __name__ == "__main__":
    main()
