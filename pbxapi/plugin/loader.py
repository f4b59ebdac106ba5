"""Finding plugins, checking them, and making their declarations ready to serve."""

from __future__ import annotations

import hashlib
import importlib
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, NamedTuple

from marshmallow import Schema, fields

from pbxapi.config import Config, builtin_folder
from pbxapi.data.catalogue import read_catalogue
from pbxapi.data.database import UNAVAILABLE, Database, DatabaseError
from pbxapi.data.listing import Listing
from pbxapi.data.migrations import (
    Migration,
    MigrationError,
    ReplicatedError,
    applied_migrations,
    builtin_migrations,
    migrate,
    missing_migrations,
    read_migrations,
)
from pbxapi.data.statements import Catalogue, Statement, load_statements, of_each, plain_sql
from pbxapi.data.trial import Trial
from pbxapi.plugin.declaration import EventType, Plugin
from pbxapi.plugin.events import change_events
from pbxapi.plugin.fields import Record, Text, links_of
from pbxapi.plugin.resource import Resource, Rows
from pbxapi.plugin.rules import (
    PluginError,
    check_migrations,
    check_owner,
    check_parameters,
    check_plugin,
    check_statement,
    python_statements,
)

log = logging.getLogger(__name__)

_PACKAGE = "pbxapi_plugins"
"""The built-in plugins' package: one may import what another offers. Others' folders get a package each."""

ENTRY_POINTS = "pbxapi.plugins"
"""The entry point group of plugins that are installed as packages."""

LOOK_SECONDS = 60.0
"""After so long the next request sees whether FusionPBX was upgraded; what fails before is noticed at once."""

_LIST_PARAMETERS = ("page", "per_page", "search", "sort", "cursor", "count")


class LoadedResource:
    """A declaration with its statements and schemas, made once.

    Attributes:
        declaration: the resource.
        plugin: name of the plugin that brings it.
        origin: the folder or package that it comes from.
        statements: its SQL by name.
        shared: the product's own statements that all resources use.
        options: values of the plugin's settings.
        owned: whether each of its records belongs to a domain, or to all.
        settings: FusionPBX's settings that its writes look at, its limit too.
        fault: why the database at hand cannot serve it; empty where it can.
    """

    def __init__(
        self,
        declaration: Resource,
        plugin: str,
        origin: str,
        statements: Mapping[str, Statement],
        shared: Mapping[str, Statement],
        options: Mapping[str, Any],
        owned: bool,
    ) -> None:
        self.declaration = declaration
        self.plugin = plugin
        self.options = options
        self.owned = owned
        self.fault = ""
        self.origin = origin
        self.statements = statements
        self.shared = shared
        self.schema: Record = declaration.schema()
        self.secrets = self.schema.secrets()
        limits = (f"limit/{declaration.limit}",) if declaration.limit else ()
        self.settings = frozenset((*declaration.settings, *limits))
        self.nullable = frozenset(n for n, f in self.schema.fields.items() if f.dump_only and f.allow_none)

    def statement(self, name: str) -> Statement:
        """One of its statements.

        Raises:
            PluginError: it has none of that name.
        """
        try:
            return self.statements[name]
        except KeyError:
            place = Path(self.origin) / "sql"
            raise PluginError(f"{self.declaration.name}: there is no statement {name}.sql in {place}") from None

    @property
    def current(self) -> str:
        """The statement that a record's effects are computed from."""
        return "effects" if "effects" in self.statements else "get"

    def rebind(self, other: LoadedResource) -> None:
        """Go on with the statements of the same resource, loaded for the tables as they are now."""
        self.owned, self.shared, self.statements = other.owned, other.shared, other.statements
        self.fault = ""
        for made in ("lists", "told", "queries", "exported"):
            self.__dict__.pop(made, None)

    @cached_property
    def told(self) -> tuple[str, ...]:
        """The fields that an event tells of a record: those of a list's row, which are never secret."""
        shown = self.lists.get("list")
        row = shown.row if shown else _plain_fields(self.schema)
        return tuple(dict.fromkeys((self.declaration.id, *row)))

    @cached_property
    def bodies(self) -> Mapping[str, Schema]:
        """What its operations take as a body, by the operation's name."""
        return {o.name: o.body() for o in self.declaration.all_operations() if o.body is not None}

    @cached_property
    def queries(self) -> Mapping[str, Schema]:
        """What its operations take in the query string, by the operation's name."""
        found: dict[str, Schema] = {}
        for operation in self.declaration.all_operations():
            if operation.streams:
                found[operation.name] = self.exported.export_query_schema
            elif operation.name in self.lists:
                found[operation.name] = self.lists[operation.name].query_schema
            elif operation.query is not None:
                found[operation.name] = operation.query()
        return found

    @cached_property
    def lists(self) -> Mapping[str, LoadedRows]:
        """What its operations list in pages, by the operation's name; its own is ``list``."""
        found = {o.name: o.rows for o in self.declaration.all_operations() if o.rows is not None}
        if "list" in self.statements:
            found.setdefault("list", self.declaration.rows)
        return {
            name: LoadedRows(rows, self.statement(rows.statement), self.statements.get("count"))
            for name, rows in found.items()
        }

    @cached_property
    def exported(self) -> LoadedRows:
        """What it exports: ``export.sql`` with every plain field that can be written, else its list."""
        if "export" not in self.statements:
            return self.lists["list"]
        rows, statement = self.declaration.rows, self.statement("export")
        # Of the columns that FusionPBX's versions differ in, the statement has those that are there.
        columns = (name for name in self.columns if re.search(rf"\b{name}\b", statement.text))
        return LoadedRows(replace(rows, statement="export", row=(rows.id, *columns)), statement, None)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The fields of one value that can be written, without secrets: what an export can give back."""
        plain = (n for n, f in self.schema.load_fields.items() if not isinstance(f, fields.Nested | fields.List))
        return tuple(name for name in plain if name not in self.secrets)


class LoadedRows:
    """A list with its statement and schemas, made once.

    Args:
        count: an own statement for the total of ``list.sql``.
    """

    def __init__(self, declaration: Rows, statement: Statement, count: Statement | None) -> None:
        self.declaration = declaration
        self.schema: Record = declaration.schema()
        self.query_names = tuple(declaration.query().fields) if declaration.query else ()
        self.row = _without(statement.absent, declaration.row or _plain_fields(self.schema))
        self.filters = _without(statement.absent, declaration.filters)
        self.search = _without(statement.absent, declaration.search)
        self.listing = Listing(
            statement,
            self.row,
            declaration.id,
            {name: sort for name, sort in declaration.sorts.items() if sort.column not in statement.absent},
            self.search,
            count if declaration.statement == "list" else None,
        )

    @cached_property
    def query_schema(self) -> Schema:
        """What the list takes in its query string."""
        own: dict[str, fields.Field[Any]] = {name: Text() for name in (*_LIST_PARAMETERS, *self.filters)}
        # A cursor carries the value that it is sorted by, and that may be a long description.
        own["cursor"] = Text(max=16_384)
        return self._query(own)

    @cached_property
    def export_query_schema(self) -> Schema:
        """What an export of it takes in its query string."""
        own: dict[str, fields.Field[Any]] = {name: Text() for name in ("search", "sort", *self.filters)}
        own["format"] = Text(pattern="csv|ndjson", expected="csv or ndjson")
        return self._query(own)

    def _query(self, own: dict[str, fields.Field[Any]]) -> Schema:
        base = self.declaration.query or Record
        return base.from_dict(own, name=f"{self.declaration.statement}Query")()


def _without(absent: frozenset[str], columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(column for column in columns if column not in absent)


def _plain_fields(schema: Record) -> tuple[str, ...]:
    secrets = schema.secrets()
    return tuple(
        name
        for name, field in schema.dump_fields.items()
        if name not in secrets and not isinstance(field, fields.Nested)
    )


@dataclass
class LoadedPlugin:
    """A plugin that was found.

    Attributes:
        name: its name, or its folder's where it could not be read.
        origin: where it was found.
        builtin: whether it belongs to the product.
        plugin: its declaration, None where it could not be read.
        resources: what it serves.
        options: values of its settings by name.
        error: why it is left out; empty when it serves.
    """

    name: str
    origin: str
    builtin: bool
    plugin: Plugin | None = None
    resources: list[LoadedResource] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def schema(self) -> str | None:
        """The database schema that is its own; None for one of the product's."""
        return None if self.builtin or self.plugin is None else self.plugin.schema

    @property
    def events(self) -> tuple[EventType, ...]:
        """The events that it declares, each with the scope that it needs."""
        declared = self.plugin.events if self.plugin else ()
        return tuple(replace(event, scope=event.scope or f"{self.name}:read") for event in declared)

    @property
    def faults(self) -> str:
        """Why it, or which of its resources and why, is not served; empty when all is."""
        return self.error or "; ".join(f"{r.declaration.name}: {r.fault}" for r in self.resources if r.fault)

    def leave_out(self, reason: str) -> None:
        """Serve nothing of it, and say why."""
        self.error = reason
        self.resources = []
        log.error("plugin %s (%s) is left out: %s", self.name, self.origin, reason)


@dataclass
class Registry:
    """All plugins found, and the resources that are served.

    Attributes:
        named: where each name, resource, command, setting and event comes from, by its kind and name.
        catalogue: the tables and columns that the statements are made for.
        looked_at: when they were read, by the monotonic clock.
    """

    plugins: list[LoadedPlugin]
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=dict, repr=False)
    looked_at: float = field(default_factory=time.monotonic)
    _looking: Any = field(default_factory=threading.Lock, repr=False)

    def look(self, database: Database, seconds: float = LOOK_SECONDS) -> None:
        """See whether FusionPBX was upgraded, and go on with its tables as they are now; at most every so often.

        Args:
            seconds: for which what was read last is believed.

        Raises:
            DatabaseError: the database does not answer.
        """
        if time.monotonic() - self.looked_at < seconds:
            return
        began = time.monotonic()
        with self._looking:
            if self.looked_at >= began:
                return  # somebody else has, while this one waited
            found: list[tuple[LoadedResource, str]] = []
            while (catalogue := _read_catalogue(database)) != self.catalogue:
                log.warning("the tables of the database have changed; the statements are made again for them")
                self._rebind(catalogue)
                with database.dedicated() as connection:
                    trial = Trial(connection)
                    found = _faults_of_builtin(self, trial)
                    found += _faults((r for p in self.plugins if not p.builtin for r in p.resources), trial)
                database.renew()
            # Only now is it known that they were tried with the tables that they were made for.
            _set_aside(found)
            self.looked_at = time.monotonic()

    def _rebind(self, catalogue: Catalogue) -> None:
        shared = load_statements(builtin_folder("sql") / "core", catalogue)
        for loaded in self.plugins:
            for resource in loaded.resources:
                try:
                    resource.rebind(_bind(resource.declaration, loaded, shared, catalogue))
                except PluginError as error:
                    resource.fault = str(error)
        self.catalogue = catalogue

    @cached_property
    def resources(self) -> dict[str, LoadedResource]:
        """By name."""
        return {r.declaration.name: r for p in self.plugins if not p.error for r in p.resources}

    @cached_property
    def events(self) -> dict[str, EventType]:
        """Every type of event that may be told: of changes, from the resources, and what plugins declare."""
        serving = [loaded for loaded in self.plugins if loaded.plugin is not None and not loaded.error]
        found = (
            event
            for loaded in serving
            for event in (*(e for r in loaded.resources for e in change_events(r)), *loaded.events)
        )
        return {event.name: event for event in sorted(found, key=lambda event: event.name)}

    def check_event(self, plugin: str, event: str) -> None:
        """Whether a plugin may tell an event.

        Raises:
            LookupError: it declares none of that name.
        """
        loaded = self.plugin(plugin)
        if loaded is None or event not in {declared.name for declared in loaded.events}:
            raise LookupError(f"the plugin {plugin} declares no event {event}: add it to Plugin.events")

    def check_job(self, plugin: str, job: str) -> None:
        """Whether a plugin has a job.

        Raises:
            LookupError: it declares none of that name.
        """
        loaded = self.plugin(plugin)
        if loaded is None or loaded.plugin is None or job not in loaded.plugin.jobs:
            raise LookupError(f"the plugin {plugin} declares no job {job}: add it to Plugin.jobs")

    def leave_out(self, loaded: LoadedPlugin, reason: str) -> None:
        """Serve nothing of a plugin from now on, and say why."""
        loaded.leave_out(reason)
        for known in ("resources", "events"):
            self.__dict__.pop(known, None)

    def plugin(self, name: str) -> LoadedPlugin | None:
        """A plugin that serves, by name."""
        return next((p for p in self.plugins if p.name == name and not p.error), None)


def load_registry(config: Config, database: Database, *, migrating: bool = False) -> Registry:
    """Read the catalogue of the database and load the plugins against it; leaves no connection open.

    Args:
        migrating: whether the plugins' own tables are about to be made. Otherwise somebody else's plugin serves
            only once its tables are there and PostgreSQL can run all its statements.

    Raises:
        PluginError: a built-in plugin cannot be used with this database.
    """
    catalogue = _read_catalogue(database)
    database.close()
    registry = load_plugins(config, catalogue)
    guests = [p for p in registry.plugins if not (p.builtin or p.error)]
    if migrating:
        return registry
    _leave_out_unmigrated(database, guests)
    if not guests and _hashes(registry) in _fitting:
        return registry
    with database.dedicated() as connection:
        trial = Trial(connection)
        _set_aside(_faults_of_builtin(registry, trial))
        for guest in guests:
            if not guest.error and (fault := trial.fault(_texts(guest.resources))):
                guest.leave_out(fault)
    return registry


_fitting: set[tuple[int, int]] = set()
"""Tables and statements, by their hashes, of which PostgreSQL has said that they go together."""


def _read_catalogue(database: Database) -> Catalogue:
    with database.reading() as session:
        return read_catalogue(session)


def _hashes(registry: Registry) -> tuple[int, int]:
    tables = frozenset((table, frozenset(columns.items())) for table, columns in registry.catalogue.items())
    texts = _texts(r for p in registry.plugins if p.builtin for r in p.resources)
    return hash(tables), hash(tuple(texts.values()))


def _faults(resources: Iterable[LoadedResource], trial: Trial) -> list[tuple[LoadedResource, str]]:
    """The resources that the tables at hand cannot serve, and why."""
    return [(r, fault) for r in resources if (fault := r.fault or trial.fault(_texts([r])))]


def _faults_of_builtin(registry: Registry, trial: Trial) -> list[tuple[LoadedResource, str]]:
    """As `_faults`, of the product's own; what once fitted is not tried again in this process."""
    hashes = _hashes(registry)
    if hashes in _fitting:
        return []
    found = _faults((r for p in registry.plugins if p.builtin for r in p.resources), trial)
    if not found:
        _fitting.add(hashes)
    return found


def _set_aside(found: Iterable[tuple[LoadedResource, str]]) -> None:
    for resource, fault in found:
        resource.fault = fault
        log.error("the resource %s is not served: %s", resource.declaration.name, fault)


def _leave_out_unmigrated(database: Database, guests: list[LoadedPlugin]) -> None:
    applied, builtin = applied_migrations(database), builtin_migrations()
    for guest in guests:
        own = _own_migrations(guest)
        try:
            waiting = missing_migrations([*builtin, *own], applied) if own else []
        except MigrationError as error:
            guest.leave_out(str(error))
            continue
        if missing := [migration.name for migration in waiting if migration.owner == guest.name]:
            names = ", ".join(missing)
            guest.leave_out(f"its migrations {names} are not applied: run pbxapi migrate")


def _texts(resources: Iterable[LoadedResource]) -> dict[str, str]:
    """What resources will run, by where it stands: statements, lists' columns, and what pbxapi adds."""
    found: dict[str, str] = {}
    for resource in resources:
        declaration, of = resource.declaration, f"of {resource.declaration.name}"
        if table := declaration.table:
            found[f"id and table {of}"] = f"select {declaration.id} from {table}"
            for unique in declaration.uniques:
                found[f"unique {of}"] = f"select {', '.join(unique.columns)} from {table}"
        for name, link in links_of(resource.schema):
            found[f"the link {name} {of}"] = f"select {link.column}, domain_uuid from {link.table}"
        if {"get", "update"} <= resource.statements.keys():
            kept = {name for name, field in resource.schema.fields.items() if not field.load_only}
            if written := sorted(resource.statements["update"].parameters & kept - {declaration.id}):
                answered = ", ".join(f"r.{name}" for name in written)
                found[f"get.sql {of} must answer what update.sql writes"] = (
                    f"select {answered} from ({resource.statements['get'].text}) as r"
                )
        found |= {s.source: s.text for s in resource.statements.values()}
        if declaration.effects and resource.current in resource.statements:
            text = resource.statement(resource.current).text
            found[f"{resource.current}.sql {of}, asked for many records"] = of_each(text, declaration.id)
        if resource.declaration.numbers:
            found |= {s.source: s.text for s in resource.shared.values()}
        streams = any(operation.streams for operation in resource.declaration.all_operations())
        shown = {**resource.lists, **({"export": resource.exported} if streams else {})}
        for name, rows in shown.items():
            sorts = (sort.column for sort in rows.listing.sorts.values())
            columns = dict.fromkeys((rows.declaration.id, *rows.row, *rows.search, *rows.filters, *sorts))
            listed = ", ".join(f"r.{column}" for column in columns)
            found[f"the columns of {resource.declaration.name} {name}"] = (
                f"select {listed} from ({rows.listing.statement.text}) as r"
            )
    return found


def load_plugins(config: Config, catalogue: Catalogue) -> Registry:
    """Find, read and check all plugins.

    A broken plugin of somebody else's is left out, with its reason; a broken one of the product's own ends it.

    Raises:
        PluginError: a built-in plugin cannot be used.
    """
    shared = load_statements(builtin_folder("sql") / "core", catalogue)
    registry = Registry([], catalogue=catalogue)
    for found, load in _find(config):
        try:
            found.plugin = load()
            found.name = found.plugin.name
            check_plugin(found.plugin, found.builtin)
            check_migrations(_written_migrations(found))
            _check_taken(found, registry)
            found.options = {s.name: s.read(config.environment) for s in found.plugin.settings}
            for resource in found.plugin.resources:
                found.resources.append(_bind(resource, found, shared, catalogue))
            for statement in python_statements(Path(found.origin), catalogue):
                check_statement(statement, catalogue, found.schema)
        except (Exception, SystemExit) as error:
            # Whatever a plugin's module raises: the host runs on without it, and sees why.
            reason = _reason(error, found.origin)
            if found.builtin:
                raise PluginError(f"plugin {found.name} ({found.origin}): {reason}") from error
            found.leave_out(reason)
        else:
            registry.named |= dict.fromkeys(_named(found.plugin), found.origin)
        registry.plugins.append(found)
    return registry


def _reason(error: BaseException, origin: str) -> str:
    """What the operator is told: our own words as they are, a foreign fault with its kind and its place."""
    text = " ".join(str(error).split())
    if isinstance(error, PluginError) and text:
        return text
    own = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(origin)]
    place = f" ({Path(own[-1].filename).relative_to(origin)}:{own[-1].lineno})" if own else ""
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__) + place


def _find(config: Config) -> Iterator[tuple[LoadedPlugin, Callable[[], Plugin]]]:
    seen: set[Path] = set()
    for root in (builtin_folder("plugins"), *(() if config.safe_mode else config.plugins_path)):
        builtin = root == builtin_folder("plugins")
        places = [root] if (root / "plugin.py").exists() else (path.parent for path in root.glob("*/plugin.py"))
        for folder in sorted(places):
            name = folder.name.removeprefix("pbxapi_").replace("_", "-")
            seen.add(folder.resolve())
            if config.plugins is None or name in config.plugins:
                yield LoadedPlugin(name, str(folder), builtin), _Load(folder, builtin)
    for entry in () if config.safe_mode else entry_points(group=ENTRY_POINTS):
        package = find_spec(entry.module.partition(".")[0])
        origin = str(Path(package.origin).parent) if package and package.origin else entry.module
        # A package under work may be installed, and its folder be named too.
        if Path(origin).resolve() not in seen and (config.plugins is None or entry.name in config.plugins):
            yield LoadedPlugin(entry.name, origin, False), partial(_load_entry, entry)


@dataclass(frozen=True)
class _Load:
    folder: Path
    builtin: bool

    def __call__(self) -> Plugin:
        package = _PACKAGE
        if not self.builtin:
            package += "_" + hashlib.sha256(str(self.folder.parent).encode()).hexdigest()[:8]
        if package not in sys.modules:
            module = ModuleType(package)
            module.__path__ = [str(self.folder.parent)]
            sys.modules[package] = module
        found = importlib.import_module(f"{package}.{self.folder.name}.plugin")
        plugin = getattr(found, "plugin", None)
        if not isinstance(plugin, Plugin):
            raise PluginError("plugin.py has no Plugin named `plugin`")
        return plugin


def _load_entry(entry: EntryPoint) -> Plugin:
    plugin = entry.load()
    plugin = getattr(plugin, "plugin", plugin)
    if not isinstance(plugin, Plugin):
        raise PluginError(f"{entry.value} is no Plugin")
    return plugin


def _own_migrations(loaded: LoadedPlugin) -> list[Migration]:
    """A plugin's migrations, each for its own schema."""
    if loaded.error or loaded.plugin is None:
        return []
    schema = loaded.plugin.schema
    own = f"create schema if not exists {schema};\nset local search_path = {schema}, public;\n"
    return [replace(migration, text=own + migration.text) for migration in _written_migrations(loaded)]


def _written_migrations(loaded: LoadedPlugin) -> list[Migration]:
    return [
        replace(migration, text=plain_sql(migration.text))
        for migration in read_migrations(loaded.name, Path(loaded.origin) / "migrations")
    ]


def has_tables(loaded: LoadedPlugin) -> bool:
    """Whether a plugin that serves brings tables of its own."""
    return bool(_own_migrations(loaded))


def all_migrations(registry: Registry) -> list[Migration]:
    """The product's own migrations and those of the plugins that serve."""
    return [*builtin_migrations(), *(m for loaded in registry.plugins for m in _own_migrations(loaded))]


class Migrated(NamedTuple):
    """What `migrate_all` did.

    Attributes:
        applied: those that were applied now.
        failed: plugins with migrations that do not have them all, and why.
    """

    applied: list[Migration]
    failed: dict[str, str]


def migrate_all(config: Config, database: Database, *, made_on_all_nodes: bool = False) -> Migrated:
    """Bring the database up to date for the product and its plugins.

    A plugin whose migrations fail is left out, with its reason in the log; the others get theirs.

    Args:
        made_on_all_nodes: as `migrate` takes it.

    Raises:
        ReplicatedError: the other nodes need the tables first.
        MigrationError: the database and the product's own migrations do not fit together.
        PluginError: a built-in plugin cannot be used with this database.
    """
    applied = migrate(database, builtin_migrations(), made_on_all_nodes=made_on_all_nodes)
    plugins = load_registry(config, database, migrating=True).plugins
    for loaded in plugins:
        own = _own_migrations(loaded)
        if not own:
            continue
        try:
            applied += migrate(database, [*builtin_migrations(), *own], made_on_all_nodes=made_on_all_nodes)
        except (*UNAVAILABLE, ReplicatedError):
            raise
        except (DatabaseError, MigrationError, PluginError) as error:
            if loaded.builtin:
                raise
            loaded.leave_out(_reason(error, loaded.origin))
    unserved = [loaded for loaded in plugins if loaded.error]
    migrating = [loaded for loaded in unserved if any((Path(loaded.origin) / "migrations").glob("*.sql"))]
    return Migrated(applied, {loaded.name: loaded.error for loaded in migrating})


def _check_taken(found: LoadedPlugin, registry: Registry) -> None:
    assert found.plugin is not None
    named = _named(found.plugin)
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise PluginError(f"the {' '.join(twice)} is taken by {found.origin}")
    for name in named:
        if name in registry.named:
            raise PluginError(f"the {' '.join(name)} is taken by {registry.named[name]}")


def _named(plugin: Plugin) -> list[tuple[str, str]]:
    """What a plugin names, with its kind: no two may name the same."""
    return [
        ("name", plugin.name),
        *(("resource", resource.name) for resource in plugin.resources),
        *(("command", name) for name in plugin.commands),
        *(("setting", setting.name) for setting in plugin.settings),
        *(("event", event.name) for event in plugin.events),
        *(("event", resource.event(action)) for resource in plugin.resources for action in resource.changes),
    ]


def _bind(
    resource: Resource, found: LoadedPlugin, shared: Mapping[str, Statement], catalogue: Catalogue
) -> LoadedResource:
    folder = Path(found.origin)
    root = builtin_folder("sql") if found.builtin else folder / "sql"
    own = root / (resource.sql or resource.name)
    statements = load_statements(own if own.is_dir() else root, catalogue)
    for name in resource.uses:
        used = load_statements(root / name, catalogue)
        statements.update({f"{name}/{key}": statement for key, statement in used.items()})
    owned = resource.id != "domain_uuid" and "domain_uuid" in catalogue.get(resource.table, {})
    loaded = LoadedResource(resource, found.name, found.origin, statements, shared, found.options, owned)
    if owned:
        check_owner(resource, loaded.schema)
    replaced = {operation.name for operation in resource.operations}
    for operation in resource.standard:
        if operation not in replaced:
            loaded.statement(operation)
    check_parameters(resource, loaded.schema, statements)
    for rows in loaded.lists.values():
        loaded.statement(rows.declaration.statement)
    for statement in statements.values():
        check_statement(statement, catalogue, found.schema)
    return loaded
