"""The declaration of a plugin, and of what it can bring besides resources."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from pbxapi.data.database import Database, Session
from pbxapi.data.events import note_event
from pbxapi.data.jobs import refuse_secrets
from pbxapi.plugin.resource import Resource

Task = Callable[..., None]
"""A function run in a node's worker for a `RunTask` effect; gets its arguments by name, must be idempotent."""


@dataclass(frozen=True)
class Setting:
    """A variable of the environment that a plugin reads; its value is in `Call.options` and the like.

    Attributes:
        name: ``PBXAPI_<PLUGIN>_...``.
        type: str, int, float, bool or Path.
        default: when it is not set.
        required: whether the plugin is left out where it is not set.
        help: one line for the operator.
    """

    name: str
    type: type = str
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
        except (KeyError, ValueError):
            raise ValueError(f"{self.name} must be a {self.type.__name__}") from None


@dataclass(frozen=True)
class JobRun:
    """What a job's handler works with.

    Attributes:
        arguments: as they were given to `Call.later`.
        session: one transaction, committed when the handler ends well.
        options: the plugin's settings by name.
        attempt: 1 for the first.
        events: names of the events that the plugin declares.
    """

    arguments: Mapping[str, Any]
    session: Session
    options: Mapping[str, Any]
    attempt: int
    log: logging.Logger
    events: frozenset[str] = frozenset()

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
        if event not in self.events:
            raise LookupError(f"the plugin declares no event {event}: add it to Plugin.events")
        refuse_secrets(data, frozenset())
        note_event(self.session, event, data, domain_uuid=domain_uuid, record_uuid=record_uuid)


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


@dataclass(frozen=True)
class EventType:
    """A kind of event that a plugin tells with `Call.tell`, for webhooks.

    Attributes:
        name: ``<resource>.<what happened>``.
        description: one line.
        schema: JSON schema of its data.
    """

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=dict)


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
    """What a health check works with."""

    session: Session
    options: Mapping[str, Any]


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
        settings: variables of the environment that it reads.
        scopes: scopes of its own, beside ``<resource>:read`` and ``<resource>:write``.
        events: events that it tells.
        commands: commands of ``pbxapi``, by name.
        checks: health checks, by name.
    """

    name: str
    version: str
    api: str = ">=1,<2"
    resources: tuple[Resource, ...] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    scopes: tuple[str, ...] = ()
    events: tuple[EventType, ...] = ()
    commands: Mapping[str, Command] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)

    @property
    def schema(self) -> str:
        """The database schema of its own tables."""
        return "plugin_" + self.name.replace("-", "_")
