#!/usr/bin/env python3
"""Whether another API answers below a prefix of this host's.

    include.py places FILE | answers.py PREFIX

Says what answered and exits 0 where there is one, 1 where there is none.

An API is known by an answer in JSON, whatever its status, or by asking for a bearer's token. FusionPBX answers
what it does not know with a page, a redirect or PHP's "File not found."; and what a host answers in the same way
where nothing can be, says nothing of the prefix.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import sys
from collections.abc import Iterable

PATHS = ("", "/", "/domains", "/extensions", "/users", "/openapi.json")
"""What an API beside a telephone system is likely to have; without a key it refuses that in its own way."""

SECONDS = 5


def ask(address: str, port: int, name: str, path: str) -> tuple[int, bool] | None:
    """The status, and whether an API answers so; None where nobody answers."""
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE  # it is told nothing
    connection = http.client.HTTPSConnection(address, port, timeout=SECONDS, context=anybody)
    # FS PBX's jails go by the names of libraries; Laravel sends those to a page who do not want JSON.
    wanted = {"Host": name, "Accept": "application/json", "User-Agent": "pbxapi-install"}
    try:
        connection.request("GET", path, headers=wanted)
        answer = connection.getresponse()
        body = answer.read(1 << 20)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    challenge = answer.headers.get("WWW-Authenticate", "")
    return answer.status, challenge.lower().startswith("bearer") or in_json(body)


def in_json(body: bytes) -> bool:
    """Whether it is an object or a list: pages are not, and a bare word may be anything."""
    try:
        return isinstance(json.loads(body), dict | list)
    except ValueError:
        return False


def find(prefix: str, places: Iterable[list[str]]) -> str:
    """What answers like an API, in words; empty where nothing does."""
    for address, port, name in places:
        # FusionPBX's rewrite sees /api/ in the middle of a path too.
        nowhere = f"/pbxapi-{secrets.token_hex(8)}{prefix}"
        for path in PATHS:
            found = ask(address, int(port), name, prefix + path)
            if found is None:
                break
            if found[1] and found != ask(address, int(port), name, nowhere + path):
                return f"https://{name}{prefix + path} answers {found[0]} as an API does"
    return ""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit((__doc__ or "").strip())
    said = find(sys.argv[1], [line.split() for line in sys.stdin])
    print(said, end="\n" * bool(said))
    sys.exit(not said)
