"""Calls in progress: whose they are, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo


def is_own(channel: Mapping[str, Any], domain_uuid: UUID, domain_name: str) -> bool:
    """Whether a channel is a domain's: by the variable that its dialplan or directory set, else by its context.

    What an outside caller can write, `presence_id` above all, says nothing (docs/fusionpbx.md, dashboard).

    Args:
        channel: its ``context``, and its variable ``domain_uuid`` (None where unset).
    """
    if channel["domain_uuid"]:
        return bool(channel["domain_uuid"].lower() == str(domain_uuid))
    return bool((channel["context"] or "").lower() == domain_name.lower())


def shown(channel: Mapping[str, Any], node: str, zone: ZoneInfo) -> dict[str, Any]:
    """A channel as calls are shown; times in the domain's zone, where the switch writes that of its host."""
    return {
        "uuid": channel["uuid"],
        "direction": channel["direction"],
        "caller_id_name": channel["cid_name"],
        "caller_id_number": channel["cid_num"],
        "destination": channel["dest"],
        "state": channel["state"],
        **_created(channel, zone),
        "hostname": channel["hostname"] or node,
    }


def _created(channel: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    try:
        epoch = int(channel["created_epoch"])
        created = datetime.fromtimestamp(epoch, zone)
    except (ValueError, OverflowError, OSError):
        return {"created": channel["created"], "created_epoch": None}
    return {"created": created.isoformat(" ")[:19], "created_epoch": epoch}
