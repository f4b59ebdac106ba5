"""The declaration of a plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pbxapi.plugin.resource import Resource

Task = Callable[..., None]
"""A function run in the worker for a `RunTask` effect; gets its arguments by name, must be idempotent."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What a plugin brings. A plugin's module names its instance ``plugin``.

    Attributes:
        name: lower-case letters, digits and ``-``.
        version: its own.
        api: the range of `PLUGIN_API` that it supports, such as ``>=1,<2``.
        resources: the resources that it serves.
        tasks: functions that effects may run in the worker, by name.
    """

    name: str
    version: str
    api: str = ">=1,<2"
    resources: tuple[Resource, ...] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "resources", tuple(self.resources))
