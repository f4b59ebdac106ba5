"""Applying the effects of a batch of changes to one node.

Effects of all changes are one set, applied in one order: folders and files, cache entries, gateways and profiles,
one reload if an XML file changed, other commands. Each knows the changes that want it, so that one that fails
takes only those down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar
from uuid import UUID
from xml.parsers import expat

from pbxapi.errors import SwitchBarred, SwitchError, SwitchUnavailable
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

FILES_AT_ONCE = 8

Task = Callable[..., None]
Kind = TypeVar("Kind")
Result = TypeVar("Result")

FileEffect = WriteFile | RemoveFile | MakeFolder | MoveFolder | RemoveFolder


class Plan:
    """The effects of a batch, each with the changes that want it, in the order of their last computing."""

    def __init__(self) -> None:
        self.wanted: dict[Effect, set[UUID]] = {}
        self._of_path: dict[tuple[str, str], Effect] = {}

    def add(self, change_id: UUID, effects: Iterable[Effect]) -> None:
        """Add what one change wants; of one file only what was computed last, from the newest rows, counts."""
        for effect in effects:
            wanting = self.wanted.pop(effect, set())
            if isinstance(effect, WriteFile | RemoveFile):
                former = self._of_path.get((effect.folder, effect.path))
                if former is not None:
                    wanting |= self.wanted.pop(former, set())
                self._of_path[effect.folder, effect.path] = effect
            wanting.add(change_id)
            self.wanted[effect] = wanting

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The effects of one kind."""
        return [effect for effect in self.wanted if isinstance(effect, kind)]

    def files(self) -> list[FileEffect]:
        """The effects on files and folders."""
        return [effect for effect in self.wanted if isinstance(effect, FileEffect)]

    def notes(self) -> dict[UUID, str]:
        """What each change leaves out, in words."""
        found: dict[UUID, str] = {}
        for note in self.of(Note):
            for change_id in self.wanted[note]:
                found[change_id] = "; ".join(filter(None, (found.get(change_id), note.text)))
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


def cleared_again(keys: Iterable[str]) -> list[Effect]:
    """The effects that `Plan.keys` stands for."""
    return [ClearCacheBelow(key[:-1]) if key.endswith("*") else ClearCache(key) for key in keys]


class Applying:
    """One plan on its way to one node.

    Args:
        node: where to.
        tasks: (plugin, task) -> function, for effects that plugins run themselves.
        reload_owed: whether an earlier reload is still owed.
        note_reload: stores whether a reload is owed, before the first file changes and after the reload: a
            worker that dies in between leaves it owed. Its second argument says whether one has been done.

    Attributes:
        failed: the changes that could not be applied, with the reasons.
    """

    def __init__(
        self,
        node: Node,
        plan: Plan,
        tasks: Mapping[tuple[str, str], Task],
        reload_owed: bool,
        note_reload: Callable[[bool, bool], None],
    ) -> None:
        self._node = node
        self._plan = plan
        self._tasks = tasks
        self._reload_owed = reload_owed
        self._note_reload = note_reload
        self.failed: dict[UUID, str] = {}

    def run(self) -> None:
        """Apply everything.

        Raises:
            SwitchUnavailable: the switch is away; files and cache files are done, the rest must be done again.
        """
        self._files()
        self.clear_cache()
        self._gateways()
        self._reload()
        switch = self._node.event_socket
        for acl in self._plan.of(ReloadAcl):
            self._try(acl, partial(commands.reload_acl, switch))
        for lamp in self._plan.of(MessageWaiting):
            self._try(lamp, partial(commands.message_waiting, switch, lamp.mailbox))
        for task in filter(self._still_wanted, self._plan.of(RunTask)):
            self._run_task(task)

    def clear_cache(self) -> None:
        """Delete the cache entries, all at once; what other effects of their changes came to does not matter.

        Raises:
            SwitchUnavailable: the switch is away; cache files are deleted.
        """
        entries = self._plan.of(ClearCache)
        try:
            self._node.clear_cache(entry.key for entry in entries)
        except SwitchUnavailable as error:
            if self._away(error):
                raise
            self._fail({change for entry in entries for change in self._plan.wanted[entry]}, str(error))
        except (SwitchError, OSError, ValueError):
            # One of them may be at fault: its change fails, the others are cleared.
            for entry in entries:
                self._try(entry, partial(self._node.clear_cache, [entry.key]))
        for below in self._plan.of(ClearCacheBelow):
            self._try(below, partial(self._node.cache.delete_matching, below.prefix))

    def _try(self, effect: Effect, action: Callable[[], Result]) -> Result | None:
        """What an action returns; None if it failed, and with it the changes that want the effect."""
        try:
            return action()
        except SwitchUnavailable as error:
            if self._away(error):
                raise
            self._fail(self._plan.wanted[effect], str(error))
        except (SwitchError, OSError, ValueError) as error:
            self._fail(self._plan.wanted[effect], str(error))
        return None

    def _away(self, error: SwitchUnavailable) -> bool:
        """Whether the switch answers nothing at all, rather than one command not in time."""
        if isinstance(error, SwitchBarred):
            return True
        try:
            commands.host_name(self._node.event_socket)
        except SwitchError:
            return True
        return False

    def _fail(self, changes: Iterable[UUID], reason: str) -> None:
        for change_id in changes:
            self.failed.setdefault(change_id, reason)

    def _still_wanted(self, effect: Effect) -> bool:
        """Whether a change wants it that has not failed: a gateway without its new file must not be taken down."""
        return not self._plan.wanted[effect] <= self.failed.keys()

    def _files(self) -> None:
        owed_before = self._reload_owed
        changed = False
        by_folder: dict[str, list[FileEffect]] = {}
        for effect in self._plan.files():
            by_folder.setdefault(effect.folder, []).append(effect)
        for folder, effects in by_folder.items():
            root = self._node.folders.get(folder)
            if root is None:
                continue
            if folder in XML_FOLDERS and not self._reload_owed:
                self._owe_reload(True)
            changed |= self._change_files(root, effects) and folder in XML_FOLDERS
        if self._reload_owed and not changed and not owed_before:
            self._owe_reload(False)

    def _change_files(self, root: Path, effects: list[FileEffect]) -> bool:
        """Apply the effects on one folder in their order; whether anything changed.

        Files that are written one after the other are written side by side: each waits for the disk, and the
        disk takes many as fast as one.
        """
        changed = False
        unsynced = files.Unsynced()
        with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
            for written, some in groupby(effects, lambda effect: isinstance(effect, WriteFile)):
                changes: dict[FileEffect, Callable[[], bool]] = {
                    effect: partial(_change_file, root, effect, unsynced) for effect in some
                }
                if written:
                    changes = {effect: threads.submit(change).result for effect, change in changes.items()}
                for effect, change in changes.items():
                    changed |= bool(self._try(effect, change))
        try:
            unsynced.sync()
        except OSError as error:
            wanting = {change for effect in effects for change in self._plan.wanted[effect]}
            self._fail(wanting, f"{effects[0].folder}: {error.strerror}")
        return changed

    def _gateways(self) -> None:
        switch = self._node.event_socket
        for kill in filter(self._still_wanted, self._plan.of(KillGateway)):
            self._try(kill, partial(commands.kill_gateway, switch, kill.profile, kill.name))
        for scan in filter(self._still_wanted, self._plan.of(Rescan)):
            if self._try(scan, partial(_rescan, self._node, scan.profile)) and self._reload_owed:
                # A rescan reads all XML before it looks for gateways.
                self._owe_reload(False, done=True)

    def _reload(self) -> None:
        if not self._reload_owed:
            return
        try:
            commands.reload_xml(self._node.event_socket)
        except SwitchError as error:
            if isinstance(error, SwitchUnavailable) and self._away(error):
                raise
            for effect in self._plan.files():
                if effect.folder in XML_FOLDERS:
                    self._fail(self._plan.wanted[effect], str(error))
            return
        self._owe_reload(False, done=True)

    def _owe_reload(self, owed: bool, *, done: bool = False) -> None:
        self._reload_owed = owed
        self._note_reload(owed, done)

    def _run_task(self, effect: RunTask) -> None:
        task = self._tasks.get((effect.plugin, effect.task))
        if task is None:
            missing = f"the plugin {effect.plugin} declares no task {effect.task}: add it to Plugin.tasks"
            self._fail(self._plan.wanted[effect], missing)
            return
        try:
            task(**effect.as_dict())
        except Exception as error:
            # A plugin's own task may raise anything: its fault is its change's fault, not the batch's.
            log.exception("a task of plugin %s failed on node %s", effect.plugin, self._node.name)
            self._fail(self._plan.wanted[effect], f"{type(error).__name__}: {error}")


def _rescan(node: Node, profile: str) -> bool:
    commands.rescan(node.event_socket, profile)
    return True


def _change_file(root: Path, effect: FileEffect, unsynced: files.Unsynced) -> bool:
    """Whether anything changed.

    Raises:
        ValueError: the path leaves the folder, or the text is no XML where it must be.
        OSError: the file system does not let us; named by the folder's purpose, not by its place.
    """
    try:
        match effect:
            case WriteFile():
                if effect.folder in XML_FOLDERS:
                    _check_xml(effect)
                return files.write_file(root, effect.path, effect.content, unsynced=unsynced)
            case RemoveFile():
                return files.remove_file(root, effect.path, unsynced=unsynced)
            case MakeFolder():
                return files.make_folder(root, effect.path, unsynced=unsynced)
            case MoveFolder():
                return files.move_folder(
                    root, effect.old, effect.new, unless_there=effect.unless_there, unsynced=unsynced
                )
            case RemoveFolder():
                return files.remove_folder(root, effect.path, unsynced=unsynced)
    except OSError as error:
        path = effect.new if isinstance(effect, MoveFolder) else effect.path
        raise OSError(f"{effect.folder}/{path}: {error.strerror}") from error


def _check_xml(effect: WriteFile) -> None:
    """One file that does not parse would keep the switch from reading any other, so it is never written."""
    try:
        expat.ParserCreate().Parse(effect.content, True)
    except expat.ExpatError as error:
        raise ValueError(f"{effect.folder}/{effect.path}: not written, it is no XML: {error}") from None
