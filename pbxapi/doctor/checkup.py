"""What a check is, what it finds, and how all of them are run."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from pbxapi.config import Config
from pbxapi.data.database import Database
from pbxapi.plugin.loader import Registry, load_registry
from pbxapi.switch.event_socket import EventSocket

Level = Literal["ok", "warn", "fail", "skip"]

DEADLINE = 15.0
"""Seconds that a check may take."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: ``fail``: it does not work; ``warn``: it is at risk; ``skip``: nobody can tell from here.
        text: what was found.
        advice: what to do; a command where there is one.
        fix: does it, for ``--fix``.
    """

    level: Level
    text: str
    advice: str = ""
    fix: Callable[[], None] | None = field(default=None, compare=False)


def ok(text: str) -> Finding:
    """All is well."""
    return Finding("ok", text)


def warn(text: str, advice: str, fix: Callable[[], None] | None = None) -> Finding:
    """It works, at a risk."""
    return Finding("warn", text, advice, fix)


def fail(text: str, advice: str, fix: Callable[[], None] | None = None) -> Finding:
    """It does not work."""
    return Finding("fail", text, advice, fix)


def skip(text: str) -> Finding:
    """It cannot be seen from here, or does not concern this host."""
    return Finding("skip", text)


@dataclass
class Host:
    """What is looked at.

    Attributes:
        config: the settings of this process.
        conf: FusionPBX's own configuration file by its keys, and where it is.
        root: where the files of the host begin; another folder in tests.
        nginx: the command that prints what nginx was told.
    """

    config: Config
    conf: Mapping[str, str] = field(default_factory=dict)
    conf_path: Path | None = None
    root: Path = Path("/")
    nginx: tuple[str, ...] = ("nginx", "-T")

    @cached_property
    def database(self) -> Database:
        """The database, by the account of the product."""
        return Database(self.config.database_url, max_size=4, name="pbxapi-doctor")

    @cached_property
    def registry(self) -> Registry:
        """The plugins, those left out too."""
        return load_registry(self.config, self.database)

    @cached_property
    def switch(self) -> EventSocket:
        """The event socket."""
        return EventSocket(self.config.esl_host, self.config.esl_port, self.config.esl_password)

    def path(self, name: str) -> Path:
        """A file of the host by its full name."""
        return self.root / name.lstrip("/")

    def run(self, *command: str) -> str | None:
        """What a program prints, its complaints too; None where it is not installed."""
        try:
            done = subprocess.run(command, capture_output=True, timeout=10, text=True, errors="replace")
        except (FileNotFoundError, PermissionError, subprocess.TimeoutExpired):
            return None
        return done.stdout + done.stderr

    def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            self.database.close()
        if "switch" in self.__dict__:
            self.switch.close()


@dataclass(frozen=True)
class Check:
    """One look.

    Attributes:
        name: for the reader.
        look: yields what it finds.
        needs: names of checks that come before it, and make it idle where they fail.
    """

    name: str
    look: Callable[[Host], Iterator[Finding]]
    needs: tuple[str, ...] = ()


def examine(host: Host, checks: Sequence[Check], *, fix: bool = False) -> Iterator[tuple[str, Finding]]:
    """Run checks one after the other: (name, finding).

    A check that falls or takes too long is a failure of its own, and the others go on.

    Args:
        fix: do what can be done, and look again.
    """
    failed: set[str] = set()
    for check in checks:
        if missing := failed & {*check.needs}:
            yield check.name, skip(f"needs {', '.join(sorted(missing))}")
            failed.add(check.name)
            continue
        found = _look(host, check)
        if fix and any(finding.fix for finding in found):
            for finding in found:
                if finding.fix is not None:
                    finding.fix()
            found = _look(host, check)
        for finding in found:
            if finding.level == "fail":
                failed.add(check.name)
            yield check.name, finding


def _look(host: Host, check: Check) -> list[Finding]:
    found: list[Finding] = []

    def look() -> None:
        try:
            found.extend(check.look(host))
        except Exception as error:
            # Whatever was not foreseen is a finding too: the others shall be looked at all the same.
            found.append(fail(f"the check fell: {type(error).__name__}: {error}", "tell the makers of pbxapi"))

    # A thread that hangs in a system call can only be left behind; it does not keep the process from ending.
    thread = threading.Thread(target=look, name=f"check {check.name}", daemon=True)
    thread.start()
    thread.join(DEADLINE)
    if thread.is_alive():
        return [*found, fail(f"no answer within {DEADLINE:.0f} s", "look for what hangs: a mount, a name server")]
    return found


def readable(path: Path) -> str | None:
    """The text of a file; None where it is not there or may not be read."""
    with suppress(OSError):
        return path.read_text("utf-8", "replace")
    return None


def account() -> str:
    """Who this process is, for advice."""
    import pwd

    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())
