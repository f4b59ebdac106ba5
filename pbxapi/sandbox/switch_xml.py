"""XML as the switch reads it: its preprocessor by lines, its forgiving parser and its look-ups.

Not a general XML reader. It takes what FreeSWITCH's own reader takes and refuses what that refuses, in the
same words (docs/switch.md), so that what the simulator makes of a file is what a switch makes of it.
"""

from __future__ import annotations

import glob
import io
import logging
import re
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

log = logging.getLogger(__name__)

_VARIABLE = re.compile(r"\$\$\{([^{}]*)\}")
_COMMAND = re.compile(r'<X-PRE-PROCESS.*?cmd.*?=.*?"([^"]*)".*?data.*?=.*?"([^"]*)"', re.IGNORECASE)
_INCLUDE_DEPTH = 100

_NAME = re.compile(r"[^\s/>]+\s*")
_ATTRIBUTE = re.compile(r"""([^\s=/>]*)(?:[\s=]+(?:"([^"]*)"|'([^']*)'|(["'])|))?\s*""")
_ENTITY = re.compile(r"&(?:#(\d+)|#x([0-9a-fA-F]+)|(lt|gt|amp|quot|apos));")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


class XmlBroken(Exception):
    """A text that does not parse; the message is the switch's, such as `[error near line 108]: missing >`."""


class User(NamedTuple):
    """A directory user with what it inherits from, nearest first: the user, its group, its domain."""

    levels: tuple[Element, ...]

    def value(self, kind: str, name: str) -> str:
        """A value as the API command user_data gives it.

        Args:
            kind: "attr", "var" or "param".
            name: of the attribute, variable or parameter, in any letter case.

        Returns:
            The value; "" when there is none.
        """
        if kind == "attr":
            return self.levels[0].get(name, "")
        path = "variables/variable" if kind == "var" else "params/param"
        for level in self.levels:
            for element in level.findall(path):
                if element.get("name", "").lower() == name.lower():
                    return element.get("value", "")
        return ""


class GatewayXml(NamedTuple):
    """A `<gateway>` of sofia.conf: the profile's name, its own name, its parameters."""

    profile: str
    name: str
    params: Mapping[str, str]


def read_configuration(
    directory: Path | None,
    dialplan: Path | None,
    sip_profiles: Path | None,
    profiles: tuple[str, ...],
    variables: MutableMapping[str, str],
) -> Element:
    """Read the XML files of a switch into one tree.

    Args:
        directory: folder of the domains' files; each includes the users of its domain.
        dialplan: folder of the contexts' files.
        sip_profiles: folder with a folder of gateway files for each profile.
        profiles: names of the SIP profiles.
        variables: the switch's global variables; `cmd="set"` lines write to them.

    Raises:
        XmlBroken: the files together do not parse.
    """
    lines = ['<document type="freeswitch/xml">\n', '<section name="configuration">\n']
    lines.append('<configuration name="sofia.conf">\n<profiles>\n')
    for profile in profiles:
        lines.append(f'<profile name="{profile}">\n<gateways>\n')
        if sip_profiles:
            lines.extend(_include(sip_profiles / profile, "*.xml", variables, 1))
        lines.append("</gateways>\n</profile>\n")
    lines.append("</profiles>\n</configuration>\n</section>\n")
    for name, folder in (("dialplan", dialplan), ("directory", directory)):
        lines.append(f'<section name="{name}">\n')
        if folder:
            lines.extend(_include(folder, "*.xml", variables, 1))
        lines.append("</section>\n")
    lines.append("</document>\n")
    return parse("".join(lines))


def _include(folder: Path, pattern: str, variables: MutableMapping[str, str], depth: int) -> Iterator[str]:
    """The lines of all files that match, in the order of their names; none is no error."""
    for path in sorted(glob.glob(str(folder / pattern))):  # noqa: PTH207 - a pattern may be an absolute path
        yield from preprocess(Path(path), variables, depth)


def preprocess(path: Path, variables: MutableMapping[str, str], depth: int = 0) -> Iterator[str]:
    """The lines that a file contributes to the tree.

    A line that contains `<include>`, `</include>` or `<?` is dropped whole, with anything else on it, and so
    is a line with X-PRE-PROCESS, even one inside a comment (switch_xml.c, preprocess). Commands that would
    run a program are not obeyed here.

    Args:
        path: the file.
        variables: for `$${name}`, and where `cmd="set"` writes.
        depth: of inclusion; the switch stops at 100.
    """
    if depth > _INCLUDE_DEPTH:
        return
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        log.warning("the switch skips a file that it cannot open: %s", error)
        return
    for raw in io.StringIO(text):
        if "<include>" in raw or "</include>" in raw or "<?" in raw:
            continue
        line = _VARIABLE.sub(lambda match: variables.get(match[1], ""), raw)
        if "x-pre-process" not in line.lower():
            yield line
            continue
        command = _COMMAND.search(line)
        if command is None:
            continue
        name, data = command[1].lower(), command[2]
        if name == "include":
            yield from _include(path.parent, data, variables, depth + 1)
        elif name == "set":
            variable, _, value = data.partition("=")
            variables[variable.strip()] = value.strip()


def parse(text: str) -> Element:
    """Parse a document the way the switch does; the text between tags is not kept.

    A bare `&`, an attribute without quotes or an attribute given twice is taken, as the switch takes them.

    Raises:
        XmlBroken: with the line and the words that the switch would use.
    """
    root: Element | None = None
    open_: list[Element] = []
    at = 0
    while (start := text.find("<", at) + 1) > 0:
        first = text[start : start + 1]
        if first == "/":
            end = text.find(">", start)
            if end < 0:
                raise _broken(text, start, "missing >")
            name = text[start + 1 : end].rstrip()
            if not open_ or open_[-1].tag != name:
                raise _broken(text, start, f"unexpected closing tag </{name}>")
            open_.pop()
            at = end + 1
        elif first.isalpha() or first in ("_", ":"):
            name, attributes, at = _tag(text, start)
            if open_:
                open_.append(SubElement(open_[-1], name, attributes))
            elif root is None:
                root = Element(name, attributes)
                open_.append(root)
            else:
                raise _broken(text, start, "markup outside of root element")
            if text[at] == "/":
                open_.pop()
                at += 1
            at += 1
        else:
            at = _markup(text, start)
    if root is None:
        raise _broken(text, len(text), "root tag missing")
    if open_:
        raise _broken(text, len(text.rstrip()), f"unclosed tag <{open_[-1].tag}>")
    return root


def _tag(text: str, start: int) -> tuple[str, dict[str, str], int]:
    """Name, attributes and the position of the `>` or `/>` that ends the opening tag."""
    name = _NAME.match(text, start)
    assert name is not None, "the caller has seen its first letter"
    at = name.end()
    attributes: dict[str, str] = {}
    while not text.startswith((">", "/>"), at):
        attribute = _ATTRIBUTE.match(text, at)
        if attribute is None or at == len(text) or text[at] == "/":
            raise _broken(text, start, "missing >")
        if attribute[4]:
            raise _broken(text, start, f"missing {attribute[4]}")
        value = attribute[2] or attribute[3] or ""
        attributes.setdefault(attribute[1], _ENTITY.sub(_entity, value) if "&" in value else value)
        at = attribute.end()
    return name[0].rstrip(), attributes, at


def _entity(match: re.Match[str]) -> str:
    if match[3]:
        return _ENTITIES[match[3]]
    return chr(int(match[1]) if match[1] else int(match[2], 16))


def _markup(text: str, start: int) -> int:
    """The position after a comment, a CDATA section, a document type or a processing instruction."""
    for opening, closing, fault in (
        ("!--", "--", "unclosed <!--"),
        ("![CDATA[", "]]>", "unclosed <![CDATA["),
        ("!DOCTYPE", ">", "unclosed <!DOCTYPE"),
        ("?", "?>", "unclosed <?"),
    ):
        if text.startswith(opening, start):
            end = text.find(closing, start + len(opening))
            if end < 0 or (closing == "--" and not text.startswith("-->", end)):
                raise _broken(text, start, fault)
            return text.index(">", end) + 1
    raise _broken(text, start, "unexpected <")


def _broken(text: str, at: int, fault: str) -> XmlBroken:
    return XmlBroken(f"[error near line {text.count(chr(10), 0, at) + 1}]: {fault}")


def _same(element: Element, attribute: str, value: str) -> bool:
    found = element.get(attribute)
    return found is not None and found.lower() == value.lower()


def find_user(document: Element, user: str, domain: str) -> User | None:
    """A user by number or alias, as the API command `user_exists id <user> <domain>` finds it.

    The first domain of that name counts, the users of its groups before others. A user element with a `type`
    that is not "pointer", even an empty one, matches every number, and a pointer matches its own
    (switch_xml.c, switch_xml_find_child_multi): a file must not carry such an attribute.
    """
    domains = document.findall("section[@name='directory']/domain")
    owner = next((found for found in domains if _same(found, "name", domain)), None)
    if owner is None:
        return None
    places: list[tuple[Element, ...]] = [(group, owner) for group in owner.findall("groups/group")]
    for above in [*places, (owner,)]:
        holder = above[0].find("users")
        for found in (above[0] if holder is None else holder).findall("user"):
            kind = found.get("type")
            if (
                _same(found, "id", user)
                or _same(found, "number-alias", user)
                or (kind is not None and kind.lower() != "pointer")
            ):
                return User((found, *above))
    return None


def gateways(document: Element) -> Iterator[GatewayXml]:
    """The gateways of sofia.conf in a tree, in their order."""
    profiles = "section[@name='configuration']/configuration[@name='sofia.conf']/profiles/profile"
    for profile in document.findall(profiles):
        for gateway in profile.findall("gateways/gateway"):
            params = gateway.findall("params/param") or gateway.findall("param")
            yield GatewayXml(
                profile.get("name", ""),
                gateway.get("name", ""),
                {param.get("name", ""): param.get("value", "") for param in params},
            )
