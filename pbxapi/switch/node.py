"""One FreeSWITCH with all that is needed to bring a change to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pbxapi.errors import SwitchUnavailable
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
        last_hostname: what the switch said its host name was, when it was last asked.
    """

    name: str
    event_socket: EventSocket
    cache: Cache
    folders: Mapping[str, Path]
    last_hostname: str | None = None

    @cached_property
    def hostname(self) -> str:
        """What the switch says its host name is; FusionPBX compares it with its hostname columns.

        Never our own: we may run in a container, or on another host. While the switch is away it is the last
        one, so that files and cache can be put right all the same.

        Raises:
            SwitchUnavailable, SwitchRefused: the switch does not say, and never has.
        """
        try:
            return host_name(self.event_socket)
        except SwitchUnavailable:
            if self.last_hostname is None:
                raise
            return self.last_hostname

    def clear_cache(self, keys: Iterable[str]) -> None:
        """Delete entries of the cache in all forms in which FusionPBX may have stored them.

        Raises:
            As `Cache.delete` and `hostname`.
        """
        self.cache.delete(form for key in keys for form in spellings(key, self.hostname))
