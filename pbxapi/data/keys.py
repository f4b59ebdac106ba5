"""API keys beside the system's own: who holds one, found by its SHA-256, and handing them out.

A key is shown once, when it is made; what is stored is its hash. The resource ``api-keys`` and the command line
share the statements of ``sql/api_keys``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from uuid import UUID, uuid4

from pbxapi.config import Network, builtin_folder, rate
from pbxapi.data.audit import write_audit
from pbxapi.data.database import Row, Session
from pbxapi.data.statements import Statement, load_statements

__all__ = [
    "EVERY_DOMAIN",
    "NAME_MOST",
    "OVERLAP_MOST",
    "SYSTEM",
    "TABLE",
    "Key",
    "Network",
    "NewKey",
    "covers",
    "create_key",
    "digest",
    "find_domain",
    "find_key",
    "list_keys",
    "looks_like_a_key",
    "moment",
    "named_keys",
    "network",
    "new_key",
    "note_use",
    "rate",
    "revoke_key",
    "rotate_key",
    "scope",
    "within",
]

TABLE = "pbxapi.api_key"

EVERY_DOMAIN = "*"
"""What a key that is bound to no domain has in the list of its domains."""

COMMAND_LINE = "command line"
"""Who made a key, where no key did."""

NAME_MOST = 100
"""Characters that a key's name may have."""

OVERLAP_MOST = 30 * 24 * 3600
"""Seconds that a key may live on beside its successor."""

_ALPHABET = string.digits + string.ascii_letters
_KEY = re.compile(r"pbx_[0-9A-Za-z]{40}")
_WORD = r"(?:\*|[a-z][a-z0-9]*(?:-[a-z0-9]+)*)"
_SCOPE = re.compile(rf"\*|{_WORD}:{_WORD}")
_SECRETS = "secrets"

_FIND = """
select api_key_uuid, domains, scopes, networks, rate_limit,
       case when key_hash = %(hash)s then expires_at else least(expires_at, previous_until) end as ends_at
  from pbxapi.api_key
 where enabled and (key_hash = %(hash)s or previous_hash = %(hash)s)
 limit 1
"""

# A row that somebody else holds is left alone: the use of a key is worth no wait.
_NOTE_USE = """
update pbxapi.api_key set last_used_at = now()
 where api_key_uuid = (
   select api_key_uuid from pbxapi.api_key
    where api_key_uuid = %(uuid)s and (last_used_at is null or last_used_at < now() - interval '1 minute')
      for update skip locked
 )
"""


@dataclass(frozen=True)
class Key:
    """What a key may do.

    Attributes:
        key_id: its record's uuid, or ``system``; never the key itself.
        domains: the domains that it is bound to; None for every domain.
        scopes: such as ``extensions:read`` or ``*:read``; None for everything.
        networks: from where it may be used; empty for anywhere.
        rate_limit: its own, such as ``600/minute``; empty for the operator's.
        ends_at: when it ends; None for never.
    """

    key_id: str
    domains: frozenset[UUID] | None = None
    scopes: frozenset[str] | None = None
    networks: tuple[Network, ...] = ()
    rate_limit: str = ""
    ends_at: datetime | None = None

    def admits(self, address: str, now: datetime) -> bool:
        """Whether the key can be used from an address at a time."""
        if self.ends_at is not None and self.ends_at <= now:
            return False
        return not self.networks or within(address, self.networks)


SYSTEM = Key("system")
"""The key of FusionPBX's default setting ``api/secret_key``: it may do everything."""


@dataclass(frozen=True)
class NewKey:
    """A key at the one moment when it is known.

    Attributes:
        key: what the caller will send; to be shown once and never stored.
        digest: what is stored.
        hint: its last four characters, by which a person recognises it.
    """

    key: str
    digest: bytes

    @property
    def hint(self) -> str:
        return self.key[-4:]


def digest(key: str) -> bytes:
    """The SHA-256 of a key, as it came in a header."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def new_key() -> NewKey:
    """A key that nobody can guess: 40 characters of 62, after ``pbx_``, by which scanners of leaks find it."""
    key = "pbx_" + "".join(secrets.choice(_ALPHABET) for _ in range(40))
    return NewKey(key, digest(key))


def covers(held: str, wanted: str) -> bool:
    """Whether a scope that is held includes another one, which may itself have a ``*``.

    ``*`` alone is everything. Before the colon it stands for every resource; secrets are no resource, so that
    ``*:read`` does not show passwords.
    """
    if held in ("*", wanted):
        return True
    resource, _, action = held.partition(":")
    wanted_resource, _, wanted_action = wanted.partition(":")
    if resource == "*":
        return wanted_resource != _SECRETS and wanted_action != "" and action in ("*", wanted_action)
    return resource == wanted_resource and action in ("*", wanted_action)


def scope(text: str) -> str:
    """A scope as it is stored.

    Raises:
        ValueError: it is none.
    """
    if not _SCOPE.fullmatch(text):
        raise ValueError("must be a scope, such as extensions:read, extensions:*, *:read or *")
    return text


def network(text: str) -> str:
    """A network as it is stored; an address is a network of one.

    Raises:
        ValueError: it is none.
    """
    try:
        if "%" not in text:  # an interface of this host is no network
            return str(ip_network(text))
    except ValueError:
        pass
    raise ValueError("must be an address or a network, such as 192.0.2.0/24 or 2001:db8::/32")


def moment(text: str) -> str:
    """A time as it is stored and answered, ``2030-12-31T23:59:59Z``; without a zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2030-12-31T23:59:59Z") from None
    return found.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def find_key(session: Session, hash: bytes) -> Key | None:
    """The enabled key with a hash: a current one, or one that has been replaced; `Key.admits` knows their end."""
    row = session.row(_FIND, hash=hash)
    if row is None:
        return None
    return Key(
        key_id=str(row["api_key_uuid"]),
        domains=None if row["domains"] is None else frozenset(row["domains"]),
        scopes=frozenset(row["scopes"]),
        networks=tuple(ip_network(text) for text in row["networks"]),
        rate_limit=row["rate_limit"] or "",
        ends_at=row["ends_at"],
    )


def looks_like_a_key(text: str) -> bool:
    """Whether a text can be one of the keys made here; all others need no look into the database."""
    return _KEY.fullmatch(text) is not None


def note_use(session: Session, key_id: str) -> None:
    """Remember that a key is in use; at most once a minute, and without waiting for anybody."""
    session.run(_NOTE_USE, uuid=UUID(key_id))


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of some networks; IPv4 written as IPv6 counts as what it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in allowed for allowed in networks)


@cache
def _statements() -> Mapping[str, Statement]:
    return load_statements(builtin_folder("sql") / "api_keys")


def list_keys(session: Session) -> list[Row]:
    """All keys, the oldest first, as the resource lists them."""
    return sorted(session.rows(_statements()["list"], domains=None), key=lambda row: row["created"])


def named_keys(session: Session, name: str) -> list[Row]:
    """Those of `list_keys` with a name or a uuid; names are not unique."""
    return [row for row in list_keys(session) if name in (row["name"], str(row["api_key_uuid"]))]


def find_domain(session: Session, name: str) -> UUID | None:
    """A domain that a key may be bound to, by uuid or name."""
    try:
        uuid = UUID(name)
    except ValueError:
        uuid = None
    found: UUID | None = session.value(_statements()["domain"], uuid=uuid, name=name, domains=None)
    return found


def create_key(
    session: Session,
    *,
    name: str,
    scopes: Iterable[str],
    domains: Iterable[UUID] | None = None,
    networks: Iterable[str] = (),
    rate_limit: str = "",
    expires_at: str = "",
    created_by: str = COMMAND_LINE,
) -> tuple[UUID, str]:
    """A new key: its record's uuid, and the key itself, which is known at no later time.

    Args:
        scopes, networks, rate_limit, expires_at: as `scope`, `network`, `rate` and `moment` answer them.
        domains: None for every domain.
    """
    uuid, made = uuid4(), new_key()
    record = {
        "api_key_uuid": uuid,
        "name": name,
        "domains": [EVERY_DOMAIN] if domains is None else [str(domain) for domain in domains],
        "scopes": list(scopes),
        "networks": list(networks),
        "rate_limit": rate_limit or None,
        "enabled": "true",
        "expires_at": expires_at or None,
        "created_by": created_by,
    }
    session.run(_statements()["create"], **record)
    _issue(session, uuid, made, 0)
    _audit(session, "add", None, record)
    return uuid, made.key


def revoke_key(session: Session, key: Row) -> None:
    """A key of `list_keys` goes; every process refuses it within two seconds."""
    session.run(_statements()["delete"], api_key_uuid=key["api_key_uuid"])
    _audit(session, "delete", key, None)


def rotate_key(session: Session, key: Row, overlap: int) -> str:
    """A new key for a record of `list_keys`; the old one stays good for `overlap` seconds."""
    made = new_key()
    _issue(session, key["api_key_uuid"], made, overlap)
    _audit(session, "update", key, {**key, "hint": made.hint})
    return made.key


def _issue(session: Session, uuid: UUID, made: NewKey, overlap: int) -> None:
    session.run(_statements()["issue"], api_key_uuid=uuid, key_hash=made.digest, hint=made.hint, overlap=overlap)


def _audit(session: Session, action: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
    write_audit(
        session,
        action=action,
        table=TABLE,
        domain_uuid=None,
        app_uuid=None,
        app_name="api-keys",
        address="",
        changes=[(old, new)],
        secrets=frozenset(),
    )
