"""Links that are good for a while without a key: a path, signed together with whom and what it is for.

A link opens one path for one domain, with one scope, until it ends. It is signed with a secret of the database,
which every process knows; a new one is made each month, and `revoke_links` makes all links end at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID, uuid4

from pbxapi.data.database import Session

SECONDS_MOST = 86_400
"""How long a link can live."""

# One that is older may have signed links that still live, for a day at most.
_NEWEST = """
select value from pbxapi.secret
 where name like 'link:%%' and created_at > clock_timestamp() - interval '30 days'
 order by created_at desc
 limit 1
"""

_ADD = """
with old as (
  delete from pbxapi.secret where name like 'link:%%' and created_at < clock_timestamp() - interval '32 days'
)
insert into pbxapi.secret (name, value) values (%(name)s, %(value)s)
"""

_ALL = "select value from pbxapi.secret where name like 'link:%%'"

_REVOKE = "delete from pbxapi.secret where name like 'link:%%'"


@dataclass(frozen=True)
class Link:
    """What a link says of itself; nothing of it holds before its signature is checked.

    Attributes:
        path: of the URL, without the query.
        key_id: of the key that made it.
        expires: seconds since 1970.
    """

    path: str
    domain_uuid: UUID
    scope: str
    key_id: str
    expires: int
    signature: str

    @property
    def expires_at(self) -> str:
        """When it ends, as answers spell it."""
        return datetime.fromtimestamp(self.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def is_signed(self, values: Iterable[bytes]) -> bool:
        """Whether one of some secrets has signed it."""
        return any(
            hmac.compare_digest(_signature(value, self), self.signature.encode("utf-8", "replace"))
            for value in values
        )


def sign_link(session: Session, path: str, *, domain_uuid: UUID, scope: str, key_id: str, seconds: int) -> Link:
    """A link that is good for some seconds."""
    value = session.value(_NEWEST)
    if value is None:
        value = secrets.token_bytes(32)
        session.run(_ADD, name=f"link:{uuid4()}", value=value)
    link = Link(path, domain_uuid, scope, key_id, int(time.time()) + seconds, "")
    return replace(link, signature=_signature(bytes(value), link).decode())


def url_of(link: Link) -> str:
    """The URL of a link, without scheme and host."""
    query = {
        "domain": link.domain_uuid,
        "scope": link.scope,
        "key": link.key_id,
        "expires": link.expires,
        "signature": link.signature,
    }
    return f"{link.path}?{urlencode(query)}"


def read_link(path: str, query: Mapping[str, str]) -> Link | None:
    """The link that a URL is; None where it is none."""
    try:
        return Link(
            path,
            UUID(query["domain"]),
            query["scope"],
            query["key"],
            int(query["expires"][:12]),
            query["signature"],
        )
    except (KeyError, ValueError):
        return None


def link_secrets(session: Session) -> list[bytes]:
    """All secrets that may have signed a link."""
    return [bytes(row["value"]) for row in session.rows(_ALL)]


def revoke_links(session: Session) -> None:
    """No link made so far is good any more; every process knows within two seconds."""
    session.run(_REVOKE)


def _signature(value: bytes, link: Link) -> bytes:
    # No part can hold a line break: a path with one is not served, and the others are uuids, words and numbers.
    said = "\n".join((link.path, str(link.domain_uuid), link.scope, link.key_id, str(link.expires)))
    return hmac.new(value, said.encode("utf-8", "replace"), hashlib.sha256).hexdigest().encode()
