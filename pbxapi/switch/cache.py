"""FusionPBX's cache of one node: what its scripts keep there, the switch serves until it is deleted.

With the method `file` an entry is a file in a folder on the node (shipped: /var/cache/fusionpbx) that never
expires and is never overwritten; with `memcache` it is in the memcached that the switch's mod_memcache
talks to. Keys, file names and events as in FusionPBX's cache.php and cache.lua; the answers of memcache as
in FreeSWITCH's mod_memcache.c.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pbxapi.errors import SwitchRefused
from pbxapi.switch.event_socket import EventSocket


class CacheError(OSError):
    """The cache's folder is there, but does not let us do what must be done; the message names it."""


def spellings(key: str, hostname: str) -> tuple[str, ...]:
    """The forms in which FusionPBX may have stored a key.

    Directory entries have the switch's host name in front in 5.5.7 and not in other releases; of the
    configurations sofia.conf and callcenter.conf have it and the others do not.

    >>> spellings("directory:101@example.com", "pbx1")
    ('directory:101@example.com', 'pbx1:directory:101@example.com')
    """
    if key.startswith(("directory:", "configuration:")):
        return key, f"{hostname}:{key}"
    return (key,)


class Cache:
    """The cache of one node.

    Deleting what is not there is no error, so everything may be done twice. After each deletion FusionPBX's
    own event goes out, for whatever forwards it to other caches.

    Args:
        method: `file` or `memcache`, as FusionPBX's setting cache/method.
        event_socket: of the node's switch.
        folder: where the files are, for the method `file`. While it is absent, nothing is cached.

    Raises:
        ValueError: there is no such method, or it lacks its folder.
    """

    def __init__(self, method: str, event_socket: EventSocket, folder: Path | None = None) -> None:
        self._store: _Files | _Memcache
        if method == "file" and folder is not None:
            self._store = _Files(folder)
        elif method == "memcache":
            self._store = _Memcache(event_socket)
        else:
            raise ValueError(f"not a cache: method {method!r} with folder {folder}")
        self.method = method
        self.folder = folder
        self._event_socket = event_socket

    def delete(self, keys: Iterable[str]) -> None:
        """Delete entries, each key exactly as given (`spellings` gives its forms).

        Raises:
            ValueError: a key that cannot be one; nothing has been deleted.
            CacheError: the folder does not let us delete.
            SwitchUnavailable: the switch did not take the events (files are deleted by then), or the
                deletions of memcache.
            SwitchRefused: mod_memcache is missing, or does not reach its memcached.
        """
        wanted = [_checked(key) for key in dict.fromkeys(keys)]
        self._store.delete(wanted)
        self._tell([f"delete {key}" for key in wanted])

    def delete_matching(self, prefix: str) -> None:
        """Delete all entries whose keys begin with a text, such as `dialplan:public:`.

        As files `:` and `.` are the same, so `dialplan:public.x` goes as well. Of memcached, which cannot
        list its keys, everything goes. Both only cost the switch a few look-ups.

        Raises:
            As `delete`.
        """
        self._tell(self._store.delete_matching(_checked(prefix)))

    def exists(self, key: str) -> bool:
        """Whether there is an entry under exactly this key.

        Raises:
            As `delete`.
        """
        return self._store.exists(_checked(key))

    def written_at(self, key: str) -> float | None:
        """When the entry under exactly this key was written, in seconds since 1970; None if there is none.

        None also for memcache, which does not tell.

        Raises:
            ValueError, CacheError: as `delete`.
        """
        return self._store.written_at(_checked(key))

    def keys_matching(self, prefix: str) -> list[str]:
        """The keys of all entries that begin with a text, as far as names of files tell them; none for memcache.

        Raises:
            ValueError, CacheError: as `delete`.
        """
        return self._store.keys_matching(_checked(prefix))

    def _tell(self, done: Iterable[str]) -> None:
        command = "cache" if self.method == "file" else self.method
        told = [{"API-Command": command, "API-Command-Argument": one} for one in done]
        self._event_socket.send_events(f"fusion::{self.method}", told)


class _Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def delete(self, keys: Sequence[str]) -> None:
        with self._opened() as folder:
            self._each(os.unlink, [name for key in keys for name in _file_names(key)], folder)

    def delete_matching(self, prefix: str) -> list[str]:
        with self._opened() as folder:
            names = self._names(prefix, folder)
            self._each(os.unlink, names, folder)
        return [f"delete {key}" for key in _keys(prefix, names)]

    def keys_matching(self, prefix: str) -> list[str]:
        with self._opened() as folder:
            return _keys(prefix, self._names(prefix, folder))

    def written_at(self, key: str) -> float | None:
        times: list[float] = []

        def note(name: str, *, dir_fd: int) -> None:
            times.append(os.lstat(name, dir_fd=dir_fd).st_mtime)

        with self._opened() as folder:
            self._each(note, _file_names(key), folder)
        return min(times, default=None)

    def _names(self, prefix: str, folder: int | None) -> list[str]:
        if folder is None:
            return []
        starts = _file_names(prefix)
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.name.startswith(starts)]

    def exists(self, key: str) -> bool:
        with self._opened() as folder:
            return self._each(os.lstat, _file_names(key), folder)

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """The folder, None if it is absent."""
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise self._failed(error) from error
        try:
            yield folder
        finally:
            os.close(folder)

    def _each(self, action: Callable[..., object], names: Iterable[str], folder: int | None) -> bool:
        """Do something to each file that is there; whether any was."""
        found = False
        for name in names if folder is not None else ():
            try:
                action(name, dir_fd=folder)
                found = True
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):  # a name too long is nowhere
                    raise self._failed(error) from error
        return found

    def _failed(self, error: OSError) -> CacheError:
        return CacheError(error.errno, f"cannot use the cache folder {self._folder}: {error.strerror}")


class _Memcache:
    def __init__(self, event_socket: EventSocket) -> None:
        self._event_socket = event_socket

    def delete(self, keys: Sequence[str]) -> None:
        self._ask([f"memcache delete {_argument(key)}" for key in keys], "+OK", "-ERR NOT FOUND")

    def delete_matching(self, prefix: str) -> list[str]:
        self._ask(["memcache flush"], "+OK")
        return ["flush"]

    def keys_matching(self, prefix: str) -> list[str]:
        return []

    def written_at(self, key: str) -> float | None:
        return None

    def exists(self, key: str) -> bool:
        command = f"memcache getflags {_argument(key)}"
        answer = self._event_socket.api(command).strip()
        if answer == "-ERR NOT FOUND":
            return False
        if answer.startswith("-ERR"):
            raise SwitchRefused(f"{command}: {answer}")
        return True

    def _ask(self, commands: Sequence[str], *good: str) -> None:
        for command, answer in zip(commands, self._event_socket.api_each(commands), strict=True):
            if answer.strip() not in good:
                raise SwitchRefused(f"{command}: {answer.strip()}")


def _checked(key: str) -> str:
    """A key that is text on one line and no way out of the folder."""
    if not key.isprintable() or not re.sub(r"[:/\\.]", "", key) or ".." in re.split(r"[:/\\]", key):
        raise ValueError(f"not a key of the cache: {key!r}")
    return key


def _file_names(key: str) -> tuple[str, ...]:
    """The names under which Lua and PHP look for a key; a PHP one with a slash would be a path, and is none."""
    php = key.replace(":", ".")
    lua = php.replace("/", "_").replace("\\", "_")
    return (lua,) if "/" in php or php == lua else (lua, php)


def _keys(prefix: str, names: Iterable[str]) -> list[str]:
    """The keys of files: a name is as long as its key.

    What an outside caller dialled is in there too, and may not be text: such are left out.
    """
    return [f"{prefix}{name[len(prefix) :]}" for name in names if name.isprintable()]


def _argument(key: str) -> str:
    """A key as one word of a command; the switch takes quotes and backslashes for its own."""
    if re.search(r"[\s'\"]", key):
        raise ValueError(f"not a key of memcached: {key!r}")
    return key.replace("\\", "\\\\")
