"""The way in: the API itself, nginx before it, and what fail2ban reads of it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from configparser import ConfigParser, Error
from contextlib import closing, suppress
from fnmatch import fnmatch
from typing import Any

from pbxapi.doctor import nginx as config
from pbxapi.doctor.checkup import Finding, Host, fail, ok, readable, skip, warn

LOG = "/var/log/nginx/pbxapi.log"
"""Where our locations log to; its name must be one that no jail of FusionPBX reads."""

HTTPS_PORT = 443
HTTP_PORT = 80


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self._path)


def api(host: Host) -> Iterator[Finding]:
    """Whether the web process answers where it is told to listen."""
    bind = host.config.bind
    connection: http.client.HTTPConnection
    if bind.startswith("unix:"):
        connection = _OverUnix(bind.removeprefix("unix:"))
    else:
        name, _, port = bind.rpartition(":")
        connection = http.client.HTTPConnection(
            name.strip("[]").replace("0.0.0.0", "127.0.0.1"), int(port), timeout=5
        )
    try:
        status, _ = _get(connection, "/healthz")
    except PermissionError:
        yield warn(f"this user may not open {bind}", "run pbxapi doctor as a user of the group that nginx is in")
        return
    except OSError as error:
        yield fail(f"the API does not answer at {bind}: {error.strerror or error}", "systemctl status pbxapi-api")
        return
    if status != 200:
        yield fail(
            f"what answers at {bind} is not pbxapi (it says {status})", "give PBXAPI_BIND a place of its own"
        )
        return
    yield ok(f"the API answers at {bind}")


def nginx(host: Host) -> Iterator[Finding]:
    """Whether our locations stand in the block that answers on 443, before what would take their URLs."""
    printed = host.run(*host.nginx)
    if printed is None:
        yield skip("no nginx on this host")
        return
    try:
        servers = config.parse(printed)
    except ValueError as error:
        said = next((line for line in printed.splitlines() if "[emerg]" in line), str(error))
        yield fail(f"nginx -T: {said}", "nginx -t; as root, if it may not read a key")
        return
    prefix = host.config.url_prefix
    secure = [server for server in servers if config.listens(server, HTTPS_PORT)]
    if not secure:
        yield fail("no server block of nginx listens on 443", "see docs/operators.md, nginx")
    with_ours = [server for server in secure if config.location_of(server, prefix)]
    if secure and not with_ours:
        yield fail(
            f"no server block on 443 has a location of {prefix}/",
            "include /etc/nginx/snippets/pbxapi.conf; as the first line of FusionPBX's block on 443; nginx -t",
        )
    for server in with_ours:
        yield from _placed(server, prefix)
    if with_ours and secure[0] not in with_ours:
        first = ", ".join(config.names(secure[0])) or "without a name"
        yield warn(
            f"requests with a name that no block has go to another block on 443 ({first})",
            f"call the API by {', '.join(config.names(with_ours[0])) or 'a name of its own'}",
        )
    open_to_all = [server for server in servers if config.listens(server, HTTP_PORT)]
    unguarded = [server for server in open_to_all if not _refuses_plain(server)]
    if unguarded:
        name = ", ".join(config.names(unguarded[0])) or "without a name"
        yield warn(
            f"a block on 80 ({name}) takes keys that are sent without TLS",
            "include /etc/nginx/snippets/pbxapi-plain.conf; as its first line",
        )


def _placed(server: config.Directive, prefix: str) -> Iterator[Finding]:
    found = config.location_of(server, prefix)
    assert found is not None
    place, location = found
    name = ", ".join(config.names(server)) or "without a name"
    right = True
    if "^~" not in location.words:
        right = False
        yield fail(
            f"the location of {prefix}/ in {name} has no ^~: a URL that ends in .php goes to PHP",
            f"write location ^~ {prefix}/",
        )
    if taken := config.rewrites_before(server, place, prefix):
        right = False
        yield fail(
            f"a rewrite of {name} takes our URLs first: {taken[0]}",
            "put the include of pbxapi's snippet before it, at the beginning of the block",
        )
    logs = [directive.words[1] for directive in location.inside("access_log")]
    if not logs:
        right = False
        yield warn(
            f"the location of {prefix}/ in {name} writes to the block's own access log, which fail2ban counts",
            f"access_log {LOG} pbxapi; in the location",
        )
    if right:
        yield ok(f"{prefix}/ stands first in the block {name} on 443")


def _refuses_plain(server: config.Directive) -> bool:
    return any("pbxapi_plain" in " ".join(directive.words) for directive in server.inside("if"))


def outside(host: Host) -> Iterator[Finding]:
    """Who answers at our prefix on this host's port 443, and whether port 80 refuses it."""
    path = f"{host.config.url_prefix}/openapi.json"
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE  # it is asked who it is, and told nothing
    try:
        secure = http.client.HTTPSConnection("127.0.0.1", HTTPS_PORT, timeout=5, context=trusting)
        status, body = _get(secure, path)
    except OSError:
        yield skip("nothing answers on port 443 of this host")
    else:
        title = body.get("info", {}).get("title") if isinstance(body, dict) else None
        if title == "pbxapi":
            yield ok(f"pbxapi answers at {host.config.url_prefix} on 443")
        elif status in (502, 504):
            yield fail(
                f"nginx does not reach the API ({status})", "see its error.log: the socket's group, or its path"
            )
        else:
            yield fail(
                f"something else answers at {host.config.url_prefix} on 443 ({status})",
                "another API has it (FS PBX's own is /api/v1): set PBXAPI_URL_PREFIX=/pbxapi/v1, install again",
            )
    try:
        status, _ = _get(http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=5), path)
    except OSError:
        return
    if status not in (403, 426):
        yield warn(
            f"port 80 answers {status} at {host.config.url_prefix}: a key sent there has been read on the way",
            "include /etc/nginx/snippets/pbxapi-plain.conf; as the first line of the block on 80",
        )


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, Any]:
    with closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read(8 * 1024 * 1024)
        except http.client.HTTPException as error:
            raise ConnectionError(type(error).__name__) from None
        with suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, None


def fail2ban(host: Host) -> Iterator[Finding]:
    """FusionPBX's jails count every request in the logs that they read, and ban all ports for a day."""
    folder = host.path("/etc/fail2ban")
    if not folder.is_dir():
        yield skip("no fail2ban on this host")
        return
    jails = ConfigParser(interpolation=None, strict=False)
    files = [folder / "jail.conf", *sorted(folder.glob("jail.d/*.conf")), folder / "jail.local"]
    for path in (*files, *sorted(folder.glob("jail.d/*.local"))):
        with suppress(Error):
            jails.read_string(readable(path) or "")
    on = [
        name
        for name in jails.sections()
        if jails.get(name, "enabled", fallback="").lower() in ("true", "yes", "1")
    ]
    reading = [
        name
        for name in on
        if not name.startswith("pbxapi")
        and any(fnmatch(LOG, pattern) for pattern in re.split(r"[\s,]+", jails.get(name, "logpath", fallback="")))
    ]
    for name in reading:
        yield fail(
            f"the jail {name} reads {LOG}: it counts every request of the API, and bans its callers",
            f"narrow the logpath of {name} in /etc/fail2ban, such as to /var/log/nginx/access*.log",
        )
    if not any(name.startswith("pbxapi") for name in on):
        yield warn(
            "no jail counts the keys that are guessed",
            "install ops/fail2ban (docs/operators.md), then reload fail2ban",
        )
    elif not reading:
        yield ok("a jail counts guessed keys, and none reads our access log")
