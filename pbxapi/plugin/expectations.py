"""What a switch should say of a record, as data: `pbxapi reconcile` asks, and compares.

A resource's ``expects`` function returns these, computed from the current rows as its effects are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UserExists:
    """The switch finds a user in its directory, or, where it is not `wanted`, does not."""

    user: str
    domain: str
    wanted: bool = True


@dataclass(frozen=True)
class GatewayKnown:
    """A gateway runs on the switch, or, where it is not `wanted`, does not.

    Attributes:
        name: as the switch knows it: the lower-case uuid. One of such a name that no record speaks of is taken
            out.
    """

    name: str
    wanted: bool = True


Expectation = UserExists | GatewayKnown
