"""Who calls: the key and the domain of a request, each looked up at most once a second per process."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

from pbxapi.data.database import Database, DatabaseError, Session
from pbxapi.data.keys import SYSTEM, Key, digest, find_key, looks_like_a_key, note_use
from pbxapi.data.links import Link, link_secrets
from pbxapi.errors import ApiError
from pbxapi.http.gateway import Request
from pbxapi.http.lines import address_of
from pbxapi.plugin import Caller

log = logging.getLogger(__name__)
auth_log = logging.getLogger("pbxapi.auth")

SECONDS = 1.0
"""How long a key or a domain is believed: a revoked key is refused within two seconds on every process."""

_SYSTEM_KEY = """
select default_setting_value from v_default_settings
 where default_setting_category = 'api' and default_setting_subcategory = 'secret_key'
   and default_setting_enabled::text = 'true' and coalesce(default_setting_value, '') <> ''
 limit 1
"""

_DOMAIN = """
select domain_uuid, domain_name from v_domains
 where domain_enabled::text = 'true'
   and case when %(uuid)s::uuid is null then lower(domain_name) = lower(%(name)s) else domain_uuid = %(uuid)s end
 order by domain_name
 limit 1
"""

T = TypeVar("T")


class _Recent(Generic[T]):
    """Values by name, each believed for some seconds (`SECONDS` when left out); holds at most `most` of them."""

    def __init__(self, seconds: float | None = None, most: int = 10_000) -> None:
        self._seconds = seconds
        self._values: dict[str, tuple[float, T]] = {}
        self._most = most
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[], T]) -> T:
        now = time.monotonic()
        known = self._values.get(name)
        if known is not None and now - known[0] < (SECONDS if self._seconds is None else self._seconds):
            return known[1]
        value = read()
        with self._lock:
            if len(self._values) >= self._most:
                self._values.clear()
            self._values[name] = (now, value)
        return value


class Callers:
    """Turns the headers of a request into a `Caller`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._system: _Recent[bytes | None] = _Recent()
        self._keys: _Recent[Key | None] = _Recent()
        self._uses: _Recent[None] = _Recent(60.0)
        self._secrets: _Recent[list[bytes]] = _Recent()
        self._domains: _Recent[tuple[UUID, str] | None] = _Recent()

    def identify(self, key: Key, request: Request) -> Caller:
        """Who calls with a key that is good.

        Raises:
            ApiError: 400 MISSING_DOMAIN or INVALID_DOMAIN.
        """
        domain_uuid, domain_name = self._domain(key, request.header("X_DOMAIN").strip())
        return Caller(
            key_id=key.key_id,
            domain_uuid=domain_uuid,
            domain_name=domain_name,
            domains=key.domains,
            scopes=key.scopes,
            networks=key.networks,
            rate_limit=key.rate_limit,
            ends_at=key.ends_at,
            address=request.remote_addr or "",
            request_id=request.id,
            allow_global=key is SYSTEM and request.header("X_ALLOW_GLOBAL").lower() == "true",
        )

    def check_key(self, request: Request) -> Key:
        """The key of a request.

        Raises:
            ApiError: 401 UNAUTHORIZED, in the same words whatever is wrong with it; 500 CONFIG_ERROR where it is
                wrong and the system has none.
        """
        text = request.header("X_API_KEY")
        if not text:
            raise _wrong_key()
        hash = digest(text)
        if self._is_system(hash):
            return SYSTEM
        found = self._find_key(hash) if looks_like_a_key(text) else None
        address = request.remote_addr or ""
        if found is not None and found.admits(address, datetime.now(UTC)):
            self._uses.get(found.key_id, lambda: self._note_use(found))
            return found
        tell_refusal(address_of(request), found)
        if self._system.get("", self._read_system_key) is None:
            raise ApiError(500, "CONFIG_ERROR", "API key not configured")
        raise _wrong_key()

    def follow(self, link: Link, request: Request) -> Caller:
        """Who calls by a link that was handed out: it may do one thing, in one domain, for as long as it says.

        Raises:
            ApiError: 401 UNAUTHORIZED; 400 INVALID_DOMAIN where the domain is no more.
        """
        if not link.is_signed(self._secrets.get("", self._read_secrets)):
            raise ApiError(401, "UNAUTHORIZED", "Invalid link")
        if link.expires <= time.time():
            raise ApiError(401, "UNAUTHORIZED", "The link has ended")
        key = Key(link.key_id, frozenset({link.domain_uuid}), frozenset({link.scope}))
        return self.identify(key, request)

    def _read_secrets(self) -> list[bytes]:
        with self._database.reading() as session:
            return link_secrets(session)

    def again(self, caller: Caller, hash: bytes) -> Caller | None:
        """A caller as it is by now, for an answer that stays open; None where its key or its domain is no more.

        Args:
            hash: digest of the key.
        """
        key = SYSTEM if self._is_system(hash) else self._find_key(hash)
        if key is None or not key.admits(caller.address, datetime.now(UTC)):
            return None
        try:
            self._domain(key, str(caller.domain_uuid))
        except ApiError:
            return None
        return replace(caller, domains=key.domains, scopes=key.scopes, networks=key.networks, ends_at=key.ends_at)

    def _is_system(self, hash: bytes) -> bool:
        system = self._system.get("", self._read_system_key)
        return system is not None and hmac.compare_digest(hash, system)

    def _find_key(self, hash: bytes) -> Key | None:
        return self._keys.get(hash.hex(), lambda: self._read_key(hash))

    def _read_system_key(self) -> bytes | None:
        with self._database.reading() as session:
            key = session.value(_SYSTEM_KEY)
        return digest(key) if key else None

    def _read_key(self, hash: bytes) -> Key | None:
        with self._database.reading() as session:
            return find_key(session, hash)

    def _note_use(self, key: Key) -> None:
        try:
            with self._database.writing() as session:
                note_use(session, key.key_id)
        except DatabaseError as error:
            # A database that only reads, or is busy, still has answers for the request itself.
            log.warning("the use of key %s was not noted: %s", key.key_id, type(error).__name__)

    def _domain(self, key: Key, name: str) -> tuple[UUID, str]:
        if not name and key.domains is not None and len(key.domains) == 1:
            (only,) = key.domains
            name = str(only)
        if not name:
            raise ApiError(400, "MISSING_DOMAIN", "X-Domain header is required")
        found = None
        if len(name) <= 255 and name.isprintable():
            found = self._domains.get(name.lower(), lambda: self._read_domain(name))
        if found is None or (key.domains is not None and found[0] not in key.domains):
            raise ApiError(400, "INVALID_DOMAIN", "Domain not found")
        return found

    def _read_domain(self, name: str) -> tuple[UUID, str] | None:
        with self._database.reading() as session:
            return find_domain(session, name)


def _wrong_key() -> ApiError:
    return ApiError(401, "UNAUTHORIZED", "Invalid API key")


def tell_refusal(address: str, key: Key | None) -> None:
    """Write the line that a jail of fail2ban counts (docs/operators.md), where somebody may be guessing keys.

    A key that there is, but which is used too late or from elsewhere, was not guessed: a ban of its address would
    take the telephones of an office whose program has an old key. Nor does a missing key guess anything.
    """
    if key is None:
        auth_log.warning("authentication failed from %s", address or "unknown")
    else:
        auth_log.warning("key %s has ended, or may not be used from %s", key.key_id, address or "unknown")


def find_domain(session: Session, name: str) -> tuple[UUID, str] | None:
    """An enabled domain by uuid or name, in any letter case."""
    try:
        uuid = UUID(name)
    except ValueError:
        uuid = None
    row = session.row(_DOMAIN, uuid=uuid, name=name)
    return (row["domain_uuid"], row["domain_name"]) if row else None
