#!/usr/bin/env python3
"""Put our include line into the server blocks of an nginx site file, or take it out again.

    include.py add|remove|show|places FILE

``add`` and ``remove`` rewrite the file where that changes it, and say so; ``show`` prints what ``add`` would do.
``places`` prints where its blocks with TLS can be asked from this host, a line each: address, port, name.
Only whole lines are added and removed, so that remove after add leaves the file as it was. Exit code 1, and a word
on standard error, where the file has no block to put it in.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TLS = "include /etc/nginx/snippets/pbxapi.conf;"
PLAIN = "include /etc/nginx/snippets/pbxapi-plain.conf;"

_OURS = re.compile(
    r"^[ \t]*include[ \t]+/etc/nginx/snippets/pbxapi(?:-plain)?\.conf[ \t]*;[ \t]*(?:\r\n|\n|\Z)", re.M
)
_WORD = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      | (?P<end>[;{}])
      | (?P<word>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | (?!["'])(?:\\.|\$\{[^}]*\}|[^\s;{}\\])+)""",
    re.X | re.S,
)
_OPENED = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n")


class NoPlace(Exception):
    """The file has no server block that our line could stand in."""


@dataclass
class Server:
    """A server block: where its inside begins, what it listens on, and its names."""

    inside: int
    listens: list[list[str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The line that belongs into it."""
        ports = [re.sub(r"^.*:", "", words[0]) for words in self.listens if not words[0].startswith("unix:")]
        if "443" in ports or any("ssl" in words for words in self.listens):
            return TLS
        return PLAIN

    @property
    def places(self) -> Iterator[tuple[str, str, str]]:
        """Address, port and name by which it can be asked from this host."""
        # A regular expression tells no name that it matches.
        names = [name.replace("*", "pbxapi") for name in self.names if name not in ("_", "") and name[0] != "~"]
        for words in self.listens:
            address, _, port = words[0].rpartition(":")
            if address != "unix" and ("ssl" in words or port == "443"):
                here = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}
                yield here.get(address, address.strip("[]")), port, (names or ["localhost"])[0]


def servers(text: str) -> Iterator[Server]:
    """The server blocks of a file that nginx includes in http {}.

    Raises:
        NoPlace: nginx would not read this file either.
    """
    place, words, server = 0, list[str](), None
    blocks: list[str] = []
    while place < len(text):
        found = _WORD.match(text, place)
        if found is None:
            raise NoPlace("an open quote or a backslash at its end")
        place = found.end()
        if found["word"]:
            words.append(found["word"].strip("\"'"))
        elif found["end"] == "{":
            blocks.append(words[0] if words else "")
            if blocks == ["server"]:
                server = Server(place)
            words = []
        elif found["end"] == "}":
            if not blocks:
                raise NoPlace("a } too many")
            blocks.pop()
            if not blocks and server:
                yield server
                server = None
            words = []
        elif found["end"]:
            if server and blocks == ["server"] and words[:1] == ["listen"] and len(words) > 1:
                server.listens.append(words[1:])
            if server and blocks == ["server"] and words[:1] == ["server_name"]:
                server.names += words[1:]
            words = []
    if blocks:
        raise NoPlace("a } is missing")


def remove(text: str) -> str:
    """The file without our lines."""
    return _OURS.sub("", text)


def add(text: str) -> str:
    """The file with our line at the beginning of each block.

    Raises:
        NoPlace: none speaks TLS, or one stands on a single line.
    """
    text = remove(text)
    places = [(server.inside, server.line) for server in servers(text)]
    if TLS not in (line for _, line in places):
        raise NoPlace("no server block listens on 443")
    for inside, line in reversed(places):
        opened = _OPENED.match(text, inside)
        if opened is None:
            raise NoPlace("a server block has something behind its { on the same line")
        newline = "\r\n" if opened[0].endswith("\r\n") else "\n"
        indent = re.match(r"(?:[ \t]*\r?\n)*([ \t]*)", text[opened.end() :])
        text = f"{text[: opened.end()]}{indent[1] if indent else ''}{line}{newline}{text[opened.end() :]}"
    return text


def main(command: str, name: str) -> int:
    """Do what was asked for; the exit code."""
    path = Path(name)
    # Whatever bytes the file has, the other lines keep theirs.
    before = path.read_bytes().decode("latin-1")
    try:
        if command == "places":
            for place in [place for server in servers(before) for place in server.places]:
                print(*place)
            return 0
        after = remove(before) if command == "remove" else add(before)
    except NoPlace as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    if command == "show":
        sys.stdout.buffer.write(after.encode("latin-1"))
    elif after == before:
        print("unchanged")
    else:
        path.write_bytes(after.encode("latin-1"))
        print("changed")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("add", "remove", "show", "places"):
        sys.exit((__doc__ or "").strip())
    sys.exit(main(sys.argv[1], sys.argv[2]))
