"""Applying the effects of a batch of changes to one node.

Effects of all changes are one set, applied in one order: folders and files, cache entries, one reload if an XML
file changed, gateways and profiles, other commands. Each knows the changes that want it, so that one that fails
takes only those down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

from pbxapi.errors import SwitchError, SwitchUnavailable
from pbxapi.plugin.effects import (
    XML_FOLDERS,
    ClearCache,
    ClearCacheBelow,
    Effect,
    KillGateway,
    MakeFolder,
    MessageWaiting,
    MoveFolder,
    Note,
    ReloadAcl,
    RemoveFile,
    RemoveFolder,
    Rescan,
    RunTask,
    WriteFile,
)
from pbxapi.switch import commands, files
from pbxapi.switch.node import Node

log = logging.getLogger(__name__)

Task = Callable[..., None]

_FILE_EFFECTS = (WriteFile, RemoveFile, MakeFolder, MoveFolder, RemoveFolder)
FileEffect = WriteFile | RemoveFile | MakeFolder | MoveFolder | RemoveFolder


@dataclass
class Plan:
    """The effects of a batch, each with the changes that want it, in the order in which they came."""

    wanted: dict[Effect, set[UUID]] = field(default_factory=dict)

    def add(self, change_id: UUID, effects: Iterable[Effect]) -> None:
        """Add what one change wants."""
        for effect in effects:
            self.wanted.setdefault(effect, set()).add(change_id)

    def of(self, *kinds: type) -> list[Effect]:
        """The effects of some kinds."""
        return [effect for effect in self.wanted if isinstance(effect, kinds)]

    def notes(self) -> dict[UUID, str]:
        """What each change leaves out, in words."""
        found: dict[UUID, str] = {}
        for effect, changes in self.wanted.items():
            if isinstance(effect, Note):
                for change_id in changes:
                    found[change_id] = "; ".join(filter(None, (found.get(change_id), effect.text)))
        return found

    def keys(self) -> dict[UUID, list[str]]:
        """The cache keys that each change clears; those below a prefix end in ``*``."""
        found: dict[UUID, list[str]] = {}
        for effect, changes in self.wanted.items():
            match effect:
                case ClearCache(key):
                    name = key
                case ClearCacheBelow(prefix):
                    name = f"{prefix}*"
                case _:
                    continue
            for change_id in changes:
                found.setdefault(change_id, []).append(name)
        return found


class Applying:
    """One plan on its way to one node.

    Args:
        node: where to.
        tasks: (plugin, task) -> function, for effects that plugins run themselves.
        reload_wanted: whether an earlier reload is still owed.
        note_reload: stores whether a reload is owed, before the first file changes and after the reload: a
            worker that dies in between leaves it owed.
    """

    def __init__(
        self,
        node: Node,
        plan: Plan,
        tasks: Mapping[tuple[str, str], Task],
        reload_wanted: bool,
        note_reload: Callable[[bool], None],
    ) -> None:
        self._node = node
        self._plan = plan
        self._tasks = tasks
        self._reload_wanted = reload_wanted
        self._note_reload = note_reload
        self.failed: dict[UUID, str] = {}

    def run(self) -> None:
        """Apply everything; `failed` then holds the changes that could not be applied, with the reasons.

        Raises:
            SwitchUnavailable: the switch is away; files and cache files are done, the rest must be done again.
        """
        self._files()
        self._cache()
        self._gateways()
        self._reload()
        for effect in self._plan.of(ReloadAcl, MessageWaiting, RunTask):
            self._try(effect, self._command(effect))

    def _try(self, effect: Effect, action: Callable[[], object]) -> object:
        wanting = self._plan.wanted[effect] - self.failed.keys()
        if not wanting:
            return None
        try:
            return action()
        except SwitchUnavailable:
            raise
        except (SwitchError, OSError, ValueError) as error:
            self._fail(wanting, str(error))
        except Exception as error:
            # A plugin's own task: its fault is its change's fault, not the batch's.
            log.exception("an effect of a plugin failed on node %s", self._node.name)
            self._fail(wanting, f"{type(error).__name__}: {error}")
        return None

    def _fail(self, changes: Iterable[UUID], reason: str) -> None:
        for change_id in changes:
            self.failed.setdefault(change_id, reason)

    def _files(self) -> None:
        owed_before = self._reload_wanted
        changed = False
        for effect in self._plan.of(*_FILE_EFFECTS):
            assert isinstance(effect, _FILE_EFFECTS)
            root = self._node.folders.get(effect.folder)
            if root is None:
                continue
            if effect.folder not in XML_FOLDERS:
                self._try(effect, partial(_change_file, root, effect))
                continue
            if not self._reload_wanted:
                self._reload_wanted = True
                self._note_reload(True)
            changed |= bool(self._try(effect, partial(_change_file, root, effect)))
        if self._reload_wanted and not changed and not owed_before:
            self._reload_done()

    def _cache(self) -> None:
        entries = [effect for effect in self._plan.of(ClearCache) if isinstance(effect, ClearCache)]
        try:
            self._node.clear_cache(entry.key for entry in entries)
        except ValueError:
            # One of them cannot be a key: its change fails, the others are cleared.
            for entry in entries:
                self._try(entry, partial(self._node.clear_cache, [entry.key]))
        except SwitchUnavailable:
            raise
        except (SwitchError, OSError) as error:
            for entry in entries:
                self._fail(self._plan.wanted[entry], str(error))
        for below in self._plan.of(ClearCacheBelow):
            assert isinstance(below, ClearCacheBelow)
            self._try(below, partial(self._node.cache.delete_matching, below.prefix))

    def _gateways(self) -> None:
        for kill in self._plan.of(KillGateway):
            assert isinstance(kill, KillGateway)
            self._try(kill, partial(commands.kill_gateway, self._node.event_socket, kill.profile, kill.name))
        for scan in self._plan.of(Rescan):
            assert isinstance(scan, Rescan)
            self._try(scan, partial(self._rescan, scan.profile))

    def _rescan(self, profile: str) -> None:
        commands.rescan(self._node.event_socket, profile)
        if self._reload_wanted:
            # A rescan reads all XML before it looks for gateways.
            self._reload_done()

    def _reload(self) -> None:
        if not self._reload_wanted:
            return
        try:
            commands.reload_xml(self._node.event_socket)
        except SwitchUnavailable:
            raise
        except SwitchError as error:
            for effect in self._plan.of(WriteFile, RemoveFile):
                if isinstance(effect, WriteFile | RemoveFile) and effect.folder in XML_FOLDERS:
                    self._fail(self._plan.wanted[effect], str(error))
            return
        self._reload_done()

    def _reload_done(self) -> None:
        self._reload_wanted = False
        self._note_reload(False)

    def _command(self, effect: Effect) -> Callable[[], object]:
        switch = self._node.event_socket
        match effect:
            case ReloadAcl():
                return partial(commands.reload_acl, switch)
            case MessageWaiting():
                return partial(commands.message_waiting, switch, effect.mailbox)
            case RunTask():
                return partial(self._tasks[effect.plugin, effect.task], **effect.as_dict())
        raise TypeError(f"{type(effect).__name__} is no command")


def _change_file(root: Path, effect: FileEffect) -> bool:
    """Whether anything changed."""
    match effect:
        case WriteFile():
            return files.write_file(root, effect.path, effect.text)
        case RemoveFile():
            return files.remove_file(root, effect.path)
        case MakeFolder():
            return files.make_folder(root, effect.path)
        case MoveFolder():
            return files.move_folder(root, effect.old, effect.new)
        case RemoveFolder():
            return files.remove_folder(root, effect.path)
