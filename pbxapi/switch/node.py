"""One FreeSWITCH with all that is needed to bring a change to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pbxapi.switch.cache import Cache, spellings
from pbxapi.switch.commands import host_name
from pbxapi.switch.event_socket import EventSocket


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        name: the operator's name for it, as in the state of a change.
        folders: by purpose, such as `extensions`, `sip_profiles`, `dialplan`, `voicemail`; what is absent is
            not kept in files.
    """

    name: str
    event_socket: EventSocket
    cache: Cache
    folders: Mapping[str, Path]

    @cached_property
    def hostname(self) -> str:
        """What the switch says its host name is; FusionPBX compares it with its hostname columns.

        Never our own: we may run in a container, or on another host.
        """
        return host_name(self.event_socket)

    def clear_cache(self, keys: Iterable[str]) -> None:
        """Delete entries of the cache in all forms in which FusionPBX may have stored them.

        Raises:
            As `Cache.delete`, and as `host_name` at the first time.
        """
        self.cache.delete(form for key in keys for form in spellings(key, self.hostname))
