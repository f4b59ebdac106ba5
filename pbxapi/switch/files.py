"""Files and folders of one node, below the folders that the operator names.

A path is relative to such a root and never leaves it: each part is opened from its parent without following
links, so a link below the root is refused wherever it leads. All may be done twice.

Modes are exact, whatever the umask: FreeSWITCH and FusionPBX run as the same user as the worker or share
its group, so the group can write.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO


class Unsynced:
    """Folders in which names have changed, each to be brought safely to the disk once, however many have.

    Threads may share one. What is changed with it is safe after `sync`; without one, when the function returns.
    """

    MOST = 400
    """Folders that are held open at most, of the 1,024 files that a process may usually have."""

    AT_ONCE = 8

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], int] = {}
        self._fault: OSError | None = None
        self._lock = threading.Lock()

    def add(self, folder: int) -> None:
        """Sync a folder, given as a descriptor, later."""
        status = os.fstat(folder)
        place = status.st_dev, status.st_ino
        with self._lock:
            if place not in self._held:
                if len(self._held) >= self.MOST:
                    self._let_go()
                self._held[place] = os.dup(folder)

    def sync(self) -> None:
        """Sync them all.

        Raises:
            OSError: of the first that could not be.
        """
        with self._lock:
            self._let_go()
            fault, self._fault = self._fault, None
        if fault:
            raise fault

    def _let_go(self) -> None:
        """Sync what is held, side by side, since each waits for the disk."""
        held, self._held = list(self._held.values()), {}
        try:
            with ThreadPoolExecutor(self.AT_ONCE) as threads:
                for synced in [threads.submit(os.fsync, folder) for folder in held]:
                    try:
                        synced.result()
                    except OSError as error:
                        self._fault = self._fault or error
        finally:
            for folder in held:
                os.close(folder)


def read_file(root: Path, relative: str) -> bytes | None:
    """What is in a file; None if there is none.

    Raises:
        ValueError, OSError: as `write_file`.
    """
    parents, name = _split(relative)
    try:
        with _opened(root, parents) as folder:
            return _content(name, folder)
    except FileNotFoundError:
        return None


def open_file(root: Path, relative: str) -> BinaryIO | None:
    """A file, opened to be read; None if there is none, or something else than a file.

    Raises:
        ValueError, OSError: as `write_file`.
    """
    parents, name = _split(relative)
    try:
        with _opened(root, parents) as folder:
            if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                return None
            return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb")
    except FileNotFoundError:
        return None


def write_file(
    root: Path, relative: str, text: str | bytes, mode: int = 0o660, *, unsynced: Unsynced | None = None
) -> bool:
    """Put a text (as UTF-8) or bytes into a file, whole or not at all; True if that changed anything.

    Parents are made. A reader sees the old file or the new one. FreeSWITCH includes `*.xml`, so the file
    that is being written has a name that matches no such pattern. An error leaves the old file as it was.

    Raises:
        ValueError: the path is not one below the root.
        OSError: the root is missing, the disk is full, a right is missing ...
    """
    parents, name = _split(relative)
    data = text.encode() if isinstance(text, str) else text
    with _opened(root, parents, make=True, unsynced=unsynced) as folder:
        if _content(name, folder) == data:
            return False
        unfinished = _unfinished(name)
        with suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=folder)  # left by one who was killed
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(unfinished, flags, mode, dir_fd=folder), "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(unfinished, dir_fd=folder)
            raise
        _sync(folder, unsynced)
    return True


def remove_file(root: Path, relative: str, *, unsynced: Unsynced | None = None) -> bool:
    """Remove a file; False if there is none.

    Raises:
        ValueError, OSError: as `write_file`.
    """
    parents, name = _split(relative)
    try:
        with _opened(root, parents) as folder:
            with suppress(FileNotFoundError):
                os.unlink(_unfinished(name), dir_fd=folder)
            os.unlink(name, dir_fd=folder)
            _sync(folder, unsynced)
    except FileNotFoundError:
        return False
    return True


def make_folder(root: Path, relative: str, mode: int = 0o770, *, unsynced: Unsynced | None = None) -> bool:
    """Make a folder, with its parents; False if it is there. The mode of one that is there stays.

    Raises:
        ValueError, OSError: as `write_file`.
    """
    parents, name = _split(relative)
    with _opened(root, parents, make=True, unsynced=unsynced) as folder:
        made = _make(name, folder, mode, unsynced)
        os.close(_enter(name, folder))  # what is there must be a folder
    return made


def move_folder(
    root: Path, old: str, new: str, *, unless_there: bool = False, unsynced: Unsynced | None = None
) -> bool:
    """Move a folder with all that is in it; False if it is not there, because it was moved before or never was.

    Args:
        unless_there: whether both stay where the new one is there, with something in it or not.

    Raises:
        ValueError: as `write_file`.
        OSError: as `write_file`; also if the new one is there with something in it.
    """
    old_parents, old_name = _split(old)
    new_parents, new_name = _split(new)
    try:
        with _opened(root, old_parents) as source:
            os.close(_enter(old_name, source))
            with _opened(root, new_parents, make=True, unsynced=unsynced) as target:
                if unless_there and _is_there(new_name, target):
                    return False
                os.rename(old_name, new_name, src_dir_fd=source, dst_dir_fd=target)
                _sync(target, unsynced)
            _sync(source, unsynced)
    except FileNotFoundError:
        return False
    return True


def remove_folder(root: Path, relative: str, *, unsynced: Unsynced | None = None) -> bool:
    """Remove a folder with all that is in it; False if there is none.

    Raises:
        ValueError, OSError: as `write_file`.
    """
    parents, name = _split(relative)
    try:
        with _opened(root, [*parents, name]):
            pass
    except FileNotFoundError:
        return False
    with _opened(root, parents) as folder:
        shutil.rmtree(name, dir_fd=folder)
        _sync(folder, unsynced)
    return True


def _sync(folder: int, unsynced: Unsynced | None) -> None:
    if unsynced is None:
        os.fsync(folder)
    else:
        unsynced.add(folder)


def _unfinished(name: str) -> str:
    """What a file is called while it is written: always the same, so that the next to write it clears it away."""
    return f".{name}.tmp"


def _split(relative: str) -> tuple[Sequence[str], str]:
    """The parents and the name of a path that stays below its root."""
    path = PurePosixPath(relative)
    if not relative.isprintable() or path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError(f"not a path below a folder: {relative!r}")
    return path.parts[:-1], path.name


@contextmanager
def _opened(
    root: Path, parts: Sequence[str], *, make: bool = False, unsynced: Unsynced | None = None
) -> Iterator[int]:
    """A folder below the root, as a descriptor."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            if make:
                _make(part, folder, 0o770, unsynced)
            inner = _enter(part, folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _enter(name: str, folder: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError as error:
        raise NotADirectoryError(error.errno, "not a folder (links are not followed)", name) from None


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _make(name: str, folder: int, mode: int, unsynced: Unsynced | None) -> bool:
    try:
        os.mkdir(name, mode, dir_fd=folder)
    except FileExistsError:
        return False
    made = _enter(name, folder)
    try:
        # The group's inheritance (setgid), where the operator set it on the parent, is kept.
        os.fchmod(made, mode | (os.fstat(made).st_mode & stat.S_ISGID))
    finally:
        os.close(made)
    _sync(folder, unsynced)
    return True


def _content(name: str, folder: int) -> bytes | None:
    """What is in a file; None if there is none, or a link, which a write replaces."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return None
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
