"""The resource is held to what holds for every resource of pbxapi."""

from __future__ import annotations

from pbxapi.conformance import *  # noqa: F403
from pbxapi.conformance import Kind
from pbxapi.testing import Client


def with_attempts(client: Client) -> str:
    """A callback that was tried several times."""
    uuid = client.create("callbacks", number="+4930123456")
    for _ in range(7):
        client.request("POST", f"/callbacks/{uuid}/attempts", {"outcome": "busy"})
    return uuid


KINDS = {"callbacks": Kind(lambda n: {"number": str(4_930_000 + n)}, with_attempts)}
