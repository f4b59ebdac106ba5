"""Who calls: the key and the domain of a request, each looked up at most once a second per process."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from flask import Request

from pbxapi.data.database import Database, Session
from pbxapi.errors import ApiError
from pbxapi.plugin import Caller

SECONDS = 1.0
"""How long a key or a domain is believed: a revoked key is refused within two seconds on every process."""

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

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
    """Values by name, each believed for `SECONDS`; holds at most `most` of them."""

    def __init__(self, most: int = 10_000) -> None:
        self._values: dict[str, tuple[float, T]] = {}
        self._most = most
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[], T]) -> T:
        now = time.monotonic()
        known = self._values.get(name)
        if known is not None and now - known[0] < SECONDS:
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
        self._keys: _Recent[bytes | None] = _Recent()
        self._domains: _Recent[tuple[UUID, str] | None] = _Recent()

    def identify(self, request: Request, request_id: str) -> Caller:
        """Who calls.

        Raises:
            ApiError: 401, 400 MISSING_DOMAIN or INVALID_DOMAIN, 500 CONFIG_ERROR.
        """
        self.check_key(request.headers.get("X-API-Key", ""))
        domain_uuid, domain_name = self._domain(request.headers.get("X-Domain", "").strip())
        return Caller(
            key_id="system",
            domain_uuid=domain_uuid,
            domain_name=domain_name,
            address=request.remote_addr or "",
            request_id=request_id,
            allow_global=request.headers.get("X-Allow-Global", "").lower() == "true",
        )

    def check_key(self, key: str) -> None:
        """Refuse a key that is missing or wrong.

        Raises:
            ApiError: 401 UNAUTHORIZED, or 500 CONFIG_ERROR where the system has no key.
        """
        if not key:
            raise ApiError(401, "UNAUTHORIZED", "Invalid API key")
        expected = self._keys.get("system", self._read_system_key)
        if expected is None:
            raise ApiError(500, "CONFIG_ERROR", "API key not configured")
        if not hmac.compare_digest(_digest(key), expected):
            raise ApiError(401, "UNAUTHORIZED", "Invalid API key")

    def _read_system_key(self) -> bytes | None:
        with self._database.reading() as session:
            key = session.value(_SYSTEM_KEY)
        return _digest(key) if key else None

    def _domain(self, name: str) -> tuple[UUID, str]:
        if not name:
            raise ApiError(400, "MISSING_DOMAIN", "X-Domain header is required")
        found = None
        if len(name) <= 255 and name.isprintable():
            found = self._domains.get(name.lower(), lambda: self._read_domain(name))
        if found is None:
            raise ApiError(400, "INVALID_DOMAIN", "Domain not found")
        return found

    def _read_domain(self, name: str) -> tuple[UUID, str] | None:
        with self._database.reading() as session:
            return find_domain(session, name)


def find_domain(session: Session, name: str) -> tuple[UUID, str] | None:
    """An enabled domain by uuid or name, in any letter case."""
    try:
        uuid = UUID(name)
    except ValueError:
        uuid = None
    row = session.row(_DOMAIN, uuid=uuid, name=name)
    return (row["domain_uuid"], row["domain_name"]) if row else None


def request_id_of(request: Request) -> str:
    """The caller's X-Request-Id where it is sane, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
