"""The declaration of a plugin, and of what it can bring besides resources."""

from __future__ import annotations

import logging
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from pbxapi.config import Config
from pbxapi.data.database import Database, Session
from pbxapi.data.events import note_event
from pbxapi.data.jobs import refuse_secrets
from pbxapi.data.statements import Statement
from pbxapi.plugin.resource import Resource

if TYPE_CHECKING:
    from pbxapi.plugin.loader import Registry

Task = Callable[..., None]
"""A function run in a node's worker for a `RunTask` effect; gets its arguments by name, must be idempotent."""


@dataclass(frozen=True)
class Setting:
    """A variable of the environment that a plugin reads; its value is in `Call.options` and the like.

    Attributes:
        name: ``PBXAPI_<PLUGIN>_...``.
        type: str, int, float, bool or Path; or a function that makes a value of a text, and raises ValueError with
            what it must be.
        default: when it is not set.
        required: whether the plugin is left out where it is not set.
        help: one line for the operator.
    """

    name: str
    type: Callable[[str], Any] = str
    default: Any = None
    required: bool = False
    help: str = ""

    def read(self, environment: Mapping[str, str]) -> Any:
        """The value.

        Raises:
            ValueError: it is missing, or not of the type; names the variable.
        """
        text = environment.get(self.name, "")
        if not text:
            if self.required:
                raise ValueError(f"{self.name} is not set")
            return self.default
        try:
            if self.type is bool:
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            return Path(text) if self.type is Path else self.type(text)
        except (KeyError, ValueError) as error:
            words = f"must be a {self.type.__name__}" if isinstance(self.type, type) else str(error)
            raise ValueError(f"{self.name} {words}") from None


@dataclass(frozen=True)
class JobRun:
    """What a job's handler works with.

    Attributes:
        arguments: as they were given to `Call.later`.
        session: one transaction, committed when the handler ends well.
        options: the plugin's settings by name.
        attempt: 1 for the first.
        events: names of the events that the plugin declares.
        config: the product's settings.
        registry: all plugins that serve.
    """

    arguments: Mapping[str, Any]
    session: Session
    options: Mapping[str, Any]
    attempt: int
    log: logging.Logger
    events: frozenset[str] = frozenset()
    config: Config | None = None
    registry: Registry | None = None

    def tell(
        self, event: str, data: Mapping[str, Any], *, domain_uuid: UUID | None, record_uuid: UUID | None = None
    ) -> None:
        """Tell an event that the plugin declares, in the job's transaction.

        Args:
            event: its type, such as ``callbacks.late``.
            data: as the event's schema has it; what can be said in JSON.
            domain_uuid: whose event it is; None for the whole system's.

        Raises:
            ValueError: a value is named like a secret.
            LookupError: the plugin declares no such event.
        """
        _tell(self.session, self.events, event, data, domain_uuid, record_uuid)


def _tell(
    session: Session,
    events: frozenset[str],
    event: str,
    data: Mapping[str, Any],
    domain_uuid: UUID | None,
    record_uuid: UUID | None,
) -> None:
    if event not in events:
        raise LookupError(f"the plugin declares no event {event}: add it to Plugin.events")
    refuse_secrets(data, frozenset())
    note_event(session, event, data, domain_uuid=domain_uuid, record_uuid=record_uuid)


@dataclass(frozen=True)
class Job:
    """Work that is done outside of requests, by the plugin's own worker: a slow one holds up nobody else.

    Attributes:
        handler: does it; runs at least once, so it must be idempotent.
        every: seconds between runs of a scheduled job; None for one that is asked for with `Call.later`.
        attempts: how often it is tried before it is set aside.
        timeout: seconds after which a run counts as lost with its process.
    """

    handler: Callable[[JobRun], None]
    every: float | None = None
    attempts: int = 10
    timeout: float = 300.0


class ServiceRun:
    """What a service works with.

    Attributes:
        database: sessions that read and write, for any thread; keep none open while waiting for something else.
        statements: the SQL of the plugin's resources, as ``<resource>/<name>``.
        options: the plugin's settings by name.
    """

    def __init__(
        self,
        database: Database,
        statements: Mapping[str, Statement],
        options: Mapping[str, Any],
        log: logging.Logger,
        events: frozenset[str] = frozenset(),
    ) -> None:
        self.database = database
        self.statements = statements
        self.options = options
        self.log = log
        self._events = events
        self._ended = threading.Event()
        self._woken = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether the service's turn is over: it must return soon, since another process may have the next."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> None:
        """Wait until events have come, somebody calls `wake`, the turn is over, or some seconds have passed."""
        self._woken.wait(seconds)
        self._woken.clear()

    def wake(self) -> None:
        """End the wait at hand, or the next one; for any thread."""
        self._woken.set()

    def end(self) -> None:
        """The turn is over."""
        self._ended.set()
        self.wake()

    def tell(
        self,
        session: Session,
        event: str,
        data: Mapping[str, Any],
        *,
        domain_uuid: UUID | None,
        record_uuid: UUID | None = None,
    ) -> None:
        """Tell an event that the plugin declares, in a session's transaction; see `JobRun.tell`."""
        _tell(session, self._events, event, data, domain_uuid, record_uuid)


@dataclass(frozen=True)
class Service:
    """Work that goes on all the time, in the process of the plugin's jobs.

    Of all processes on all hosts one has its turn; when that one ends, or loses PostgreSQL, another takes over
    within a second or two. For a moment both may run, so that what it does must bear being done twice. A service
    that raises is started again.

    Attributes:
        run: does it, until `ServiceRun.ended`.
        help: one line.
    """

    run: Callable[[ServiceRun], None]
    help: str = ""


@dataclass(frozen=True)
class EventType:
    """A kind of event that a plugin tells with `Call.tell`, for webhooks and the event stream.

    Attributes:
        name: ``<resource>.<what happened>``.
        description: one line.
        schema: JSON schema of its data.
        scope: what a key needs to read it; ``<plugin>:read`` when left out.
    """

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""


@dataclass(frozen=True)
class CommandRun:
    """What a command works with: the parsed arguments, the database, the plugin's settings."""

    arguments: Namespace
    database: Database
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Command:
    """A command ``pbxapi <name>``.

    Attributes:
        run: does it; the exit code.
        arguments: adds its arguments to a parser.
        help: one line.
    """

    run: Callable[[CommandRun], int]
    arguments: Callable[[ArgumentParser], None] | None = None
    help: str = ""


@dataclass(frozen=True)
class CheckRun:
    """What a health check or a figure works with."""

    session: Session
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A figure of a plugin's own in ``/metrics``, named ``pbxapi_<plugin>_<name>``.

    It is read whenever somebody looks: from few rows or by an index, and within the second that all figures of all
    plugins have together. Label values must be few: states and kinds, never numbers, addresses or uuids.

    Attributes:
        help: one line.
        read: the figure, or with `labels` one for each tuple of their values.
        kind: a ``gauge`` goes up and down; a ``counter`` only grows, and its name ends in ``_total``.
        labels: names of the labels.
    """

    help: str
    read: Callable[[CheckRun], float | Mapping[tuple[str, ...], float]]
    kind: Literal["gauge", "counter"] = "gauge"
    labels: tuple[str, ...] = ()


Check = Callable[[CheckRun], str]
"""A health check: a few words when all is well; raises with the reason when not."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What a plugin brings. A plugin's module names its instance ``plugin``.

    Tables of its own are made by the SQL files of its folder ``migrations``, in a schema of its own named
    ``plugin_<name>``.

    Attributes:
        name: lower-case letters, digits and ``-``.
        version: its own.
        api: the range of `PLUGIN_API` that it supports, such as ``>=1,<2``.
        resources: the resources that it serves.
        tasks: functions that effects may run in a node's worker, by name.
        jobs: background and scheduled jobs, by name.
        services: what runs all the time, by name.
        settings: variables of the environment that it reads.
        scopes: scopes of its own, beside ``<resource>:read`` and ``<resource>:write``.
        events: events that it tells.
        commands: commands of ``pbxapi``, by name.
        checks: health checks, by name.
        metrics: figures for ``/metrics``, by name.
    """

    name: str
    version: str
    api: str = ">=1,<2"
    resources: tuple[Resource, ...] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    scopes: tuple[str, ...] = ()
    events: tuple[EventType, ...] = ()
    commands: Mapping[str, Command] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def schema(self) -> str:
        """The database schema of its own tables."""
        return "plugin_" + self.name.replace("-", "_")

    @property
    def works(self) -> bool:
        """Whether it has something to do outside of requests, in a process of its own: ``pbxapi jobs``."""
        return bool(self.jobs or self.services)
