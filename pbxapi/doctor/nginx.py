"""What nginx was told, read from `nginx -T`: which server block is FusionPBX's, and how ours stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_FILE = re.compile(r"^# configuration file (.+):$", re.M)
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|([;{}])|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|\$\{[^}]*\}|[^\s;{}\\])+)""", re.S
)


@dataclass
class Directive:
    """A directive with its words, and what is in its block."""

    words: list[str]
    block: list[Directive] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its first word."""
        return self.words[0] if self.words else ""

    def inside(self, name: str) -> Iterator[Directive]:
        """The directives of a name in its block, not deeper."""
        return (directive for directive in self.block if directive.name == name)


def parse(printed: str) -> list[Directive]:
    """The server blocks that ``nginx -T`` prints, in its order, what they include put in its place.

    Raises:
        ValueError: it is no configuration.
    """
    parts = _FILE.split(printed)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not files:
        raise ValueError("nginx -T prints no configuration")
    main = next(iter(files))
    top = _read(files[main], files, main.rpartition("/")[0])
    http = [directive for block in top if block.name == "http" for directive in block.block]
    return [directive for directive in http if directive.name == "server"]


def _read(text: str, files: dict[str, str], folder: str, depth: int = 0) -> list[Directive]:
    if depth > 20:
        raise ValueError("an include includes itself")
    root = Directive([])
    stack, words = [root], list[str]()
    for found in _TOKEN.finditer(text):
        sign, word = found[1], found[2]
        if word:
            words.append(word[1:-1] if word[0] in "\"'" else word)
        elif sign == ";" and words:
            if words[0] == "include" and len(words) > 1:
                pattern = words[1] if words[1].startswith("/") else f"{folder}/{words[1]}"
                for name in files:
                    if fnmatchcase(name, pattern):
                        stack[-1].block += _read(files[name], files, folder, depth + 1)
            else:
                stack[-1].block.append(Directive(words))
            words = []
        elif sign == "{":
            stack[-1].block.append(Directive(words))
            stack.append(stack[-1].block[-1])
            words = []
        elif sign == "}":
            if len(stack) == 1:
                raise ValueError("a } too many")
            stack.pop()
    if len(stack) > 1:
        raise ValueError("a } is missing")
    return root.block


def listens(server: Directive, port: int) -> bool:
    """Whether a server block listens on a port, and not on this host's own address alone."""
    places = [directive.words[1] for directive in server.inside("listen") if len(directive.words) > 1]
    if not places:
        return port == 80
    ours = (place for place in places if not re.match(r"127\.|\[::1\]|localhost|unix:", place))
    return any(place.rpartition(":")[2] == str(port) or place == str(port) for place in ours) or (
        port == 80 and any(not place.rpartition(":")[2].isdigit() for place in places if ":" not in place)
    )


def names(server: Directive) -> list[str]:
    """The names of a server block."""
    return [name for directive in server.inside("server_name") for name in directive.words[1:]]


def location_of(server: Directive, prefix: str) -> tuple[int, Directive] | None:
    """The location of a prefix in a server block, and its place among the block's directives."""
    for place, directive in enumerate(server.block):
        if directive.name == "location" and directive.words[-1].rstrip("/") == prefix:
            return place, directive
    return None


def rewrites_before(server: Directive, place: int, prefix: str) -> list[str]:
    """Rewrites of the server block that take URLs of a prefix before an ``if`` with ``break`` guards it.

    nginx runs rewrites of a server block in their order, before it looks for a location.
    """
    found: list[str] = []
    probe = f"{prefix}/extensions"
    for directive in server.block:
        if directive.name == "if":
            condition = " ".join(directive.words[1:]).strip("()").strip()
            pattern = condition.partition("~")[2].lstrip("*").strip().strip("\"'")
            if not pattern or not condition.startswith(("$uri", "$request_uri")) or not _matches(pattern, probe):
                continue
            for inner in directive.block:
                if inner.name == "break":
                    return found
                if inner.name == "rewrite":
                    found.append(" ".join(inner.words))
        elif directive.name == "rewrite" and len(directive.words) > 2 and _matches(directive.words[1], probe):
            found.append(" ".join(directive.words))
    return found


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text, re.I) is not None
    except re.error:
        return False
