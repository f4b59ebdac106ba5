"""Text that stays whole on its way to FreeSWITCH: escaping, elements and include files.

What is relied on (FreeSWITCH, src/switch_xml.c and src/switch_utils.c):

- Files go through a preprocessor that works line by line, before any XML parser. A line that holds
  ``<include>``, ``</include>`` or ``<?`` is dropped whole; so is a line that holds ``X-PRE-PROCESS`` in any
  letter case without a ``<`` right before it; ``$${name}`` is replaced by the switch's global variable of that
  name; a line ends at a line feed or a carriage return and may have 1 MiB.
- The parser takes a raw line break or tab inside an attribute for a space. Numeric references below U+0080
  are decoded after that, so they are kept.

Therefore an escaped value never holds a raw ``<``, line break or tab, nor the letters of a preprocessor's
command, nor ``$${``: what a tenant writes can neither remove a line nor read the switch's global variables.
An XML parser reads it back character by character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PLAIN = re.compile(r"[ !#%(-;=?-~]*")
"""Nothing to escape: printable ASCII without quotes, ``&``, ``<``, ``>`` and ``$``."""

_COMMAND = re.compile("(x)-(pre-process)", re.IGNORECASE)
_ESCAPED = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&apos;",
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)
_LONGEST_LINE = 1_000_000
"""Bytes; the switch cuts lines at 1,048,576 less one block."""


class InvalidValue(ValueError):
    """A value that no XML for the switch can be made of.

    Args:
        key: the column or field at fault, nested ones as ``details.0.dialplan_detail_data``; "" if unknown.
        reason: what is wrong with it, without the value itself: it may be a secret.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}" if key else reason)
        self.key = key
        self.reason = reason


def check(value: str, key: str = "") -> str:
    """Return the value as it is, if XML 1.0 can hold it.

    Raises:
        InvalidValue: it has a character that XML 1.0 cannot hold (a control character, half a surrogate pair,
            U+FFFE, U+FFFF); the reason names the character.
    """
    found = _NOT_XML.search(value)
    if found:
        raise InvalidValue(key, f"the character U+{ord(found[0]):04X} cannot stand in XML")
    return value


def check_row(row: Mapping[str, object]) -> None:
    """Check every text column of a row (see `check`), so that the error names the column."""
    for column, value in row.items():
        if isinstance(value, str):
            check(value, column)


def escape(value: str) -> str:
    """Escape a value for an attribute in double quotes, or for an element's text.

    Raises:
        InvalidValue: XML 1.0 cannot hold it.
    """
    if _PLAIN.fullmatch(value) and "-pre-" not in value.lower():
        return value
    escaped = check(value).translate(_ESCAPED).replace("$${", "$&#36;{")
    return _COMMAND.sub(r"\1&#45;\2", escaped)


def plain(value: object) -> str:
    """A column's value as text: None is "", booleans are "true" and "false"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def is_true(value: object) -> bool:
    """Whether a column says yes, be it a boolean or the text "true" in any letter case."""
    return plain(value).lower() == "true"


@dataclass
class Element:
    """An element of XML, with either child elements or text.

    Args:
        tag: its name.
        attributes: in the order in which they are written; values unescaped.
        children: written one a line, indented by tabs.
        text: written between the tags, on the same line; unescaped.
    """

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def render(self, depth: int = 0) -> str:
        """The element as text that ends with a line feed.

        Raises:
            InvalidValue: a name is no XML name, or a value cannot stand in XML.
        """
        for name in (self.tag, *self.attributes):
            if not _is_name(name):
                raise InvalidValue("", f"{name!r} is no name of an XML element or attribute")
        indent = "\t" * depth
        start = "".join([self.tag, *(f' {name}="{escape(value)}"' for name, value in self.attributes.items())])
        if self.children:
            inner = "".join(child.render(depth + 1) for child in self.children)
            return f"{indent}<{start}>\n{inner}{indent}</{self.tag}>\n"
        if self.text:
            return f"{indent}<{start}>{escape(self.text)}</{self.tag}>\n"
        return f"{indent}<{start}/>\n"


@lru_cache(maxsize=256)
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def include_file(elements: Iterable[Element]) -> str:
    """A file for the switch's configuration folder: elements between ``<include>`` lines.

    Raises:
        InvalidValue: as `Element.render`, or a line is longer than the switch reads.
    """
    content = "".join(element.render(1) for element in elements)
    if any(len(line.encode()) > _LONGEST_LINE for line in content.split("\n")):
        raise InvalidValue("", f"a line of the file would have more than {_LONGEST_LINE} bytes")
    return f"<include>\n{content}</include>\n"
