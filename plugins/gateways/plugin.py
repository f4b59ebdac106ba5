"""Gateways: the SIP trunks of a domain, and what the switches say of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from pbxapi.plugin import (
    Call,
    Change,
    Effect,
    Expectation,
    GatewayKnown,
    KillGateway,
    Plugin,
    RemoveFile,
    Rescan,
    Resource,
    SwitchUnavailable,
    WriteFile,
    clear_cache,
    invalid,
)
from pbxapi.plugin.dialling import check_context
from pbxapi.xml import gateway_file, gateway_file_name

from .schemas import Gateway

_UNSEEN = frozenset({"gateway", "channels", "codec_prefs", "description"})
"""Fields that FusionPBX hands to nobody: a gateway on the switch is the same with or without them."""


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Check what schemas cannot: the SIP profile and the context."""
    if call.data.get("profile") == "":
        raise invalid("Profile is required", "profile")
    if (old is None or record["profile"] != old["profile"]) and not call.row("profile", profile=record["profile"]):
        raise invalid("profile names no SIP profile of this system", "profile")
    if record["context"] and (old is None or record["context"] != old["context"]):
        check_context(call, record["context"], "context")
    if record["register"] == "true" and not (record["username"] and record["password"]):
        call.warn("The gateway registers, but without a username and a password the switch ignores it")


def show(call: Call, record: dict[str, Any]) -> None:
    """What the switch says of it; null where no switch answers."""
    record["registration_status"] = record["registration_state"] = None
    try:
        answers = call.ask("gateway_status", {"name": str(call.uuid)})
    except SwitchUnavailable:
        return
    record["registration_status"], record["registration_state"] = registration(answers.values())


def registration(answers: Iterable[Mapping[str, Any] | None]) -> tuple[str, str | None]:
    """(registration_status, registration_state) over all nodes: where it runs counts first, then where it fails.

    Args:
        answers: of each node, None from one that does not know the gateway.
    """
    known = [answer for answer in answers if answer is not None]
    running = [answer for answer in known if answer["status"] == "UP"]
    if running:
        return "running", running[0]["state"]
    if known:
        return "error", known[0]["state"]
    return "stopped", None


def effects(change: Change) -> Iterator[Effect]:
    """The profiles' cached configuration goes, the file follows, and the switch makes the gateway anew.

    A switch ignores a gateway that it knows, so a changed one is killed first. That ends its registration, so it
    is done only when something changed that the switch gets to see.
    """
    if change.changed and change.changed <= _UNSEEN:
        return
    current, name, serves = change.current, str(change.uuid), _serves(change)
    yield clear_cache("configuration:sofia.conf")
    if "sip_profiles" in change.folders:
        for profile in change.values("profile"):
            path = f"{profile}/{gateway_file_name(name)}"
            if current is not None and serves and profile == current["profile"]:
                yield WriteFile("sip_profiles", path, gateway_file(current))
            else:
                yield RemoveFile("sip_profiles", path)
    profiles = _profiles(change)
    if profiles and (change.changed or not serves):
        # The switch finds it by its name alone; the profile only has to be one that runs.
        yield KillGateway(profiles[0], name)
    if serves:
        yield from map(Rescan, profiles)


def expects(change: Change) -> Iterator[Expectation]:
    """It runs where it serves and its profile is. One that is to register without an account, a switch ignores."""
    current = change.current
    if current is None or current["register"] != "true" or (current["username"] and current["password"]):
        yield GatewayKnown(str(change.uuid), _serves(change) and bool(_profiles(change)))


def _serves(change: Change) -> bool:
    """Whether this node should run it."""
    current = change.current
    return current is not None and current["enabled"] == "true" and current["hostname"] in ("", change.hostname)


def _profiles(change: Change) -> list[str]:
    """The profiles that it was and is in, as far as this node runs them."""
    here = {row["sip_profile_name"] for row in change.rows("profiles", hostname=change.hostname)}
    return [profile for profile in change.values("profile") if profile in here]


gateways = Resource(
    name="gateways",
    label="Gateway",
    id="gateway_uuid",
    schema=Gateway,
    table="v_gateways",
    app_uuid=UUID("297ab33e-2c2f-8196-552c-f3567d2caaf8"),
    row=("gateway_uuid", "gateway", "username", "proxy", "register", "profile", "enabled", "description"),
    search=("gateway", "username", "proxy", "description"),
    sort=("gateway", "username", "proxy", "profile", "description"),
    filters=("gateway", "username", "proxy", "register", "profile", "enabled"),
    unique=("gateway",),
    limit="gateways",
    prepare=prepare,
    show=show,
    keep=("profile",),
    effects=effects,
    expects=expects,
)

plugin = Plugin(name="gateways", version="1.0.0", resources=(gateways,))
