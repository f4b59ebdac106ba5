"""What a change does to a switch node, as data.

A plugin's ``effects`` function returns these; the worker of each node merges those of a whole batch into a set and
applies them in one order: folders and files, cache entries, one reload if an XML file changed, then commands.
All are idempotent. There is no effect for a free event-socket command: what a plugin may ask of the switch is what
stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

Folder = Literal["extensions", "sip_profiles", "dialplan", "provision", "voicemail", "recordings"]
"""A folder of the node that the operator's settings name; an effect on one that is not set does nothing."""

XML_FOLDERS: frozenset[Folder] = frozenset({"extensions", "sip_profiles", "dialplan"})
"""Those that the switch reads at `reloadxml`."""


@dataclass(frozen=True)
class ClearCache:
    """Delete one entry of FusionPBX's cache, in both spellings, such as ``dialplan:example.com``."""

    key: str


@dataclass(frozen=True)
class ClearCacheBelow:
    """Delete every entry whose key begins so, such as ``dialplan:public:``."""

    prefix: str


@dataclass(frozen=True)
class WriteFile:
    """Make a file have this text, or these bytes; the old one stays whole until the new one is."""

    folder: Folder
    path: str
    text: str | bytes

    @property
    def content(self) -> bytes:
        """What will be in the file."""
        return self.text.encode() if isinstance(self.text, str) else self.text


@dataclass(frozen=True)
class RemoveFile:
    """Make a file be gone."""

    folder: Folder
    path: str


@dataclass(frozen=True)
class MakeFolder:
    """Make a folder, readable and writable for the switch."""

    folder: Folder
    path: str


@dataclass(frozen=True)
class MoveFolder:
    """Move a folder with what is in it; nothing where the old one is gone.

    Attributes:
        unless_there: nothing where the new one is there, either. For an old name that has a new owner by now:
            whether what lies there is still the former owner's, only the new folder tells.
    """

    folder: Folder
    old: str
    new: str
    unless_there: bool = False


@dataclass(frozen=True)
class RemoveFolder:
    """Remove a folder with what is in it."""

    folder: Folder
    path: str


@dataclass(frozen=True)
class KillGateway:
    """Take a gateway out of a running SIP profile; its name on the switch is its lower-case uuid."""

    profile: str
    name: str


@dataclass(frozen=True)
class Rescan:
    """Make a SIP profile find new gateways (a known one is ignored: kill it first)."""

    profile: str


@dataclass(frozen=True)
class ReloadAcl:
    """Make the switch read its access lists again."""


@dataclass(frozen=True)
class MessageWaiting:
    """Tell the phones of a mailbox, ``id@domain``, how many messages wait."""

    mailbox: str


@dataclass(frozen=True)
class RunTask:
    """Run a function that the plugin registered, in the worker: `Plugin.tasks`.

    Attributes:
        plugin, task: their names.
        arguments: (name, value) pairs of texts; they are stored and logged, so never a secret.
    """

    plugin: str
    task: str
    arguments: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> Mapping[str, Any]:
        """The arguments by name."""
        return dict(self.arguments)


@dataclass(frozen=True)
class Refresh:
    """Compute and apply another record's effects too: what this change touched shows in what is written for it.

    Nothing where no plugin serves the resource. A fault in them is this change's fault, and holds up none of its
    own effects.

    Attributes:
        resource: its name.
        uuid: of the record, of the change's domain.
    """

    resource: str
    uuid: UUID


@dataclass(frozen=True)
class Note:
    """Tell whoever looks at the change what was left out of it, though it is applied; never a secret."""

    text: str


Effect = (
    ClearCache
    | ClearCacheBelow
    | WriteFile
    | RemoveFile
    | MakeFolder
    | MoveFolder
    | RemoveFolder
    | KillGateway
    | Rescan
    | ReloadAcl
    | MessageWaiting
    | RunTask
    | Refresh
    | Note
)


def clear_cache(key: str) -> ClearCache:
    """Delete one entry of FusionPBX's cache; keys are in docs/fusionpbx.md."""
    return ClearCache(key)
