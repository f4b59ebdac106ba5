"""Repair: what the database says, against what one node's files, its cache and its switch say.

For a node that was forgotten and came back, for a disk that was restored, for rows that somebody wrote by hand.
Each record's effects are computed as if it had just been updated, and compared instead of applied.
"""

from __future__ import annotations

import glob
import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID

from pbxapi.changes.drain import NodeDrain
from pbxapi.changes.nodes import folder_names, read_node
from pbxapi.config import Config
from pbxapi.data.change import note_change
from pbxapi.data.database import Database, DatabaseError, Row, Session
from pbxapi.errors import SwitchRefused
from pbxapi.plugin import (
    Change,
    ClearCache,
    Effect,
    Expectation,
    GatewayKnown,
    KillGateway,
    MakeFolder,
    RemoveFile,
    UserExists,
    WriteFile,
)
from pbxapi.plugin.effects import Folder
from pbxapi.plugin.loader import LoadedResource, Registry
from pbxapi.switch import commands
from pbxapi.switch.cache import spellings
from pbxapi.switch.event_socket import EventSocket
from pbxapi.switch.files import read_file
from pbxapi.switch.node import Node

log = logging.getLogger(__name__)

KEY_ID = "reconcile"
"""Who is named as the caller of the changes that a repair notes."""

ROUNDS = 2
"""What changes while it is compared may be mended wrongly; what the second round finds was not under way."""

PATIENCE = 60.0
"""Seconds that a repair waits for its changes, and for a drain that runs elsewhere."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_ACCOUNTS: Mapping[Folder, str] = {"extensions": "extensions", "sip_profiles": "gateways"}
"""Which resource accounts for the files ``v_*.xml`` of a folder."""

_DOMAINS = """
select domain_uuid, domain_name
  from v_domains
 where domain_enabled::text = 'true' and (%(name)s::text is null or lower(domain_name) = lower(%(name)s))
 order by domain_name
"""

_HOSTNAME = "select hostname from pbxapi.node where name = %(node)s"

_CLOCK = "select extract(epoch from clock_timestamp())::float8"


_NOTED = """
select change_id, state, attempts, error
  from pbxapi.change_node
 where node = %(node)s and change_id = any(%(changes)s)
"""

_CHUNK = 500


class NothingToCompare(Exception):
    """There is no such node or no such domain; the message names it."""


@dataclass(frozen=True)
class Record:
    """A record of a domain, by its resource."""

    resource: str
    uuid: UUID
    domain_uuid: UUID
    domain_name: str

    def __str__(self) -> str:
        return f"{self.resource} {self.uuid} of {self.domain_name}"


@dataclass(frozen=True)
class Difference:
    """Something that is not as the database says.

    Attributes:
        what: a few words.
        record: whose effects put it right.
        effects: what puts it right where no record explains it.
    """

    what: str
    record: Record | None = None
    effects: tuple[Effect, ...] = ()

    def __str__(self) -> str:
        return f"{self.what} ({self.record})" if self.record else self.what


class Reconciliation:
    """The comparison of one node, to be run where its folders and its switch are.

    Args:
        drain: of the node.
        domain: name of the only domain to look at; all that are enabled when left out. Only then is what no record
            explains looked for beyond the domains' own folders and keys.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        registry: Registry,
        node: str,
        event_socket: EventSocket,
        domain: str | None = None,
    ) -> None:
        self._config = config
        self._database = database
        self._registry = registry
        self._name = node
        self._event_socket = event_socket
        self._domain = domain
        self._drain = NodeDrain(config, database, registry, node, event_socket)

    def compare(self) -> list[Difference]:
        """All differences.

        Raises:
            NothingToCompare: the node or the domain is not known.
            SwitchError: the switch does not answer.
        """
        with self._database.reading() as session:
            return list(_Comparison(self._config, session, self._registry, self._node(session), self._domain))

    def mend(self, differences: Iterable[Difference]) -> list[str]:
        """Put differences right; the reasons of what could not be.

        A differing record gets a change of its own, which takes the usual way, on all nodes.

        Raises:
            SwitchError: the switch does not answer.
        """
        differences = list(differences)
        noted = [self._note(record) for record in dict.fromkeys(d.record for d in differences if d.record)]
        failed = self._apply(effect for difference in differences for effect in difference.effects)
        return failed + self._wait(noted)

    def run(self, *, fix: bool = False) -> tuple[list[Difference], list[Difference]]:
        """Compare, and put right if that is wanted: what was found, and what is left."""
        found = left = self.compare()
        for _ in range(ROUNDS if fix else 0):
            if not left:
                break
            for reason in self.mend(left):
                log.warning("node %s: %s", self._name, reason)
            left = self.compare()
        return found, left

    def _node(self, session: Session) -> Node:
        known = session.row(_HOSTNAME, node=self._name)
        if known is None:
            raise NothingToCompare(f"there is no node {self._name}: its worker has never run")
        return read_node(self._config, session, self._name, self._event_socket, known["hostname"])

    def _note(self, record: Record) -> UUID:
        with self._database.writing() as session:
            return note_change(
                session,
                resource=record.resource,
                action="update",
                record_uuid=record.uuid,
                domain_uuid=record.domain_uuid,
                domain_name=record.domain_name,
                old=None,
                changed=(),
                request_id="",
                key_id=KEY_ID,
            )

    def _apply(self, effects: Iterable[Effect]) -> list[str]:
        wanted = list(dict.fromkeys(effects))
        end = time.monotonic() + PATIENCE
        while wanted:
            failed = self._drain.mend(wanted)
            if failed is not None:
                return failed
            if time.monotonic() >= end:
                return ["another drain of the node does not end"]
            time.sleep(0.1)
        return []

    def _wait(self, noted: list[UUID]) -> list[str]:
        """Wait until this node has tried the noted changes, here or in its worker; the reasons of what failed."""
        end = time.monotonic() + PATIENCE
        while True:
            self._drain.run()
            with self._database.reading() as session:
                rows = session.rows(_NOTED, node=self._name, changes=noted)
            untried = [row for row in rows if row["state"] == "pending" and not row["attempts"]]
            if not untried or time.monotonic() >= end:
                return [row["error"] or "not tried in time" for row in rows if row["state"] != "applied"]
            time.sleep(0.1)


class _Comparison:
    """One look at everything."""

    def __init__(
        self, config: Config, session: Session, registry: Registry, node: Node, domain: str | None
    ) -> None:
        self._config = config
        self._session = session
        self._resources = [
            resource
            for resource in registry.resources.values()
            if "list" in resource.lists and (resource.declaration.effects or resource.declaration.expects)
        ]
        self._node = node
        self._whole = domain is None
        self._domains = session.rows(_DOMAINS, name=domain)
        if domain is not None and not self._domains:
            raise NothingToCompare(f"there is no enabled domain {domain}")
        # A file's time is by this host's clock, a row's by the database's.
        self._ahead = float(session.value(_CLOCK)) - time.time()
        self._running: dict[str, str] = {}
        # What records account for.
        self._files: set[tuple[Folder, str]] = set()
        self._keys: set[str] = set()
        self._gateways: set[str] = set()
        # Resources with a record whose effects could not be computed.
        self._unknown: set[str] = set()

    def __iter__(self) -> Iterator[Difference]:
        # First what is there, then what explains it: a file that is written meanwhile is not taken for a stray.
        files, keys = list(self._found_files()), list(self._found_keys())
        self._running = {gateway.name: gateway.profile for gateway in commands.gateways(self._node.event_socket)}
        for resource in self._resources:
            for domain in self._domains:
                yield from self._compare_resource(resource, domain)
        yield from self._strays(files, keys)

    def _strays(self, files: list[tuple[Folder, str]], keys: list[str]) -> Iterator[Difference]:
        """What is there and no record accounts for, as far as all records could be asked."""
        gateways = [name for name in self._running if _UUID.fullmatch(name) and name not in self._gateways]
        files = [file for file in files if file not in self._files and self._knows(_ACCOUNTS[file[0]])]
        elsewhere = self._elsewhere({*gateways, *(name for _, path in files if (name := _uuid_in(path)))})
        for folder, path in files:
            if _uuid_in(path) not in elsewhere:
                yield Difference(f"{folder}/{path} belongs to no record", effects=(RemoveFile(folder, path),))
        for key in keys if self._knows("extensions") else ():
            if key not in self._keys:
                yield Difference(f"the cache has {key}, which belongs to no record", effects=(ClearCache(key),))
        for name in gateways if self._whole and self._knows("gateways") else ():
            if name not in elsewhere:
                kill = KillGateway(self._running[name], name)
                yield Difference(f"the switch runs gateway {name}, which belongs to no record", effects=(kill,))

    def _knows(self, resource: str) -> bool:
        """Whether a resource is served, and all its records could be asked."""
        return any(r.declaration.name == resource for r in self._resources) and resource not in self._unknown

    def _elsewhere(self, names: Iterable[str]) -> set[str]:
        """Those names of records that are in the database after all: of a disabled domain, or of none."""
        found: set[str] = set()
        uuids = [UUID(name) for name in names]
        for declaration in [resource.declaration for resource in self._resources if uuids]:
            if declaration.table:
                id, table = declaration.id, declaration.table
                select = f"select {id} as id from {table} where {id} = any(%(uuids)s)"
                found |= {str(row["id"]) for row in self._session.rows(select, uuids=uuids)}
        return found

    def _found_files(self) -> Iterator[tuple[Folder, str]]:
        """The files that only records account for: extensions in their domain's folder, gateways by their uuid."""
        if root := self._node.folders.get("extensions"):
            for domain in self._domains:
                for path in root.glob(f"{glob.escape(domain['domain_name'])}/v_*.xml"):
                    yield "extensions", str(path.relative_to(root))
        if self._whole and (root := self._node.folders.get("sip_profiles")):
            for path in root.glob("*/v_*.xml"):
                if _uuid_in(str(path)):
                    yield "sip_profiles", str(path.relative_to(root))

    def _found_keys(self) -> Iterator[str]:
        """The users in the cache, in both spellings."""
        suffixes = tuple(f"@{domain['domain_name']}" for domain in self._domains)
        for prefix in spellings("directory:", self._node.hostname):
            for key in self._node.cache.keys_matching(prefix):
                if key.endswith(suffixes):
                    yield key

    def _compare_resource(self, resource: LoadedResource, domain: Row) -> Iterator[Difference]:
        shown, id = resource.lists["list"], resource.declaration.id
        parameters = {
            **dict.fromkeys(shown.query_names),
            **resource.declaration.parameters,
            **domain,
            "domains": [domain["domain_uuid"]],
        }
        select = f"select r.{id} as record_uuid from (\n{shown.listing.statement.text}\n) as r"
        rows = self._session.rows(select, **parameters)
        uuids = [row["record_uuid"] for row in rows]
        for start in range(0, len(uuids), _CHUNK):
            chunk = uuids[start : start + _CHUNK]
            written = self._written(resource, chunk)
            for uuid in chunk:
                record = Record(resource.declaration.name, uuid, domain["domain_uuid"], domain["domain_name"])
                yield from self._compare_record(resource, record, written.get(uuid))

    def _written(self, resource: LoadedResource, uuids: list[UUID]) -> Mapping[UUID, float]:
        """When records were written last, in seconds since 1970 by this host's clock."""
        declaration = resource.declaration
        if not declaration.table:
            return {}
        rows = self._session.rows(
            f"select r.{declaration.id} as record_uuid, extract(epoch from greatest("
            "(to_jsonb(r) ->> 'insert_date')::timestamptz, (to_jsonb(r) ->> 'update_date')::timestamptz"
            f"))::float8 as written from {declaration.table} as r where r.{declaration.id} = any(%(uuids)s)",
            uuids=uuids,
        )
        return {row["record_uuid"]: row["written"] - self._ahead for row in rows if row["written"] is not None}

    def _compare_record(
        self, resource: LoadedResource, record: Record, written: float | None
    ) -> Iterator[Difference]:
        change = Change(
            resource=resource,
            session=self._session,
            action="update",
            uuid=record.uuid,
            domain_uuid=record.domain_uuid,
            domain_name=record.domain_name,
            old={},
            changed=frozenset(),
            config=self._config,
            hostname=self._node.hostname,
            folders=folder_names(self._node),
        )
        effects, expects = resource.declaration.effects, resource.declaration.expects
        try:
            wanted = list(effects(change)) if effects else []
            expected = list(expects(change)) if expects else []
        except Exception as error:
            # Whatever a plugin raises: the other records are compared.
            if isinstance(error, DatabaseError) and self._session.lost:
                raise
            log.exception("%s: what it wants cannot be computed", record)
            self._unknown.add(record.resource)
            yield Difference(f"what it wants cannot be computed: {type(error).__name__}: {error}", record)
            return
        try:
            for what in (*self._compare_effects(wanted, written), *self._compare_switch(expected)):
                yield Difference(what, record)
        except (OSError, ValueError, SwitchRefused) as error:
            yield Difference(f"cannot be compared: {error}", record)

    def _compare_effects(self, effects: Iterable[Effect], written: float | None) -> Iterator[str]:
        folders, cache = self._node.folders, self._node.cache
        for effect in effects:
            match effect:
                case WriteFile(folder, path) if folder in folders:
                    self._files.add((folder, path))
                    there = read_file(folders[folder], path)
                    if there != effect.content:
                        yield f"{folder}/{path} is {'missing' if there is None else 'not as it should be'}"
                case RemoveFile(folder, path) if folder in folders:
                    self._files.add((folder, path))
                    if read_file(folders[folder], path) is not None:
                        yield f"{folder}/{path} should not be there"
                case MakeFolder(folder, path) if folder in folders:
                    if not (folders[folder] / path).is_dir():
                        yield f"{folder}/{path} is missing"
                case ClearCache(name):
                    for key in spellings(name, self._node.hostname):
                        since = cache.written_at(key)
                        older = since is not None and written is not None and since < written
                        if older and key not in self._keys:
                            yield f"the cache's {key} is older than the record"
                        self._keys.add(key)

    def _compare_switch(self, expectations: Iterable[Expectation]) -> Iterator[str]:
        for expectation in expectations:
            match expectation:
                case UserExists(user, domain, wanted):
                    if commands.user_exists(self._node.event_socket, user, domain) != wanted:
                        yield f"the switch {'does not know' if wanted else 'knows'} the user {user}@{domain}"
                case GatewayKnown(name, wanted):
                    self._gateways.add(name)
                    if (name in self._running) != wanted:
                        yield f"the switch {'does not run' if wanted else 'runs'} the gateway"


def _uuid_in(path: str) -> str:
    """The uuid that a file ``v_<uuid>.xml`` is named after, or nothing."""
    name = PurePosixPath(path).stem.removeprefix("v_")
    return name if _UUID.fullmatch(name) else ""
