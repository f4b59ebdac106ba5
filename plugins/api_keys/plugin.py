"""API keys: who may call, for which domains, to do what. A key is shown once, when it is made.

A key hands out no more than it has, and handles only keys that it could have made itself. The system's key may do
everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from pbxapi.plugin import (
    Answer,
    ApiError,
    Call,
    Operation,
    Plugin,
    Resource,
    Sort,
    create_record,
    forbidden,
    invalid,
)
from pbxapi.plugin.keys import EVERY_DOMAIN, TABLE, Network, new_key

from .schemas import ApiKey, IssuedKey, Rotation


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what was left out, and check that the caller's own key goes as far."""
    caller = call.caller
    before = old or {"domains": [str(caller.domain_uuid)], "rate_limit": caller.rate_limit, "expires_at": ""}
    if old is None:
        record["created_by"] = caller.key_id
        record["rate_limit"] = record["rate_limit"] or before["rate_limit"]
    else:
        check_reach(call, old)
    record["domains"] = _domains(call, record["domains"]) if "domains" in call.data else before["domains"]
    expires_at = record["expires_at"]
    if expires_at and expires_at != before["expires_at"] and _time(expires_at) <= datetime.now(UTC):
        raise invalid("expires_at must lie in the future", "expires_at")
    if caller.scopes is not None and record["rate_limit"] != before["rate_limit"]:
        raise forbidden("Only the system's key sets rate_limit", "rate_limit")
    check_reach(call, record)


def check_reach(call: Call, record: Mapping[str, Any]) -> None:
    """Refuse a key that reaches beyond the one that the caller holds.

    Raises:
        ApiError: 403 with the field that does.
    """
    caller = call.caller
    if caller.domains is not None and not {str(d) for d in caller.domains}.issuperset(record["domains"]):
        raise _beyond("domains")
    if not all(caller.may(scope) for scope in record["scopes"]):
        raise _beyond("scopes")
    networks = [ip_network(text) for text in record["networks"]]
    if caller.networks and not (networks and all(_within(network, caller.networks) for network in networks)):
        raise _beyond("networks")
    expires_at = record["expires_at"]
    if caller.ends_at is not None and not (expires_at and _time(expires_at) <= caller.ends_at):
        raise _beyond("expires_at")


def _beyond(field: str) -> ApiError:
    return forbidden(f"{field} would reach beyond the caller's own key", field)


def _within(network: Network, wide: Iterable[Network]) -> bool:
    return any(network.version == other.version and network.subnet_of(other) for other in wide)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _domains(call: Call, names: list[str]) -> list[str]:
    """The uuids of domains named by uuid or name; another's domain does not exist for the caller."""
    if EVERY_DOMAIN in names:
        return [EVERY_DOMAIN]
    found: list[str] = []
    for place, name in enumerate(names):
        try:
            uuid = UUID(name)
        except ValueError:
            uuid = None
        domain = call.value("domain", uuid=uuid, name=name)
        if domain is None:
            raise invalid(f"there is no domain {name}", f"domains.{place}")
        found.append(str(domain))
    if not found:
        raise invalid(f'domains must name a domain, or be ["{EVERY_DOMAIN}"] for every domain', "domains")
    return list(dict.fromkeys(found))


def create(call: Call) -> Answer:
    """A new key, shown this once."""
    answer = create_record(call)
    _issue(call, answer, 0)
    return answer


def rotate(call: Call) -> Answer:
    """A new key in the place of the old one, which stays good for the overlap."""
    check_reach(call, call.record)
    answer = Answer({"api_key_uuid": call.uuid}, message="API key rotated successfully")
    hint = _issue(call, answer, int(call.data["overlap"] or 0))
    assert call.uuid is not None
    call.audit("update", call.record, {**call.record, "hint": hint})
    call.note_change("update", call.uuid, call.record)
    return answer


def _issue(call: Call, answer: Answer, overlap: int) -> str:
    made = new_key()
    previous_until = call.value(
        "issue", api_key_uuid=answer.data["api_key_uuid"], key_hash=made.digest, hint=made.hint, overlap=overlap
    )
    answer.data |= {"key": made.key, "previous_until": previous_until}
    return made.hint


api_keys = Resource(
    name="api-keys",
    label="API key",
    id="api_key_uuid",
    schema=ApiKey,
    table=TABLE,
    sql="api_keys",
    search=("name", "hint"),
    sort={
        "name": Sort("name"),
        "created_at": Sort("created", "time"),
        "last_used_at": Sort("used", "time"),
    },
    filters=("name", "enabled", "created_by"),
    operations=(
        Operation(
            "create",
            create,
            ("POST",),
            body=ApiKey,
            answer=IssuedKey,
            writes=True,
            status=201,
            summary="Create an API key",
        ),
        Operation(
            "rotate",
            rotate,
            ("POST",),
            "item",
            path="rotate",
            body=Rotation,
            answer=IssuedKey,
            writes=True,
            summary="Replace a key by a new one",
        ),
    ),
    prepare=prepare,
    remove=check_reach,
)

plugin = Plugin(name="api-keys", version="1.0.0", resources=(api_keys,))
