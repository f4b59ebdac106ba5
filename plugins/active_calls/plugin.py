"""Calls in progress: seeing them, and hanging up, transferring, holding, muting and making them.

Nothing is written: the switch is told at once, by the node that has the call, and the call's own events tell what
came of it (docs/decisions/active-calls.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import (
    Answer,
    ApiError,
    Call,
    Operation,
    Plugin,
    Resource,
    SwitchUnavailable,
    domain_zone,
    invalid,
    not_found,
)
from pbxapi.plugin.calls import is_own, shown

from .schemas import ActiveCall, Originate, Originated, Switched, Transfer

RINGS = 30
"""Seconds that a phone rings when nobody says otherwise."""


def list_calls(call: Call) -> Answer:
    """The domain's calls, leg by leg, oldest first.

    Raises:
        SwitchUnavailable: no switch node answers.
    """
    return Answer(_calls(call))


def get_call(call: Call) -> Answer:
    """One leg."""
    found = [row for row in _calls(call) if row["uuid"] == str(call.uuid)]
    if not found:
        raise _gone()
    return Answer(found[0])


def _calls(call: Call) -> list[dict[str, Any]]:
    zone = domain_zone(call)
    found = [
        {
            **shown(row, node, zone),
            "call_uuid": row["call_uuid"],
            "call_state": row["callstate"],
            "controllable": "true" if _is_uuid(row["uuid"]) else "false",
        }
        for node, rows in call.ask("channels", {"variable": "domain_uuid"}).items()
        for row in rows
        if is_own(row, call.caller.domain_uuid, call.caller.domain_name)
    ]
    return sorted(found, key=lambda row: (row["created_epoch"] or 0, row["uuid"]))


def _control(verb: str, done: str) -> Callable[[Call], Answer]:
    """A handler that has something done to one leg."""

    def handler(call: Call) -> Answer:
        arguments = {
            **_domain(call),
            "uuid": str(call.uuid),
            "verb": verb,
            "on": call.data.get("on", "true") == "true",
            "destination": call.data.get("destination", ""),
        }
        _act(call, "control", arguments, _gone())
        return Answer(message=done)

    return handler


def originate(call: Call) -> Answer:
    """Ring an extension; the phone that answers calls the destination, as if it had dialled it."""
    for field in ("extension", "destination", "caller_id_number"):
        if call.data.get(field, "").lower() == "undef":  # a word of the switch's own command
            raise invalid(f"{field} must be a number", field)
    extension = call.value("extension", number=call.data["extension"])
    if extension is None:
        raise invalid("extension names no enabled extension of this domain", "extension")
    destination = call.data["destination"]
    uuid = uuid4()
    arguments = {
        "uuid": str(uuid),
        "domain_uuid": str(call.caller.domain_uuid),
        "domain": call.caller.domain_name,
        "user": extension,
        "destination": destination,
        "caller_id_name": call.data.get("caller_id_name") or destination,
        "caller_id_number": call.data.get("caller_id_number") or destination,
        "seconds": int(call.data.get("timeout") or RINGS),
        "auto_answer": call.data.get("auto_answer") == "true",
    }
    _act(call, "originate", arguments, ApiError(409, "NOT_REGISTERED", "No phone of the extension is registered"))
    return Answer({"uuid": str(uuid)}, status=202, message="The extension is being called")


def _act(call: Call, action: str, arguments: Mapping[str, Any], absent: ApiError) -> None:
    """Have an action done by the node that it concerns.

    Raises:
        ApiError: `absent` where it concerns none; 409 where it cannot be done now.
        SwitchUnavailable: a node that it might concern does not answer.
    """
    answers = [answer for answer in call.ask(action, arguments).values() if answer["state"] != "absent"]
    if not answers:
        raise absent
    answer = next((answer for answer in answers if answer["state"] == "done"), answers[0])
    if answer["state"] == "conflict":
        raise ApiError(409, answer["code"], answer["reason"])
    if answer["state"] != "done":
        raise SwitchUnavailable("the switch did not say whether it was done")


def _domain(call: Call) -> dict[str, str]:
    return {"domain_uuid": str(call.caller.domain_uuid), "domain_name": call.caller.domain_name}


def _gone() -> ApiError:
    return not_found("Active call not found")


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


active_calls = Resource(
    name="active-calls",
    label="Active call",
    id="uuid",
    schema=ActiveCall,
    sql="active_calls",
    standard=(),
    operations=(
        Operation("list", list_calls, answer=ActiveCall, many=True, summary="List calls in progress"),
        Operation("get", get_call, on="item", answer=ActiveCall, summary="Get a call in progress"),
        Operation(
            "delete",
            _control("hangup", "The call was ended"),
            ("DELETE",),
            "item",
            scope="active-calls:write",
            summary="Hang up",
        ),
        Operation(
            "hangup",
            _control("hangup", "The call was ended"),
            ("POST",),
            "item",
            path="hangup",
            scope="active-calls:write",
            summary="Hang up",
        ),
        Operation(
            "transfer",
            _control("transfer", "The call was transferred"),
            ("POST",),
            "item",
            path="transfer",
            body=Transfer,
            scope="active-calls:write",
            summary="Send a leg to another number of the domain",
        ),
        Operation(
            "hold",
            _control("hold", "Done"),
            ("POST",),
            "item",
            path="hold",
            body=Switched,
            scope="active-calls:write",
            summary="Put a leg's phone on hold, or take it back",
        ),
        Operation(
            "mute",
            _control("mute", "Done"),
            ("POST",),
            "item",
            path="mute",
            body=Switched,
            scope="active-calls:write",
            summary="Silence what a leg's phone says, or no longer",
        ),
        Operation(
            "originate",
            originate,
            ("POST",),
            body=Originate,
            answer=Originated,
            status=202,
            scope="active-calls:originate",
            summary="Click to call: ring an extension, then dial",
        ),
    ),
)

plugin = Plugin(
    name="active-calls", version="1.0.0", resources=(active_calls,), scopes=("active-calls:originate",)
)
