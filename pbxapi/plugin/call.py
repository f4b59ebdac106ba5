"""What a handler works with: the caller, the input, the statements of its resource, one session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

from pbxapi.config import Config
from pbxapi.data import audit, change
from pbxapi.data.database import Row, Session
from pbxapi.data.events import note_event
from pbxapi.data.jobs import add_job, refuse_secrets, secrets_in
from pbxapi.data.keys import Network, covers
from pbxapi.data.settings import Settings, ask_settings, read_settings
from pbxapi.errors import ApiError
from pbxapi.plugin.claims import Claims, check_numbers, dead_link, find_linked

if TYPE_CHECKING:
    from pbxapi.plugin.loader import LoadedResource, Registry
    from pbxapi.plugin.resource import Operation


@dataclass(frozen=True)
class Caller:
    """Who calls, and for which domain.

    Attributes:
        key_id: the uuid of the key's record, or ``system``; never the key itself.
        domain_uuid, domain_name: the domain of this request.
        domains: the domains that the key is bound to; None for every domain.
        scopes: what the key may do; None for everything.
        networks: from where the key may be used; empty for anywhere.
        rate_limit: the key's own, such as ``600/minute``; empty for the operator's.
        ends_at: when the key ends; None for never.
        address: the client's address.
        request_id: of this request.
        allow_global: whether a row may reach beyond the domain (`X-Allow-Global` with the system's key).
    """

    key_id: str
    domain_uuid: UUID
    domain_name: str
    domains: frozenset[UUID] | None = None
    scopes: frozenset[str] | None = None
    networks: tuple[Network, ...] = ()
    rate_limit: str = ""
    ends_at: datetime | None = None
    address: str = ""
    request_id: str = ""
    allow_global: bool = False

    def may(self, scope: str) -> bool:
        """Whether the key has a scope such as ``extensions:write``, by name or by a ``*``."""
        return self.scopes is None or any(covers(held, scope) for held in self.scopes)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """What every statement sees of the caller: the domain, and all domains of the key (None for any)."""
        return {
            "domain_uuid": self.domain_uuid,
            "domain_name": self.domain_name,
            "domains": None if self.domains is None else list(self.domains),
        }


@dataclass
class Answer:
    """What a handler answers; the envelope is put around it.

    Attributes:
        data: the record or records; None leaves ``data`` out.
        status: HTTP status.
        message: one sentence.
        pagination: of a list.
        warnings: what the caller should know though it worked.
        stream: the whole body, part by part, instead of the envelope; a fault in it ends the connection.
        content_type: of a stream.
    """

    data: Any = None
    status: int = 200
    message: str | None = None
    pagination: Mapping[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    stream: Iterator[bytes] | None = None
    content_type: str = ""


@dataclass
class EventStream(Answer):
    """An answer that stays open and tells events as they come, as server-sent events; for `Operation.media`.

    What the key may read is looked at again every few seconds, and its types with it.

    Attributes:
        patterns: the types asked for, such as ``extension.*``; empty for all that the key may read.
        all_domains: whether of every domain that the key opens, instead of the caller's.
        after: the position to go on from; None for what comes from now on.
    """

    patterns: tuple[str, ...] = ()
    all_domains: bool = False
    after: int | None = None


@dataclass
class FileAnswer(Answer):
    """An answer that is a file, without an envelope; for `Operation.files`. Ranges and conditions are seen to.

    Attributes:
        media: its media type.
        name: what a browser calls it.
        content: what is in it, where it comes from the database.
        opened: the open file of the switch; None where only nginx may read it.
        folder, path: where it lies: one of the switch's folders, and its name below that.
    """

    media: str = "application/octet-stream"
    name: str = "file"
    content: bytes = b""
    opened: BinaryIO | None = None
    folder: str = ""
    path: str = ""

    @property
    def tag(self) -> str:
        """Tells this content from another one."""
        return hashlib.sha256(self.content).hexdigest()[:32]


Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Puts a question to every switch node that is up: (question, arguments) -> node -> answer.

Raises SwitchUnavailable where none answers in time."""


Noted = tuple[str, UUID, Mapping[str, Any] | None, Mapping[str, Any] | None]
"""A change to note: create, update or delete; the record's uuid; the record before, and after."""


@dataclass
class Call:
    """One request at work in a handler.

    Attributes:
        uuid: the record's, of an operation on one.
        part: the uuid that `Operation.path` has a place for.
        record: that record as `get` answers it, before the operation.
        query: the validated query parameters.
        data: the validated body.
        sent: the names of the body's fields that were sent.
        media: of the operation's further media types the one that the caller prefers to JSON; empty for JSON.
        content, content_type: the body as it came, of an operation that takes no JSON.
        session: the open session: one transaction for an operation that writes.
        live: how questions reach the switch nodes; `ask` puts them.
        registry: all plugins that were found, those left out too.
        change_id: what the caller can ask for: the change that was noted, or the batch that it is one of.
        batch_id: the batch that the call is part of.
        known: the settings that it has asked for.
    """

    resource: LoadedResource
    operation: Operation
    caller: Caller
    session: Session
    config: Config
    live: Ask
    registry: Registry
    uuid: UUID | None = None
    part: UUID | None = None
    record: Row = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    content: bytes = b""
    content_type: str = ""
    lenient: bool = False
    media: str = ""
    warnings: list[str] = field(default_factory=list)
    change_id: UUID | None = None
    batch_id: UUID | None = None
    known: dict[frozenset[str], Callable[[], Settings]] = field(default_factory=dict, repr=False)

    def rows(self, statement: str, /, **parameters: Any) -> list[Row]:
        """All rows of one of the resource's statements; ``domain_uuid`` is added."""
        return self.session.rows(self.resource.statement(statement), **self._with_domain(parameters))

    def soon(self, statement: str, /, **parameters: Any) -> Callable[[], list[Row]]:
        """As `rows`, without waiting for them: they are there once what is returned is called.

        Whatever is asked before that is answered in the same round trip.
        """
        return self.session.ask(self.resource.statement(statement), **self._with_domain(parameters))

    def row(self, statement: str, /, **parameters: Any) -> Row | None:
        """The first row of one of the resource's statements, or None."""
        return self.session.row(self.resource.statement(statement), **self._with_domain(parameters))

    def value(self, statement: str, /, **parameters: Any) -> Any:
        """The first value of one of the resource's statements, or None."""
        return self.session.value(self.resource.statement(statement), **self._with_domain(parameters))

    def run(self, statement: str, /, **parameters: Any) -> int:
        """Run one of the resource's statements; rows touched. Empty text is stored as NULL, as FusionPBX does."""
        stored = {name: None if value == "" else value for name, value in parameters.items()}
        return self.session.run(self.resource.statement(statement), **self._with_domain(stored))

    def do(self, statement: str, /, **parameters: Any) -> None:
        """As `run`, where nothing need be known of it: it travels with the next statement that is waited for."""
        stored = {name: None if value == "" else value for name, value in parameters.items()}
        self.session.do(self.resource.statement(statement), **self._with_domain(stored))

    def do_all(self, statement: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """As `do`, for each of many rows of parameters; a plain insert takes them all at once."""
        found, common = self.resource.statement(statement), self._with_domain({})
        stored = [{**common, **{n: None if value == "" else value for n, value in row.items()}} for row in rows]
        self.session.do_many(found, stored)

    def settings(self, *names: str) -> Settings:
        """FusionPBX's settings ``category/subcategory`` for this domain, in one statement.

        Those that `Resource.settings` names are read together, at the first of them that the call asks for.
        """
        if not self.resource.settings.issuperset(names):
            return read_settings(self.session, self.caller.domain_uuid, names)
        self.expect_settings()
        found = self.known[self.resource.settings]()
        return Settings({name: found[name] for name in names if name in found})

    def expect_settings(self) -> None:
        """Ask for the settings that `Resource.settings` names, without waiting for them."""
        declared = self.resource.settings
        if declared not in self.known:
            self.known[declared] = ask_settings(self.session, self.caller.domain_uuid, declared)

    @property
    def options(self) -> Mapping[str, Any]:
        """Values of the plugin's own settings, by the variable's name."""
        return self.resource.options

    def later(self, job: str, /, *, delay: float = 0.0, **arguments: Any) -> None:
        """Have one of the plugin's jobs run after the commit, at least once.

        Args:
            delay: seconds to wait at least.
            arguments: what can be said in JSON. They are stored and logged: pass a record's uuid, not its secrets.

        Raises:
            ValueError: an argument, or what is in it, is named like a secret, or holds one of the record or body.
            LookupError: the plugin declares no such job.
        """
        self.registry.check_job(self.resource.plugin, job)
        refuse_secrets(arguments, self.resource.secrets, self._secret_values())
        arguments = {"domain_uuid": str(self.caller.domain_uuid), **arguments}
        add_job(self.session, self.resource.plugin, job, arguments, delay=delay)

    def ask(self, question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a question to every switch node that is up: node -> answer, of those that answered in time.

        Raises:
            SwitchUnavailable: none did, within 2 seconds.
        """
        self.session.rest()
        return self.live(question, arguments)

    def warn(self, message: str) -> None:
        """Add a warning to the answer."""
        self.warnings.append(message)

    def lock(self, *what: object) -> None:
        """Wait until no other transaction holds the same lock; kept until the transaction ends.

        The database has no unique constraints: whoever checks and then writes takes a lock first.
        """
        self.lock_all([what])

    def lock_all(self, what: Iterable[Iterable[object]]) -> None:
        """As `lock`, for many; always in the same order, so that no two wait for each other."""
        # Names that differ by letter case alone count as the same for what must be unique: one lock for them too.
        self.session.lock(":".join(str(part) for part in parts).lower() for parts in what)

    def claim(self, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
        """Check what must be unique, and the links, for a record about to be written; holds under concurrency.

        Raises:
            ApiError: 409 with the field that is taken, 400 with the link that leads nowhere.
        """
        (fault,) = Claims(self, [record], old).faults()
        if fault is not None:
            raise fault

    def check_link(self, table: str, column: str, uuid: str, field: str, *, shared: bool = False) -> None:
        """400 where a link's record is not of the caller's domain."""
        if not find_linked(self, (table, column, shared), [uuid]):
            raise dead_link(field)

    def claim_numbers(self, numbers: Mapping[str, str]) -> None:
        """Check that numbers (field -> number) mean nothing else in this domain yet.

        The lower dialplan order would silently win (docs/decisions, one number one meaning).

        Raises:
            ApiError: 409 DUPLICATE_ERROR with the field; the message says what has the number.
        """
        check_numbers(self, numbers)

    def room(self, name: str) -> tuple[int, int] | None:
        """How many more records the setting ``limit/<name>`` allows, and how many in all; None if not set."""
        most = self.settings(f"limit/{name}").number(f"limit/{name}")
        if most is None:
            return None
        self.lock("limit", self.caller.domain_uuid, name)
        count = f"select count(*) from {self.resource.declaration.table} where domain_uuid = %(domain_uuid)s"
        found: int = self.session.value(count, domain_uuid=self.caller.domain_uuid)
        return max(most - found, 0), most

    def audit(self, action: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        """Write FusionPBX's audit row: ``add``, ``update`` or ``delete``; secrets are hidden."""
        self.audit_all(action, [(old, new)])

    def audit_all(
        self, action: str, changes: Iterable[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]
    ) -> None:
        """As `audit`, a row for each record (before, after) in one statement."""
        declaration = self.resource.declaration
        audit.write_audit(
            self.session,
            action=action,
            table=declaration.table or declaration.name,
            domain_uuid=self.caller.domain_uuid,
            app_uuid=declaration.app_uuid,
            app_name=declaration.name,
            address=self.caller.address,
            changes=changes,
            secrets=self.resource.secrets,
        )

    def note_change(
        self,
        action: str,
        record_uuid: UUID,
        old: Mapping[str, Any] | None = None,
        new: Mapping[str, Any] | None = None,
    ) -> None:
        """Note the change that drives the switch nodes, and the event ``<resource>.created`` and the like.

        Args:
            old: the record before; of its values those are kept that `Resource.keep` names.
            new: the record after a create or an update; of what an update changed only the names are kept.
        """
        self.note_changes([(action, record_uuid, old, new)])

    def note_changes(self, changes: Iterable[Noted]) -> None:
        """Note many changes, as `note_change` does each, in one statement."""
        declaration, caller = self.resource.declaration, self.caller
        described = []
        for action, record_uuid, old, new in changes:
            written = new if action == "update" and new is not None else {}
            record = new if new is not None else old or {}
            described.append(
                change.describe_change(
                    resource=declaration.name,
                    action=action,
                    record_uuid=record_uuid,
                    domain_uuid=caller.domain_uuid,
                    domain_name=caller.domain_name,
                    old={name: old.get(name) for name in declaration.keep} if old is not None else None,
                    changed=[name for name, value in written.items() if old is None or old.get(name) != value],
                    request_id=caller.request_id,
                    key_id=caller.key_id,
                    event=declaration.event(action),
                    told=audit.redact(
                        {name: record[name] for name in self.resource.told if name in record},
                        self.resource.secrets,
                    ),
                    batch_id=self.batch_id,
                )
            )
        change.note_changes(self.session, described)
        self.change_id = self.batch_id or described[-1]["change_id"]

    def tell(self, event: str, data: Mapping[str, Any], *, record_uuid: UUID | None = None) -> None:
        """Tell an event that the plugin declares, in this transaction, to webhooks and the event stream.

        Args:
            event: its type, such as ``callbacks.late``.
            data: as the event's schema has it; what can be said in JSON.
            record_uuid: of the record that it is about; that of the call when left out.

        Raises:
            ValueError: a value is named like a secret.
            LookupError: the plugin declares no such event.
        """
        self.registry.check_event(self.resource.plugin, event)
        refuse_secrets(data, self.resource.secrets, self._secret_values())
        note_event(
            self.session,
            event,
            data,
            domain_uuid=self.caller.domain_uuid,
            resource=self.resource.declaration.name,
            record_uuid=record_uuid or self.uuid,
        )

    def _secret_values(self) -> set[str]:
        return secrets_in(self.resource.secrets, [self.record, self.data])

    def _with_domain(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.caller.parameters, **self.resource.declaration.parameters, **parameters}


__all__ = ["Answer", "ApiError", "Ask", "Call", "Caller", "EventStream", "FileAnswer"]
